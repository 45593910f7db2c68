"""Every recipe of the gallery, end to end on the embedded stand-in, as the README runs them."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.pipeline import pipeline
from reelflow.media.probe import probe
from reelflow.recipe_file import gallery, load_recipe

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_server")]

# The first file's size, rate, frames and sound tracks, for the sample clip: 1280x720 at 30 frames a second, 6 s.
MADE = {
    "restyle-with-sound": ("1280x720", 30, 120, 1),
    "vertical-social": ("1080x1920", 30, 150, 1),
    "photo-to-film": ("1280x720", 25, 125, 0),
    "try-on-lookbook": ("1920x386", 30, 90, 1),
    "long-film": ("1280x720", 30, 180, 1),
    "a-b-prompts": ("1920x1156", 0, 1, 0),
}


def test_the_gallery_is_what_is_tested() -> None:
    assert set(gallery()) == set(MADE)
    assert all(load_recipe(name).about for name in gallery())


@pytest.mark.parametrize("name", MADE)
async def test_a_recipe_of_the_gallery_makes_what_it_says(name: str, tmp_path: Path) -> None:
    report = await pipeline("sample", name, output=f"{tmp_path}/")
    assert (report["status"], report["stand_in"]) == ("completed", True)
    made = await probe(Path(report["output"]))
    shown = f"{made.width}x{made.height}" if made.is_picture else str(made.shown)
    assert (shown, made.rate, made.frames, len(made.sounds)) == MADE[name]
    assert len(report["outputs"]) == max(1, len(load_recipe(name).outputs))
    assert all(Path(output).stat().st_size > 10_000 for output in report["outputs"])
