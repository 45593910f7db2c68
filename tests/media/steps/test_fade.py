"""`fade`: from black or white and down to it, picture and sound."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from making import Film, Make, plan_of
from measuring import level, pictures, wave

from reelflow.errors import BadInput
from reelflow.recipe import Recipe, parse_recipe

GREY = "color=0x808080:s=64x64:r=25:d=2"
TONE = "aevalsrc='0.5*sin(2*PI*440*t)':s=48000:d=2"


async def test_what_a_fade_is_for_ffmpeg(film: Film, make: Make) -> None:
    made = await make([{"fade": {"in": 0.4, "out": 0.6}}], await film(GREY, TONE))
    assert ("trim=end_frame=50;fade=color=black:nb_frames=10:start_frame=0:type=in;"
            "fade=color=black:nb_frames=15:start_frame=35:type=out;") in made.graph
    assert ("atrim=end=2;afade=duration=0.4:start_time=0:type=in;afade=duration=0.6:start_time=1.4:type=out;"
            ) in made.graph


@pytest.mark.parametrize(("colour", "end"), [("black", 0), ("white", 255)])
async def test_pictures_come_up_and_go_down(film: Film, make: Make, build: Path, colour: str, end: int) -> None:
    made = await make([{"fade": {"in": 0.4, "out": 0.4, "colour": colour}}], await film(GREY), build=build)
    light = [float(one.mean()) for one in pictures(made.path)]
    assert len(light) == 50 and abs(light[0] - end) < 3 and abs(light[-1] - end) < 3 + abs(128 - end) / 10
    away = np.abs(np.array(light) - 128)
    assert (away[11:39] < 3).all() and 35 < away[5] < 90 and 35 < away[44] < 90
    assert (np.diff(away[:11]) < 1).all() and (np.diff(away[39:]) > -1).all()


async def test_sound_comes_up_and_goes_down_with_them(film: Film, make: Make, either: Path) -> None:
    made = await make([{"fade": {"in": 0.5, "out": 0.5}}], await film(GREY, TONE), build=either)
    heard = wave(made.path)
    whole = level(heard, 0.7, 1.3)
    assert level(heard, 0, 0.05) < whole - 20 and level(heard, 1.95, 2.0) < whole - 20
    assert abs(level(heard, 0.24, 0.26) - (whole - 6)) < 1 and abs(whole + 9) < 0.5


async def test_the_sound_can_be_left_as_it_is(film: Film, make: Make) -> None:
    made = await make([{"fade": {"out": 0.5, "sound": False}}], await film(GREY, TONE))
    command = made.finished.commands[-1]
    assert command[command.index("-c:a:0") + 1] == "copy"
    assert level(wave(made.path), 1.9, 1.98) > -10


async def test_it_fades_what_is_left_after_a_trim_at_another_rate(film: Film, make: Make, either: Path) -> None:
    made = await make([{"trim": {"start": 0.4, "end": 1.4}}, {"rate": 30}, {"fade": {"in": 0.2, "out": 0.2}}],
                      await film(GREY, TONE), build=either)
    light = [float(one.mean()) for one in pictures(made.path)]
    assert len(light) == 30 and light[0] < 3 and light[-1] < 25 and all(abs(one - 128) < 3 for one in light[7:23])


def test_a_fade_is_written_as_it_is_read() -> None:
    recipe = parse_recipe({"steps": [{"fade": {"in": 1, "out": "0.5"}}]})
    written = recipe.model_dump(mode="json", exclude_none=True)
    assert written["steps"][0]["fade"]["in"] == 1.0
    assert Recipe.model_validate(written) == recipe == parse_recipe(written)
    assert recipe.work[0].title() == "fade in 1 s, out 0.5 s"


@pytest.mark.parametrize(("asked", "told"), [
    ({}, "say over how many seconds"), ({"in": -1}, "in: "),
    ({"in": 1.5, "out": 1}, "can't fade in for 1.5 s and out for 1 s"),
    ({"out": 1, "colour": "green"}, "colour: "), ({"in": 0, "out": 0}, "say over how many seconds"),
])
async def test_what_can_t_be_is_refused(film: Film, asked: dict[str, Any], told: str) -> None:
    with pytest.raises(BadInput, match=told):
        await plan_of([{"fade": asked}], await film(GREY))


async def test_a_picture_can_t_be_faded(tmp_path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (64, 64)).save(tmp_path / "p.png")
    with pytest.raises(BadInput, match="A picture can't be faded"):
        await plan_of([{"fade": {"in": 1}}], tmp_path / "p.png")
