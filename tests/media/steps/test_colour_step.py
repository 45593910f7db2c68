"""`colour`: brightness and the like, warmth, and LUTs that change what they are to and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from making import Film, Make, plan_of
from measuring import colour_at, is_near, picture, pictures
from PIL import Image

from reelflow.errors import BadInput
from reelflow.media.lut import read_lut

BARS = "smptehdbars=s=320x180:r=25:d=0.4"
Colour = tuple[float, float, float]


def cube(path: Path, change: Callable[[float, float, float], Colour], size: int = 9, head: str = "") -> Path:
    """A .cube file: what becomes of each red, green and blue from 0 to 1."""
    steps = [index / (size - 1) for index in range(size)]
    rows = "".join("{:.6f} {:.6f} {:.6f}\n".format(*change(red, green, blue))
                   for blue in steps for green in steps for red in steps)
    path.write_text(f'TITLE "made"\n# a comment\n{head}LUT_3D_SIZE {size}\n\n{rows}')
    return path


def same(red: float, green: float, blue: float) -> Colour:
    return red, green, blue


async def test_what_colours_are_for_ffmpeg(film: Film, make: Make, tmp_path: Path) -> None:
    lut = cube(tmp_path / "l.cube", same)
    room = tmp_path / "room"
    made = await make(
        [{"colour": {"brightness": 0.1, "saturation": 0, "temperature": 4000, "lut": str(lut)}}],
        await film(BARS), room=room)
    assert (
        ";eq=brightness=0.1:saturation=0;"
        "scale=flags=neighbor+accurate_rnd+full_chroma_int+full_chroma_inp:in_color_matrix=bt709:in_range=tv;"
        "format=gbrp12le;colortemperature=pl=1:temperature=4000;"
        f"lut3d=file={room / 'step-1.cube'}:interp=tetrahedral;"
        "scale=flags=area+accurate_rnd+full_chroma_int:out_color_matrix=bt709:out_range=tv;format=yuv420p;"
    ) in made.graph
    plain = await make([{"colour": {"gamma": 1.5}}], await film(BARS))
    assert ";eq=gamma=1.5;" in plain.graph and "lut3d" not in plain.graph


@pytest.mark.parametrize("size", [2, 17, 33])
async def test_a_lut_that_changes_nothing_changes_nothing(
    film: Film, make: Make, tmp_path: Path, either: Path, size: int
) -> None:
    source = await film(BARS)
    before, after = pictures(source), pictures(
        (await make([{"colour": {"lut": str(cube(tmp_path / "same.cube", same, size))}}], source, build=either)).path)
    assert len(before) == len(after) == 10
    for x in range(12, 320, 20):
        for y in range(10, 180, 20):
            patch = before[5][y - 4:y + 5, x - 4:x + 5].reshape(-1, 3)
            if np.ptp(patch, 0).max() <= 2:  # where one bar is, and not the edge of two
                assert is_near(colour_at(after[5], x, y), colour_at(before[5], x, y), 2)


@pytest.mark.parametrize("name", ["l.cube", "odd 'name' [1],:;%\\ .cube", "-i.CUBE", "ü.cube"])
async def test_a_lut_does_what_it_says_whatever_it_is_called(
    film: Film, make: Make, tmp_path: Path, build: Path, name: str
) -> None:
    lut = cube(tmp_path / name, lambda red, green, blue: (blue, red, 1 - green))
    made = await make([{"colour": {"lut": str(lut)}}], await film("color=0x4060a0:s=64x64:r=25:d=0.2"), build=build,
                      room=tmp_path / "odd 'room' [x],:;%")
    assert is_near(colour_at(pictures(made.path)[2], 32, 32), (160, 64, 159), 3)


async def test_a_lut_works_on_a_picture_in_all_of_its_colour(tmp_path: Path, make: Make, either: Path) -> None:
    Image.new("RGB", (64, 48), (200, 30, 90)).save(tmp_path / "p.png")
    lut = cube(tmp_path / "l.cube", lambda red, green, blue: (green, blue, red))
    made = await make([{"colour": {"lut": str(lut)}}], tmp_path / "p.png", build=either)
    assert is_near(colour_at(picture(made.path), 32, 24), (30, 90, 200), 2) and "format=yuv444p" in made.graph


@pytest.mark.parametrize(("asked", "judge"), [
    ({"brightness": 0.2}, lambda r, g, b: min(r, g, b) > 140),
    ({"brightness": -0.2}, lambda r, g, b: max(r, g, b) < 115),
    ({"saturation": 0}, lambda r, g, b: max(r, g, b) - min(r, g, b) <= 3),
    ({"saturation": 2}, lambda r, g, b: r - b > 105), ({"contrast": 0}, lambda r, g, b: abs(r - 128) < 45),
    ({"gamma": 2}, lambda r, g, b: g > 120), ({"temperature": 3000}, lambda r, g, b: r - b > 100),
    ({"temperature": 12000}, lambda r, g, b: r - b < 30),
])
async def test_each_knob_turns_what_it_says(
    film: Film, make: Make, either: Path, asked: dict[str, Any], judge: Callable[[int, int, int], bool]
) -> None:
    source = await film("color=0x966e5a:s=64x64:r=25:d=0.2")  # 150, 110, 90
    made = await make([{"colour": asked}], source, build=either)
    red, green, blue = colour_at(pictures(made.path)[2], 32, 32)
    assert judge(red, green, blue), (red, green, blue)


@pytest.mark.parametrize(("text", "told"), [
    ("nonsense", "line 1 is not one of its numbers"), ("", "is empty"),
    ("LUT_1D_SIZE 4\n0 0 0\n", "is a 1D LUT"), ("TITLE \"x\"\n", "it has no LUT_3D_SIZE"),
    ("LUT_3D_SIZE 2\n0 0 0\n1 1 1\n", "has 8 rows, and it has 2"), ("LUT_3D_SIZE 2\n" + "0 0 0\n" * 9, "line 10 is"),
    ("0 0 0\n" * 9, "line 2 is"), ("0 0 0\n", "it has no LUT_3D_SIZE"),
    ("LUT_3D_SIZE 2\n" + "0 0 nan\n" * 8, "line 2"), ("LUT_3D_SIZE 900\n", "has 900 colours a side"),
    ("LUT_3D_SIZE 2\nDOMAIN_MAX 4 4 4\n" + "0 0 0\n" * 8, r"not made for colours from 0 to 1 \(line 2\)"),
    ("\x00\xff\x00binary", "is not a .cube file"),
])
async def test_what_is_no_lut_is_refused_before_anything_runs(
    film: Film, tmp_path: Path, text: str, told: str
) -> None:
    (tmp_path / "l.cube").write_text(text, "latin-1")
    with pytest.raises(BadInput, match=told) as refused:
        await plan_of([{"colour": {"lut": str(tmp_path / "l.cube")}}], await film(BARS))
    assert refused.value.field == "lut" and "l.cube" in refused.value.message


def test_a_lut_of_a_grading_suite_is_read(tmp_path: Path) -> None:
    lut = read_lut(cube(tmp_path / "l.cube", same, 3, head="LUT_3D_INPUT_RANGE 0.0 1.0\nDOMAIN_MIN 0 0 0\n"))
    assert lut.size == 3 and lut.rows[1] == (0.5, 0.0, 0.0) and lut.rows[-1] == (1.0, 1.0, 1.0)


@pytest.mark.parametrize(("asked", "told"), [
    ({}, "say what is to change"), ({"brightness": 2}, "brightness: "), ({"contrast": -1}, "contrast: "),
    ({"temperature": 200}, "temperature: "), ({"lut": "none.cube"}, "There is no file"), ({"hue": 3}, "no such field"),
])
async def test_what_can_t_be_is_refused(film: Film, asked: dict[str, Any], told: str) -> None:
    with pytest.raises(BadInput, match=told):
        await plan_of([{"colour": asked}], await film(BARS))
