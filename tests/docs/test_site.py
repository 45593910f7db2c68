"""The site: built strictly, complete, and in a real browser from the disk, without a network."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path

import pytest
from axe_playwright_python.async_playwright import Axe
from blocks import ROOT
from playwright.async_api import Browser, async_playwright

from flows.__main__ import app
from reelflow import errors
from reelflow.models import ModelTable
from reelflow.settings import Settings
from reelflow.step import STEPS

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
in_browser = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(
    importlib.util.find_spec("mkdocs") is None or importlib.util.find_spec("material") is None,
    reason="MkDocs is not installed: `make docs` does it")]


def build(folder: Path, *, config: Path = ROOT / "mkdocs.yml") -> subprocess.CompletedProcess[str]:
    """The site, built into `folder` as `make docs` builds it."""
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--config-file", config, "--site-dir", folder],
        cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the built site."""
    folder = tmp_path_factory.mktemp("site")
    built = build(folder)
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=CHROMIUM, args=[
            "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
            "--disable-component-update", "--disable-sync",
        ])
        yield started
        await started.close()


def test_the_reference_tells_of_all_there_is(site: Path) -> None:
    def told(page: str) -> str:
        return unescape((site / "reference" / f"{page}.html").read_text())

    commands = [name for name in app if not name.startswith("-")]
    assert len(commands) > 15
    assert not [name for name in commands if f'id="reelflow-{name}"' not in told("command-line")]
    assert "--max-cost-usd" in told("command-line")
    shown = told("settings")
    assert not [name for name in Settings.model_fields if name not in ("api_key", "base_url")
                and f"REELFLOW_{name.upper()}" not in shown]
    assert "DECART_API_KEY" in shown and "DECART_BASE_URL" in shown
    shown = told("recipes")
    assert not [name for name, step in STEPS.items() if f'id="{name}"' not in shown
                or any(f"<code>{field.alias or one}</code>" not in shown for one, field in step.model_fields.items())]
    assert not [name for name in ModelTable.standard().names if f"<code>{name}</code>" not in told("models")]
    assert not [name for name, kind in vars(errors).items() if isinstance(kind, type)
                and issubclass(kind, errors.ReelflowError) and f"<code>{name}</code>" not in told("errors")]
    assert "reelflow_spent_usd" in told("metrics")


@pytest.mark.parametrize("wrong", ["[x](tutorial.md#no-such-place)", "[x](no-such-page.md)", "[x](/index.html)"])
def test_a_dead_link_fails_the_build(tmp_path: Path, wrong: str) -> None:
    for name in ("docs", "recipes", "README.md", "mkdocs.yml"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
        copy(ROOT / name, tmp_path / name)
    page = tmp_path / "docs" / "index.md"
    page.write_text(f"{page.read_text()}\n{wrong}\n")
    built = build(tmp_path / "site", config=tmp_path / "mkdocs.yml")
    assert built.returncode != 0
    assert "index.md" in built.stdout + built.stderr


def test_a_page_names_nothing_that_a_browser_would_fetch(site: Path) -> None:
    fetched = r'<(script|img|iframe)[^>]+src="https?:|<link rel="(preconnect|stylesheet)" href="https?:'
    for page in site.rglob("*.html"):
        assert not re.findall(fetched, page.read_text()), page.name


@in_browser
@pytest.mark.parametrize(("scheme", "width"), [("light", 1300), ("dark", 390)])
async def test_every_page_opens_from_the_disk_and_can_be_read_by_everybody(
    site: Path, browser: Browser, scheme: str, width: int
) -> None:
    page = await browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
    asked: list[str] = []
    faults: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: faults.append(message.text))
    page.on("pageerror", lambda error: faults.append(str(error)))
    pages = [found for found in sorted(site.rglob("*.html")) if found.name != "404.html"]
    assert len(pages) > 18
    for found in pages:
        await page.goto(found.as_uri())
        await page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        # Without its look at style sheets by XMLHttpRequest, which a page from the disk may not do.
        looked = await Axe().run(page, options={"preload": False})
        serious = [(one["id"], [node["html"][:120] for node in one["nodes"]]) for one in looked.response["violations"]
                   if one["impact"] in ("serious", "critical")]
        assert not serious, found.name
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), found.name
        assert await page.evaluate("[...document.images].every((image) => image.naturalWidth > 0)"), found.name
    assert not faults
    assert all(url.startswith(("file:", "data:")) for url in asked), asked


@in_browser
async def test_a_person_gets_from_the_start_to_a_reference_page(site: Path, browser: Browser) -> None:
    page = await browser.new_page(viewport={"width": 1300, "height": 900})
    await page.goto((site / "index.html").as_uri())
    await page.get_by_role("navigation", name="Navigation").get_by_role("link", name="Settings").click()
    await page.get_by_role("heading", name="Settings").wait_for()
    assert await page.get_by_role("cell", name="REELFLOW_MAX_COST_USD", exact=True).is_visible()
