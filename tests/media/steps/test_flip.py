"""`flip`: left and right, or top and bottom, change places."""

from __future__ import annotations

from pathlib import Path

import pytest
from making import Film, Make, plan_of
from measuring import colour_at, is_near, picture, pictures
from test_rotate import BLUE, GREEN, RED, WHITE, quarters

from reelflow.errors import BadInput


@pytest.mark.parametrize(("direction", "name", "corners"), [
    ("horizontal", "hflip", (GREEN, RED, WHITE, BLUE)), ("vertical", "vflip", (BLUE, WHITE, RED, GREEN))])
async def test_corners_change_places(
    film: Film, tmp_path: Path, make: Make, either: Path, direction: str, name: str,
    corners: tuple[tuple[int, int, int], ...],
) -> None:
    quarters(tmp_path / "q.png")
    source = await film(f"movie={tmp_path / 'q.png'},loop=-1:1:0,fps=25,trim=end_frame=5")
    for made in (await make([{"flip": direction}], source, build=either),
                 await make([{"flip": {"direction": direction}}], tmp_path / "q.png", build=either)):
        assert f";{name};" in made.graph
        shown = picture(made.path) if made.probe.is_picture else pictures(made.path)[2]
        found = [colour_at(shown, x, y) for y in (22, 68) for x in (40, 120)]
        assert all(is_near(one, wanted, 5) for one, wanted in zip(found, corners, strict=True))


async def test_another_direction_is_refused(film: Film) -> None:
    with pytest.raises(BadInput, match="direction: "):
        await plan_of([{"flip": "diagonal"}], await film("color=gray:s=64x48:r=25:d=0.2"))
