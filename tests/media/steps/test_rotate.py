"""`rotate`: clockwise, and the size with it."""

from __future__ import annotations

from pathlib import Path

import pytest
from making import Film, Make, plan_of
from measuring import colour_at, is_near, picture, pictures
from PIL import Image

from reelflow.errors import BadInput

RED, GREEN, BLUE, WHITE = (220, 30, 30), (30, 200, 30), (40, 40, 220), (235, 235, 235)


def quarters(path: Path, size: tuple[int, int] = (160, 90)) -> Path:
    """Red, green over blue, white."""
    width, height = size
    made = Image.new("RGB", size, RED)
    made.paste(GREEN, (width // 2, 0, width, height))
    made.paste(BLUE, (0, height // 2, width // 2, height))
    made.paste(WHITE, (width // 2, height // 2, width, height))
    made.save(path)
    return path


@pytest.mark.parametrize(("degrees", "filters"), [
    (90, "transpose=clock"), (180, "hflip;vflip"), (270, "transpose=cclock")])
async def test_what_a_turn_is_for_ffmpeg(film: Film, make: Make, degrees: int, filters: str) -> None:
    made = await make([{"rotate": degrees}], await film("color=gray:s=64x48:r=25:d=0.2"))
    assert f"start_time=0;{filters};tpad=" in made.graph


@pytest.mark.parametrize(("degrees", "corners"), [
    (90, (BLUE, RED, WHITE, GREEN)), (180, (WHITE, BLUE, GREEN, RED)), (270, (GREEN, WHITE, RED, BLUE))])
async def test_corners_change_places_clockwise(
    film: Film, tmp_path: Path, make: Make, either: Path, degrees: int, corners: tuple[tuple[int, int, int], ...]
) -> None:
    quarters(tmp_path / "q.png")
    source = await film(f"movie={tmp_path / 'q.png'},loop=-1:1:0,fps=25,trim=end_frame=5")
    for made in (await make([{"rotate": degrees}], source, build=either),
                 await make([{"rotate": degrees}], tmp_path / "q.png", build=either)):
        size = made.plan.finish.clip.size
        assert (size.width, size.height) == ((160, 90) if degrees == 180 else (90, 160))
        shown = picture(made.path) if made.probe.is_picture else pictures(made.path)[2]
        assert shown.shape == (size.height, size.width, 3)
        places = [(x * size.width // 4, y * size.height // 4) for y in (1, 3) for x in (1, 3)]
        assert all(is_near(colour_at(shown, *place), wanted, 5) for place, wanted in zip(places, corners, strict=True))


async def test_four_quarters_are_no_turn(film: Film, tmp_path: Path, make: Make) -> None:
    quarters(tmp_path / "q.png", (162, 90))
    made = await make([{"rotate": 90}] * 4, tmp_path / "q.png")
    assert is_near(colour_at(picture(made.path), 40, 20), RED, 3) and made.plan.finish.clip.size.width == 162


@pytest.mark.parametrize("degrees", [0, 45, -90, 360, "left"])
async def test_other_turns_are_refused(film: Film, degrees: object) -> None:
    with pytest.raises(BadInput, match="degrees: "):
        await plan_of([{"rotate": degrees}], await film("color=gray:s=64x48:r=25:d=0.2"))
