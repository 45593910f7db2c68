"""The pages in a real browser, opened from the disk: what a person sees, in Debian's Chromium."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvicorn
from axe_playwright_python.async_playwright import Axe
from over import Over
from PIL import Image
from playwright.async_api import Browser, Page, async_playwright

from reelflow.errors import JobFailed, MediaFailed
from reelflow.page.gallery import Gallery
from reelflow.page.wall import write_wall

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")]


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=CHROMIUM, args=[
            "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
            "--disable-component-update", "--disable-sync", "--autoplay-policy=no-user-gesture-required",
        ])
        yield started
        await started.close()


@pytest.fixture
async def opened(browser: Browser, over: Over) -> AsyncIterator[Page]:
    """The page of a run, opened from the disk, both films ready."""
    await over.write()
    page = await browser.new_page(viewport={"width": 1200, "height": 1000})
    asked: list[str] = []
    faults: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: faults.append(message.text))
    page.on("pageerror", lambda error: faults.append(str(error)))
    await page.goto((over.folder / "out.html").as_uri())
    await until(page, "['before', 'after'].every((id) => document.getElementById(id).readyState >= 3)")
    yield page
    assert not faults
    assert all(url.startswith(("file:", "data:")) for url in asked), asked


async def until(page: Page, condition: str) -> None:
    """Wait until this holds in the page; Playwright's own way needs `eval`, which the page's policy forbids."""
    look = f"const look = () => ({condition}) ? done() : requestAnimationFrame(look)"
    async with asyncio.timeout(30):
        await page.evaluate(f"new Promise((done) => {{ {look}; look(); }})")


async def times(page: Page) -> tuple[float, float]:
    """Where the two films are, in seconds."""
    told: list[float] = await page.evaluate(
        "['before', 'after'].map((id) => document.getElementById(id).currentTime)")
    return told[0], told[1]


async def seen(page: Page, path: Path) -> np.ndarray[Any, Any]:
    """What is visible of the two films."""
    await page.locator("#stage").screenshot(path=path)
    return np.asarray(Image.open(path).convert("RGB")).astype(float)


async def test_both_films_decode_and_run_in_step(opened: Page) -> None:
    before, after = await times(opened)
    assert (before, after) == (pytest.approx(1.0, abs=0.05), 0.0)
    await opened.get_by_role("button", name="Play").click()
    await until(opened, "document.getElementById('after').currentTime > 1.5")
    before, after = await times(opened)
    assert before - after == pytest.approx(1.0, abs=0.15)
    frames = await opened.evaluate(
        "['before', 'after'].map((id) => document.getElementById(id).getVideoPlaybackQuality().totalVideoFrames)")
    assert min(frames) > 15
    await opened.get_by_role("button", name="Pause").click()
    await until(opened, "document.getElementById('before').paused && !document.getElementById('before').seeking")
    before, after = await times(opened)
    assert before - after == pytest.approx(1.0, abs=0.02)


async def test_the_slider_changes_what_is_seen(opened: Page, tmp_path: Path) -> None:
    wiper = opened.get_by_role("slider", name="Wipe between source and result")
    shots = {}
    for percent in (0, 50, 100):
        await wiper.fill(str(percent))
        shots[percent] = await seen(opened, tmp_path / f"{percent}.png")
    width = shots[0].shape[1]
    left, right = slice(150, width // 2 - 60), slice(width // 2 + 60, width - 150)
    assert np.abs(shots[0] - shots[100])[80:].mean() > 10
    # Half-way, the left is the source and the right is the result.
    assert np.abs(shots[50] - shots[100])[80:, left].mean() < 1
    assert np.abs(shots[50] - shots[0])[80:, right].mean() < 1
    assert await wiper.get_attribute("aria-valuetext") == "100 % source, 0 % result"


async def test_the_slider_follows_the_pointer_and_the_keyboard(opened: Page) -> None:
    box = await opened.locator("#stage").bounding_box()
    assert box
    await opened.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 100)
    await opened.mouse.down()
    await opened.mouse.move(box["x"] + box["width"] * 0.2, box["y"] + 100, steps=4)
    await opened.mouse.up()
    wipe = "Number.parseFloat(document.getElementById('stage').style.getPropertyValue('--wipe'))"
    assert await opened.evaluate(wipe) == pytest.approx(20, abs=1.5)
    await opened.locator("#wiper").press("End")
    assert await opened.evaluate(wipe) == 100
    await opened.keyboard.press("[")
    assert await opened.evaluate(wipe) == 95


async def test_everything_can_be_done_from_the_keyboard(opened: Page) -> None:
    await opened.keyboard.press("Space")
    await until(opened, "document.getElementById('after').currentTime > 0.2")
    await opened.keyboard.press("Space")
    await until(opened, "document.getElementById('after').paused")
    start = (await times(opened))[1]
    await opened.keyboard.press("ArrowRight")
    assert (await times(opened))[1] == pytest.approx(start + 1, abs=0.01)
    await opened.keyboard.press(".")
    assert (await times(opened))[1] == pytest.approx(start + 1 + 1 / 30, abs=0.01)
    await opened.keyboard.press("m")
    assert await opened.evaluate("document.getElementById('after').muted")
    await opened.keyboard.press("w")
    assert await opened.locator("#stage").get_attribute("data-mode") == "beside"
    boxes = [await opened.locator(f"#{side}").bounding_box() for side in ("before", "after")]
    assert boxes[0]
    assert boxes[1]
    assert boxes[0]["x"] + boxes[0]["width"] <= boxes[1]["x"]
    reached = set()
    await opened.evaluate("document.activeElement.blur()")
    for _ in range(40):
        await opened.keyboard.press("Tab")
        reached.add(await opened.evaluate("document.activeElement.id || document.activeElement.tagName"))
    assert {"play", "seek", "speed", "loop", "sound", "SUMMARY", "A"} <= reached


async def test_a_picture_of_the_filmstrip_leads_to_its_moment(opened: Page, tmp_path: Path) -> None:
    await opened.locator("#wiper").fill("0")
    first = await seen(opened, tmp_path / "first.png")
    await opened.get_by_role("button", name="The result at 0:06").click()
    await until(opened, "!document.getElementById('after').seeking")
    before, after = await times(opened)
    assert after == pytest.approx(6.25, abs=0.1)
    assert before - after == pytest.approx(1.0, abs=0.02)
    assert np.abs(await seen(opened, tmp_path / "later.png") - first).mean() > 3
    assert await opened.locator("#strip [aria-current=true]").count() == 1


async def test_the_recipe_is_copied(opened: Page) -> None:
    await opened.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await opened.locator("[data-copies=recipe]").click()
    await opened.get_by_role("button", name="Copied").wait_for()
    copied = await opened.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("name: restyle\n")


async def test_a_source_that_can_t_be_played_gives_way_to_its_still(browser: Browser, over: Over) -> None:
    await over.write()
    (over.folder / "in.mp4").unlink()
    (over.folder / "in.mp4").write_bytes(b"no film at all")
    page = await browser.new_page()
    await page.goto((over.folder / "out.html").as_uri())
    await page.get_by_role("status").get_by_text("in.mp4 (h264) can't be shown here").wait_for()
    assert await page.locator(".before .still").evaluate("(still) => still.naturalWidth") > 100
    await page.keyboard.press("Space")
    await until(page, "document.getElementById('after').currentTime > 0.3")


async def test_a_failed_run_s_page_shows_first_what_went_wrong_and_what_to_do(browser: Browser, over: Over) -> None:
    page = await browser.new_page(viewport={"width": 1200, "height": 800})
    await page.goto(over.write_failed(JobFailed("The job failed.", job_id="job_1")).as_uri())
    assert await page.get_by_role("heading", level=1).inner_text() == "The run failed while waiting for the job"
    for place, told in (("#what", "The job failed."), ("#next", "What to do: Try another prompt")):
        shown = page.locator(place)
        assert told in await shown.inner_text()
        box = await shown.bounding_box()
        assert box is not None
        assert box["y"] + box["height"] < 800
    await page.get_by_text("finish", exact=True).click()
    assert await page.get_by_text("ffmpeg -i").is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
async def test_the_pages_have_no_serious_fault_for_those_who_can_t_see_them_well(
    browser: Browser, over: Over, scheme: Any, width: int
) -> None:
    await over.write()
    (over.folder / "manifest.jsonl").write_text("".join(json.dumps(line) + "\n" for line in (
        {"source": "a.mp4", "status": "completed", "outputs": ["out.mp4"], "cost_usd": 0.1},
        {"source": "b.mp4", "status": "failed", "error": "It is broken."})))
    failed = over.write_failed(MediaFailed("ffmpeg failed (1): no room.", stderr="no room"), last_words="no room")
    for path in (over.folder / "out.html", failed, write_wall(over.folder / "manifest.jsonl")):
        page = await browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        await page.goto(path.as_uri())
        await page.wait_for_load_state("networkidle")
        found = await Axe().run(page)
        serious = [(one["id"], [node["html"][:120] for node in one["nodes"]]) for one in found.response["violations"]
                   if one["impact"] in ("serious", "critical")]
        assert not serious
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        await page.close()


async def test_a_wall_is_filtered_by_text_and_state(browser: Browser, over: Over) -> None:
    lines = [{"source": f"clip {number}.mp4", "status": "failed" if number % 3 == 0 else "completed"}
             for number in range(9)]
    (over.folder / "manifest.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    page = await browser.new_page()
    await page.goto(write_wall(over.folder / "manifest.jsonl").as_uri())
    visible = page.locator(".card:visible")
    assert await visible.count() == 9
    await page.get_by_role("radio", name="failed 3").check()
    assert await visible.count() == 3
    await page.get_by_role("searchbox").fill("clip 6")
    assert await visible.count() == 1
    assert await page.locator("#told").inner_text() == "1 of 9"
    await page.get_by_role("searchbox").fill("nothing")
    await page.get_by_text("None of them.").wait_for()


async def test_a_film_in_the_gallery_can_be_seeked(browser: Browser, over: Over) -> None:
    await over.write()
    for name in ("in.mp4", "out.mp4"):
        there = (over.folder / name).resolve()
        (over.folder / name).unlink()
        (over.folder / name).write_bytes(there.read_bytes())
    server = uvicorn.Server(uvicorn.Config(Gallery(over.folder).app, log_config=None, lifespan="off", ws="none"))
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[opened])))
        thread.start()
        try:
            page = await browser.new_page()
            await page.goto(f"http://127.0.0.1:{opened.getsockname()[1]}/")
            await page.get_by_role("link", name="out.mp4").click()
            await page.wait_for_url("**/out.html")
            await until(page, "document.getElementById('after').readyState >= 1")
            await page.get_by_role("button", name="The result at 0:08").click()
            await until(page, "!document.getElementById('after').seeking")
            assert (await times(page))[1] > 8
        finally:
            server.should_exit = True
            await asyncio.to_thread(thread.join)
