"""A numbered film out and back: every frame counted and read, the sound where it was."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from numbered import read_beeps, read_numbers, write_numbered
from one_job import Done, finish, plan_of, prepare, span_of

from reelflow.media.probe import probe
from reelflow.models import Model
from reelflow.plan import Plan

NTSC = {"23.976": Fraction(24000, 1001), "29.97": Fraction(30000, 1001), "59.94": Fraction(60000, 1001)}
RATES = {**NTSC, **{str(rate): Fraction(rate) for rate in (24, 25, 30, 50, 60)}}


async def there_and_back(
    source: Path, model: Model, ffmpeg: Path, render: Any, work_dir: Path, *, suffix: str = ".mp4", **asked: Any
) -> tuple[Plan, Done]:
    plan = plan_of(await probe(source), model, **asked)
    prepared = await prepare(plan, work_dir / "sent.mp4", ffmpeg=ffmpeg, timeout=120)
    generated = await render(prepared.path)
    return plan, await finish(plan, generated, work_dir / f"done{suffix}", ffmpeg=ffmpeg, timeout=120)


def check_numbers(plan: Plan, path: Path, *, first: int = 0) -> None:
    """Each picture is the source's of its time, within one frame of the slower rate; first and last are right."""
    span = span_of(plan)
    assert span is not None
    shown = read_numbers(path)
    assert len(shown) == plan.finish.clip.frames
    slower = min(span.rate, Fraction(plan.jobs[0].prepare.rate))
    allowed = int(span.rate / slower) if span.rate > slower else 1
    for index, picture in enumerate(shown):
        assert picture.number is not None, f"picture {index} is not readable"
        wanted = first + span.first + float(index / plan.finish.clip.rate * span.rate)
        assert abs(picture.number - wanted) <= allowed, f"picture {index} shows {picture.number}, not {wanted:.1f}"
        assert picture.time - shown[0].time == pytest.approx(float(index / plan.finish.clip.rate), abs=0.0011)
    assert shown[0].number == first + span.first
    assert shown[-1].number is not None
    assert abs(shown[-1].number - (first + span.first + span.frames - 1)) <= allowed


def check_beeps(plan: Plan, source: Path, path: Path, *, within: float = 0.005) -> None:
    """Each beep of the span is where it was, to 5 ms, with no drift."""
    span = span_of(plan)
    assert span is not None
    start = read_numbers(path)[0].time
    kept = [beep - span.begin for beep in read_beeps(source)]
    wanted = [beep for beep in kept if 0.002 < beep < span.seconds - 0.06]
    found = [beep - start for beep in read_beeps(path)]
    assert wanted
    for beep in wanted:
        assert min(abs(beep - other) for other in found) <= within, f"{beep:.3f} is not among {found}"


@pytest.mark.parametrize("rate", ["23.976", "25", "59.94"])
async def test_a_whole_film_comes_back_frame_for_frame(
    rate: str, build: Path, small_model: Model, render: Any, work_dir: Path
) -> None:
    source = write_numbered(work_dir / "in.mp4", rate=RATES[rate], frames=int(2.2 * RATES[rate]))
    plan, finished = await there_and_back(source, small_model, build, render, work_dir)
    check_numbers(plan, finished.path)
    check_beeps(plan, source, finished.path)
    assert (finished.width, finished.height, finished.rate) == (160, 90, RATES[rate])
    assert finished.warnings == ()


@pytest.mark.parametrize("rate", ["24", "29.97", "60"])
async def test_a_cut_film_comes_back_frame_for_frame(
    rate: str, build: Path, small_model: Model, render: Any, work_dir: Path
) -> None:
    source = write_numbered(work_dir / "in.mp4", rate=RATES[rate], frames=int(3 * RATES[rate]))
    plan, finished = await there_and_back(source, small_model, build, render, work_dir, start=0.7, end=2.5)
    check_numbers(plan, finished.path)
    check_beeps(plan, source, finished.path)


@pytest.mark.slow
@pytest.mark.parametrize("cut", [{}, {"start": "0.7", "end": "2.5"}], ids=["whole", "cut"])
@pytest.mark.parametrize("size", [(160, 90), (90, 160), (120, 120)], ids=["landscape", "portrait", "square"])
@pytest.mark.parametrize("rate", RATES)
async def test_every_rate_and_shape_comes_back(
    rate: str, size: tuple[int, int], cut: dict[str, str], build: Path, small_model: Model, render: Any, work_dir: Path
) -> None:
    source = write_numbered(work_dir / "in.mp4", rate=RATES[rate], frames=int(3 * RATES[rate]), size=size)
    plan, finished = await there_and_back(source, small_model, build, render, work_dir, **cut)
    check_numbers(plan, finished.path)
    check_beeps(plan, source, finished.path)
    assert (finished.width, finished.height) == size
