"""`crop`: the part that was asked for, to the pixel, and none that lies outside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from making import Film, Make, plan_of
from measuring import colour_at, is_near, picture, pictures
from test_rotate import BLUE, GREEN, RED, WHITE, quarters

from reelflow.errors import BadInput
from reelflow.media.geometry import Size
from reelflow.media.steps.crop import Crop


@pytest.mark.parametrize(("asked", "wanted"), [
    ("9:16", "crop=608:1080:656:0:exact=1"), ("1:1", "crop=1080:1080:420:0:exact=1"),
    ({"aspect": "4:1"}, "crop=1920:480:0:300:exact=1"), (556, "crop=608:1080:656:0:exact=1"),
    ({"width": "50%", "height": "50%"}, "crop=960:540:480:270:exact=1"),
    ({"width": 301, "height": 99, "x": 7, "y": "10%"}, "crop=302:100:6:108:exact=1"),
    ({"height": 800}, "crop=1920:800:0:140:exact=1"), ({"aspect": "9:16", "x": 0}, "crop=608:1080:0:0:exact=1"),
])
async def test_what_a_part_is_for_ffmpeg(film: Film, make: Make, asked: Any, wanted: str) -> None:
    made = await make([{"crop": asked}], await film("color=gray:s=1920x1080:r=5:d=0.4"))
    # The scale before it holds a film steady that changes its size midway; any other passes through it untouched.
    assert f";{wanted};tpad=stop=1:stop_mode=clone;settb=AVTB;" in made.graph and made.graph.startswith("[0:V:0]scale=")


@pytest.mark.parametrize(("asked", "corners"), [
    ({"width": "50%", "height": "50%", "x": 0, "y": 0}, (RED, RED, RED, RED)),
    ({"width": 80, "height": 44, "x": 40, "y": 22}, (RED, GREEN, BLUE, WHITE)),
    ({"width": "50%", "height": 90, "x": "50%"}, (GREEN, GREEN, WHITE, WHITE)),
])
async def test_the_part_is_the_right_one(
    film: Film, tmp_path: Path, make: Make, either: Path, asked: dict[str, Any],
    corners: tuple[tuple[int, int, int], ...],
) -> None:
    quarters(tmp_path / "q.png")
    source = await film(f"movie={tmp_path / 'q.png'},loop=-1:1:0,fps=25,trim=end_frame=5")
    for made in (await make([{"crop": asked}], source, build=either),
                 await make([{"crop": asked}], tmp_path / "q.png", build=either)):
        shown = picture(made.path) if made.probe.is_picture else pictures(made.path)[2]
        size = made.plan.finish.clip.size
        assert shown.shape == (size.height, size.width, 3)
        places = [(x * size.width // 4, y * size.height // 4) for y in (1, 3) for x in (1, 3)]
        assert all(is_near(colour_at(shown, *place), wanted, 5) for place, wanted in zip(places, corners, strict=True))


async def test_parts_of_parts_and_a_size_are_one_cut_and_one_scaling(film: Film, make: Make, either: Path) -> None:
    made = await make(
        [{"crop": {"width": "80%", "height": "80%"}}, {"crop": "1:1"}, {"resize": {"width": 100}}],
        await film("testsrc2=s=640x360:r=25:d=0.4"), build=either)
    assert made.graph.count("crop=") == 1 and made.graph.count("scale=") == 2  # one of them holds the film steady
    assert "crop=288:288:176:36:exact=1" in made.graph and made.probe.shown == Size(100, 100)


async def test_a_part_of_a_film_that_is_stored_on_its_side_or_wide(
    film: Film, tmp_path: Path, make: Make, either: Path
) -> None:
    quarters(tmp_path / "q.png", (160, 90))
    wide = await film(f"movie={tmp_path / 'q.png'},loop=-1:1:0,fps=25,trim=end_frame=5,scale=80:90,setsar=2")
    made = await make([{"crop": {"width": "50%", "height": "50%", "x": "50%", "y": 0}}], wide, build=either)
    assert made.probe.shown == Size(80, 46) and is_near(colour_at(pictures(made.path)[2], 60, 15), GREEN, 5)


@pytest.mark.parametrize("size", [(1920, 1080), (854, 480), (1080, 1920), (722, 406), (16, 16)])
@pytest.mark.parametrize("aspect", ["9:16", "16:9", "1:1", "4:5", "21:9", "239/100"])
def test_the_largest_part_of_a_shape_is_even_and_within(size: tuple[int, int], aspect: str) -> None:
    width, height = size
    across, down = (int(part) for part in aspect.replace("/", ":").split(":"))
    try:
        box = Crop(aspect=aspect).box(Size(width, height))
    except BadInput:
        assert min(width, height) == 16
        return
    assert all(value % 2 == 0 for value in (box.x, box.y, box.width, box.height))
    assert box.x >= 0 and box.x + box.width <= width and box.y >= 0 and box.y + box.height <= height
    assert box.width == width or box.height == height
    assert abs(box.width * down - box.height * across) <= 2 * max(across, down)


@pytest.mark.parametrize(("asked", "told"), [
    ({}, "give the aspect, or the width and height"), ({"aspect": "1:1", "width": 50}, "give the aspect, or the width"),
    ("wide", "is not a shape"), ("20:1", "is not a shape"), ("0:1", "is not a shape"),
    ({"width": 700}, "lies outside the picture, which is 640x360"), ({"height": "50%", "y": "60%"}, "lies outside"),
    ({"width": 8}, "at least 16x16"), ({"width": "120%"}, "more than the whole"), ({"width": -5}, "is not a length"),
])
async def test_what_can_t_be_is_refused(film: Film, asked: Any, told: str) -> None:
    with pytest.raises(BadInput, match=told):
        await plan_of([{"crop": asked}], await film("testsrc2=s=640x360:r=25:d=0.2"))
