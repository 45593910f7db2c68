"""A cut begins and ends on the very frames that were asked for, in every container."""

from __future__ import annotations

import random
from fractions import Fraction
from pathlib import Path

import pytest
from fields import Packets, write_fields
from nasty import later, run
from numbered import read_numbers, write_numbered
from one_job import plan_of, prepare, span_of
from test_round_trip import RATES, check_beeps, check_numbers, there_and_back

from reelflow.media.probe import probe
from reelflow.models import Model

CONTAINERS = {
    ".mp4": {"codec": "libx264"},
    ".mov": {"codec": "libx264"},
    ".mkv": {"codec": "libx264"},
    ".webm": {"codec": "libvpx", "sound": "libopus", "options": {"deadline": "realtime", "cpu-used": "8", "crf": "10"}},
    ".ts": {"codec": "libx264"},
    ".avi": {"codec": "mpeg4", "sound": "mp3", "options": {"b": "2000000", "g": "60"}},
}


async def first_frame(source: Path, model: Model, ffmpeg: Path, work_dir: Path, start: float) -> int | None:
    plan = plan_of(await probe(source), model, start=start, duration=0.2)
    sent = await prepare(plan, work_dir / "sent.mp4", ffmpeg=ffmpeg, timeout=60)
    return read_numbers(sent.path)[0].number


@pytest.mark.parametrize("suffix", [".mp4", ".ts", *later(".mov", ".mkv", ".webm", ".avi")])
async def test_a_cut_begins_on_its_frame(suffix: str, either: Path, small_model: Model, work_dir: Path) -> None:
    rate = RATES["29.97"]
    late = 0.0 if suffix == ".avi" else 0.5  # AVI has no times
    source = write_numbered(
        work_dir / f"in{suffix}", rate=rate, frames=345, late=late, sound_late=late, **CONTAINERS[suffix]
    )
    for frame in (1, 77, 331):
        start = float(frame / rate)
        assert await first_frame(source, small_model, either, work_dir, start) == frame
        # As a person writes it, to the millisecond.
        assert await first_frame(source, small_model, either, work_dir, round(start, 3)) == frame


async def test_a_cut_of_a_broadcast_far_behind_a_key_frame_begins_on_its_frame(
    either: Path, small_model: Model, work_dir: Path
) -> None:
    far = {"g": "400", "keyint_min": "400", "sc_threshold": "0", "preset": "ultrafast"}
    source = write_numbered(work_dir / "in.ts", frames=420, options=far)
    for frame in (383, 399, 401):
        assert await first_frame(source, small_model, either, work_dir, frame / 25) == frame


@pytest.mark.slow
@pytest.mark.parametrize("rate", ["23.976", "25", "29.97"])
@pytest.mark.parametrize("suffix", CONTAINERS)
async def test_random_cuts_begin_on_their_frames(
    suffix: str, rate: str, either: Path, small_model: Model, work_dir: Path
) -> None:
    source = write_numbered(work_dir / f"in{suffix}", rate=RATES[rate], frames=500, **CONTAINERS[suffix])
    chosen = random.Random(f"{suffix}{rate}")
    for _ in range(15):
        start = chosen.uniform(0, 500 / float(RATES[rate]) - 0.3)
        wanted = int(start * RATES[rate] + Fraction(1, 2))
        assert await first_frame(source, small_model, either, work_dir, start) == wanted


@pytest.mark.parametrize("packets", ["each", *later("both", "mixed")])
async def test_a_cut_of_a_film_of_fields_begins_on_its_frame(
    packets: Packets, either: Path, small_model: Model, work_dir: Path
) -> None:
    source = write_fields(work_dir / "in.ts", frames=40, packets=packets)
    for frame in (1, 12, 31):
        assert await first_frame(source, small_model, either, work_dir, frame / 25) == frame


@pytest.mark.parametrize("suffix", [".mov", *later(".mkv", ".ts")])
async def test_a_film_that_begins_late_keeps_its_sound_in_place(
    suffix: str, either: Path, small_model: Model, render: object, work_dir: Path
) -> None:
    source = write_numbered(work_dir / f"in{suffix}", rate=30, frames=75, late=0.3, sound_late=0.1)
    plan, finished = await there_and_back(source, small_model, either, render, work_dir, suffix=".mp4")
    check_numbers(plan, finished.path)
    check_beeps(plan, source, finished.path)


