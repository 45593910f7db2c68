"""`stabilise`: what shook stands still, and no black edge shows."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from making import Film, Make, plan_of
from measuring import pictures

from reelflow.errors import BadInput

# A still picture that shakes by up to 12 pixels across and 10 down.
STILL = "mandelbrot=s=360x220:r=25:start_scale=0.6:end_scale=0.6,trim=end_frame=1,loop=-1:1:0,fps=25,trim=end_frame=40"
SHAKY = f"{STILL},crop=320:180:x='20+8*sin(n*1.7)+4*sin(n*0.63+1)':y='20+6*sin(n*2.1+2)+4*sin(n*0.51)':exact=1"


def unrest(shown: list[np.ndarray[Any, Any]]) -> float:
    """How much pictures differ from the ones before."""
    return float(np.mean([np.abs(one.astype(int) - other).mean() for one, other in pairwise(shown)]))


def blackest_edge(shown: list[np.ndarray[Any, Any]]) -> float:
    """How light the darkest of all lines along an edge is."""
    return min(float(edge.max(1).mean()) for one in shown for edge in (one[0], one[-1], one[:, 0], one[:, -1]))


async def test_what_stabilising_is_for_ffmpeg(film: Film, make: Make, tmp_path: Path) -> None:
    made = await make([{"stabilise": {"shake": 7}}], await film(SHAKY))
    assert len(made.finished.commands) == 2
    looked, moved = made.finished.commands[0], tmp_path / "room" / "step-1.trf"
    assert re.sub(r"\[s\d+\]", "", looked[looked.index("-filter_complex") + 1]).endswith(
        f"trim=end_frame=40;vidstabdetect=accuracy=15:result={moved}:shakiness=7")
    assert (f"trim=end_frame=40;vidstabtransform=crop=keep:input={moved}:interpol=bicubic:optzoom=1:smoothing=8;"
            in made.graph)


async def test_what_shook_stands_still_without_black_edges(film: Film, make: Make, build: Path) -> None:
    source = await film(SHAKY)
    made = await make([{"stabilise": 6}], source, build=build)
    before, after = pictures(source), pictures(made.path)
    assert len(after) == 40 and unrest(after[3:-3]) < unrest(before[3:-3]) / 4
    assert blackest_edge(after) > 0.5 * blackest_edge(before)


async def test_the_whole_picture_can_be_kept_with_its_edges(film: Film, make: Make, either: Path) -> None:
    source = await film(SHAKY)
    whole = await make([{"stabilise": {"crop": False}}], source, build=either)
    assert whole.finished.warnings == ()
    larger = await make(["stabilise"], source, build=either)
    before = pictures(source)[12].astype(int)
    found = []
    for made in (whole, larger):
        middle = pictures(made.path)[12][40:140, 60:260].astype(int)
        found.append(min(float(np.abs(before[40 + down:140 + down, 60 + right:260 + right] - middle).mean())
                         for down in range(-20, 21) for right in range(-20, 21)))
    assert found[0] < found[1] / 2


async def test_only_what_is_left_is_looked_at_and_odd_folders_do_no_harm(
    film: Film, make: Make, tmp_path: Path, build: Path
) -> None:
    source = await film(SHAKY)
    made = await make([{"trim": {"start": 0.4, "end": 1.2}}, {"rotate": 90}, "stabilise"], source, build=build,
                      room=tmp_path / "it's [a], b:c;d\\e=f %1 ü")
    assert made.probe.frames == 20 and (made.probe.width, made.probe.height) == (180, 320)
    assert "trim=end_frame=20" in made.finished.commands[0][made.finished.commands[0].index("-filter_complex") + 1]


@pytest.mark.parametrize("shake", [0, 11, "much"])
async def test_what_can_t_be_is_refused(film: Film, shake: object) -> None:
    with pytest.raises(BadInput, match="shake: "):
        await plan_of([{"stabilise": shake}], await film("color=gray:s=64x64:r=25:d=0.2"))


async def test_a_picture_can_t_be_stabilised(tmp_path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (64, 64)).save(tmp_path / "p.png")
    with pytest.raises(BadInput, match="A picture can't be stabilised"):
        await plan_of(["stabilise"], tmp_path / "p.png")
