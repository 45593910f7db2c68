"""`reverse`: the last picture first, and the sound with it."""

from __future__ import annotations

from pathlib import Path

import pytest
from making import Film, Make, plan_of
from measuring import middles, wave
from numbered import read_numbers, write_numbered

from reelflow.errors import BadInput
from reelflow.media.clip import Clip
from reelflow.media.geometry import Size
from reelflow.media.steps.reverse import Reverse


async def test_what_reversing_is_for_ffmpeg(tmp_path: Path, make: Make) -> None:
    made = await make(["reverse"], write_numbered(tmp_path / "n.mp4", frames=25))
    assert "tpad=stop=-1:stop_mode=clone;trim=end_frame=25;reverse;sidedata" in made.graph
    assert "apad;atrim=end=1;areverse;asetpts=N/SR/TB;apad" in made.graph


@pytest.mark.parametrize("rate", [25, "30000/1001"])
async def test_every_picture_comes_once_from_the_last_to_the_first(
    tmp_path: Path, make: Make, build: Path, rate: object
) -> None:
    from fractions import Fraction

    source = write_numbered(tmp_path / "n.mp4", frames=110, rate=Fraction(str(rate)))
    made = await make(["reverse"], source, build=build)
    assert [one.number for one in read_numbers(made.path)] == list(range(109, -1, -1))
    seconds = float(110 / Fraction(str(rate)))
    wanted = [seconds - second - 0.025 for second in range(4)]
    found = middles(wave(made.path), wanted, 0.2)
    assert max(abs(one - other) for one, other in zip(found, wanted, strict=True)) < 0.003


async def test_twice_reversed_is_as_before(tmp_path: Path, make: Make, either: Path) -> None:
    source = write_numbered(tmp_path / "n.mkv", frames=60)
    made = await make([{"trim": {"start": 0.8, "end": 2}}, "reverse", {"speed": 0.5}, "reverse"], source, build=either)
    shown = [one.number for one in read_numbers(made.path)]
    assert len(shown) == 60 and shown[0] in (20, 21) and shown[-1] == 49 and shown == sorted(shown)
    wanted = [0.4 + 0.05]
    assert abs(middles(wave(made.path), wanted, 0.3)[0] - wanted[0]) < 0.02


async def test_its_time_does_not_run_as_the_source_s(tmp_path: Path) -> None:
    _, plan = await plan_of(["reverse"], write_numbered(tmp_path / "n.mp4", frames=25))
    assert plan.finish.timeline is None


def test_what_would_not_fit_into_memory_is_refused() -> None:
    from fractions import Fraction

    clip = Clip(Size(1920, 1080), Fraction(25), 750)
    with pytest.raises(BadInput, match=r"750 frames of 1920x1080 would take 2\.2 GiB .* to 13\.\d s or `resize`"):
        Reverse().after(clip, {})
    assert Reverse().after(clip.lasting(345), {}).frames == 345


async def test_a_picture_can_t_be_reversed(film: Film, tmp_path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (64, 64)).save(tmp_path / "p.png")
    with pytest.raises(BadInput, match="A picture can't be reversed"):
        await plan_of(["reverse"], tmp_path / "p.png")