@pytest.mark.parametrize("suffix", [".mp4", ".ts", *later(".mov", ".mkv", ".webm")])
@pytest.mark.parametrize("start", [0.0, 0.5])
async def test_the_last_frame_of_a_film_that_begins_late_is_sent_and_comes_back(
    start: float, suffix: str, either: Path, small_model: Model, render: object, work_dir: Path
) -> None:
    """The builds do not agree on when such a file ends."""
    for rate in (Fraction(15), Fraction(30)):  # below and above that of the model
        source = write_numbered(
            work_dir / f"in{rate}{suffix}", rate=rate, frames=40, late=0.4, sound_late=0.0, **CONTAINERS[suffix])
        plan, finished = await there_and_back(source, small_model, either, render, work_dir, start=start)
        sent = read_numbers(work_dir / "sent.mp4")
        assert (sent[-1].number, sent[0].number) == (39, int(start * rate + Fraction(1, 2)))
        check_numbers(plan, finished.path)


@pytest.mark.parametrize("cut", [{}, {"start": 0.8, "end": 2.3}], ids=["whole", "cut"])
async def test_a_film_of_varying_rate_is_shown_at_its_times(
    cut: dict[str, float], either: Path, small_model: Model, render: object, work_dir: Path
) -> None:
    chosen = random.Random(7)
    times = [0.0]
    while times[-1] < 2.5:
        times.append(times[-1] + chosen.choice([1 / 60, 1 / 30, 1 / 30, 1 / 15, 0.3]))
    source = write_numbered(work_dir / "in.mp4", rate=30, times=times)
    found = await probe(source)
    assert found.varies
    plan, finished = await there_and_back(source, small_model, either, render, work_dir, **cut)
    span = span_of(plan)
    assert span is not None
    shown = read_numbers(finished.path)
    assert len(shown) == plan.finish.clip.frames == round(span.seconds * span.rate)
    for picture in shown:
        at = picture.time + span.begin
        near = [index for index, time in enumerate(times) if time <= at + 0.051]
        late = [index for index, time in enumerate(times) if time <= at - 0.051] or [0]
        assert picture.number is not None and late[-1] <= picture.number <= near[-1]
    check_beeps(plan, source, finished.path)


BARE = {".h264": ["-c", "copy"], ".hevc": ["-c:v", "libx265", "-x265-params", "log-level=error"],
        ".m2v": ["-c:v", "mpeg2video", "-b:v", "3M", "-bf", "2"],
        ".avi": ["-c:v", "copy", "-bsf:v", "h264_mp4toannexb"]}


@pytest.mark.parametrize("suffix", [".avi", ".m2v", *later(".h264", ".hevc")])
async def test_where_a_file_tells_no_times_its_frames_are_counted(
    suffix: str, build: Path, ffmpeg: Path, small_model: Model, work_dir: Path
) -> None:
    """Bare streams, and B-frames in AVI: a seek would land anywhere, and what stands for times is made up."""
    rate = 25
    film = write_numbered(work_dir / "film.mkv", rate=rate, frames=400, sound=None,
                          options={"bf": "3", "g": "60", "crf": "12"})
    source = work_dir / f"in{suffix}"
    run(ffmpeg, "-i", film, *BARE[suffix], source)
    found = await probe(source)
    assert (found.numbered, found.rate, found.frames, found.varies) == (True, rate, 400, False)
    for frame in (1, 61, 283, 394):
        assert await first_frame(source, small_model, build, work_dir, frame / rate) == frame


@pytest.mark.parametrize(("late", "sound_late"), [(0.9, 0.0), (0.0, 0.9)], ids=["picture-late", "sound-late"])
@pytest.mark.parametrize("cut", [{}, {"start": 1.0, "end": 2.6}], ids=["whole", "cut"])
async def test_a_broadcast_whose_clock_begins_at_0_stays_in_sync(
    cut: dict[str, float], late: float, sound_late: float, build: Path, small_model: Model, render: object,
    work_dir: Path,
) -> None:
    """5.1 moves a stream of it to 0 where another one, that isn't used, begins earlier."""
    source = write_numbered(work_dir / "in.ts", rate=30, frames=90, late=late, sound_late=sound_late)
    plan, done = await there_and_back(source, small_model, build, render, work_dir, **cut)
    check_numbers(plan, done.path)
    check_beeps(plan, source, done.path)
    assert done.warnings == ()


async def test_a_cut_that_begins_between_key_frames_is_not_taken_for_damage(
    build: Path, small_model: Model, work_dir: Path
) -> None:
    source = write_numbered(
        work_dir / "in.ts", rate=25, frames=500, options={"preset": "veryfast", "bf": "3", "g": "60", "crf": "12"})
    found = await probe(source)
    for start in (13.32, 16.92, 17.52, 19.12):
        plan = plan_of(found, small_model, start=start, duration=0.4, strict=True)
        sent = await prepare(plan, work_dir / "sent.mp4", ffmpeg=build, timeout=60, strict=True)
        assert sent.warnings == () and read_numbers(sent.path)[0].number == round(start * 25)
