"""The approval round in the real Prefect UI: the preview is seen, a person answers, and the run goes on or ends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Page, async_playwright
from test_deployments import deployed, preview, worker  # noqa: F401 - fixtures are found by name
from working import ENDED, until

from reelflow.media.probe import probe
from reelflow.standin.server import StandIn

CHROMIUM = Path("/usr/bin/chromium")

pytestmark = [
    pytest.mark.slow, pytest.mark.usefixtures("prefect_server"),
    pytest.mark.skipif(not CHROMIUM.exists(), reason="Debian's chromium is not installed"),
]


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    """A tab of headless Chromium."""
    async with async_playwright() as play:
        browser = await play.chromium.launch(executable_path=str(CHROMIUM), args=[
            "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
            "--disable-sync", "--no-first-run", "--disable-quic",
        ])
        yield await browser.new_page(viewport={"width": 1400, "height": 1400})
        await browser.close()


async def drawn(page: Page) -> None:
    """The page has drawn what its keys have changed."""
    await page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


async def choose(page: Page, answer: str) -> None:
    """Choose an answer in the form with the keyboard: open the list, go down until the answer is the one that is taken.
    """
    control = page.get_by_role("dialog").locator(".p-select-button__control")
    for downs in range(1, 6):
        await control.focus()
        await page.keyboard.press("Enter")
        await drawn(page)
        for _ in range(downs):
            await page.keyboard.press("ArrowDown")
        await page.keyboard.press("Enter")
        await drawn(page)
        if (await control.inner_text()).strip() == answer:
            return
    raise AssertionError(f"The form does not offer {answer}: {await control.inner_text()}")


@pytest.mark.parametrize(("answer", "ends", "jobs"), [("approve", "Completed", 2), ("refuse", "Failed", 1)])
async def test_a_person_sees_the_preview_and_answers_in_the_ui(
    answer: str, ends: str, jobs: int, page: Page, prefect_server: str, worker: Path, queue: StandIn, clip: Path,  # noqa: F811
    tmp_path: Path,
) -> None:
    run = await preview(clip, tmp_path / "out", worker)
    address = f"{prefect_server.removesuffix('/api')}/runs/flow-run/{run.id}"
    await page.goto(address)
    await page.get_by_text("Artifacts", exact=True).last.click()
    await page.get_by_text("film", exact=True).first.click()
    picture = page.locator("img[src^='data:image/jpeg']")
    await picture.wait_for()
    assert await picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 100

    await page.goto(address)
    await page.get_by_role("button", name="Resume").first.click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_text("1 job, 1.0 s, for 0.0100 USD").wait_for()
    if answer != "approve":
        await choose(page, answer)
    await dialog.get_by_role("button", name="Submit").click()
    run = await until(run, ENDED, worker)
    assert (run.state_name, queue.jobs_made) == (ends, jobs), worker.read_text()[-3000:]
    if ends == "Completed":
        assert (await probe(tmp_path / "out" / "a clip.mp4")).frames == 30
