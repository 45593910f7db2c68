"""`speed`: faster and slower, the sound in sync and at its pitch."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from making import Make, plan_of
from measuring import middles, onsets, pitch, wave
from numbered import read_beeps, read_numbers, write_numbered

from reelflow.errors import BadInput


@pytest.mark.parametrize(("factor", "frames", "wanted"), [
    (2, 12, "asetpts=PTS+512/SR/TB;aresample=first_pts=0;atempo=2;"),
    (3, 8, "asetpts=PTS+1399/SR/TB;aresample=first_pts=0;atempo=1.732051;atempo=1.732051;"),
    (0.5, 50, "asetpts=PTS+512/SR/TB;aresample=first_pts=0;atempo=0.5;"),
])
async def test_what_a_speed_is_for_ffmpeg(
    tmp_path: Path, make: Make, factor: float, frames: int, wanted: str
) -> None:
    made = await make([{"speed": factor}], write_numbered(tmp_path / "n.mp4", frames=25))
    picture, sound = made.graph.split("[1:a:0]")
    end = f"{frames / 25:g}"
    assert sound.startswith(
        "atrim=end=1:start=0;aresample=async=1:first_pts=0;apad;atrim=end=1;aformat=sample_rates=48000;"
        f"{wanted}apad;atrim=end={end}"
    )
    if factor == 2:
        assert picture.startswith(
            "[0:V:0]tpad=stop=1:stop_mode=clone;settb=AVTB;setpts=(PTS-STARTPTS-0.0196/TB)*1/2;fps=fps=25:round=up:start_time=0;")


@pytest.mark.parametrize("factor", [0.1, 0.37, 0.5, 0.8, 1.25, 1.5, 2, 3.3, 7, 20])
async def test_every_picture_is_the_nearest_one_and_the_count_is_exact(
    tmp_path: Path, make: Make, either: Path, factor: float
) -> None:
    source = write_numbered(tmp_path / "n.mp4", frames=50, sound=None)
    made = await make([{"speed": factor}], source, build=either)
    shown = [one.number for one in read_numbers(made.path)]
    assert len(shown) == made.plan.finish.clip.frames == round(50 / factor)
    exact = [min(49, place * factor) for place in range(len(shown))]
    assert all(number is not None and abs(number - wanted) <= 0.51 for number, wanted in zip(shown, exact, strict=True))


@pytest.mark.parametrize("factor", [0.5, 0.75, 1.5, 2, 4])
async def test_beeps_keep_to_their_pictures_and_their_pitch(
    tmp_path: Path, make: Make, build: Path, factor: float
) -> None:
    source = write_numbered(tmp_path / "n.mp4", frames=125)
    made = await make([{"speed": factor}], source, build=build)
    heard = wave(made.path)
    wanted = [(second + 0.025) / factor for second in range(5)]
    found = middles(heard, wanted, 0.4 / factor)
    assert max(abs(one - other) for one, other in zip(found, wanted, strict=True)) < 0.015
    begun = onsets(heard)
    assert max(abs(one - second / factor) for second, one in enumerate(begun)) < 0.04
    assert abs(len(heard) / 48000 - float(made.plan.finish.clip.seconds)) < 0.025
    assert abs(pitch(heard, 1 / factor, 1.05 / factor) - 1000) < 60


async def test_a_trim_after_a_speed_cuts_both(tmp_path: Path, make: Make, either: Path) -> None:
    source = write_numbered(tmp_path / "n.mp4", frames=125)
    made = await make([{"speed": 2}, {"trim": {"start": 0.4, "end": 1.9}}], source, build=either)
    shown = [one.number for one in read_numbers(made.path)]
    assert shown == [*range(20, 95, 2)]
    assert [round(beep, 1) for beep in read_beeps(made.path)] == [0.1, 0.6, 1.1]


async def test_slow_motion_shows_nothing_from_behind_a_trim(tmp_path: Path, make: Make) -> None:
    source = write_numbered(tmp_path / "n.mp4", frames=50, sound=None)
    made = await make([{"trim": {"end": 0.4}}, {"speed": 0.25}], source)
    assert [one.number for one in read_numbers(made.path)][-4:] == [9] * 4


async def test_time_runs_along_the_source_at_the_speed(tmp_path: Path) -> None:
    source = write_numbered(tmp_path / "n.mp4", frames=50, sound=None)
    _, plan = await plan_of([{"trim": {"start": 0.4}}, {"speed": 1.6}, {"speed": 2}], source)
    assert plan.finish.timeline is not None
    assert (plan.finish.timeline.begin, plan.finish.timeline.speed) == (Fraction(2, 5), Fraction(16, 5))


@pytest.mark.parametrize("factor", [0, 0.05, 21, "fast", -1])
async def test_a_speed_that_can_t_be_is_refused(tmp_path: Path, factor: object) -> None:
    source = write_numbered(tmp_path / "n.mp4", frames=5)
    with pytest.raises(BadInput, match=r"step 1 \(speed\): factor: "):
        await plan_of([{"speed": factor}], source)
