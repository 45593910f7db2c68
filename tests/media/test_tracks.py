"""Sound tracks, subtitles and chapters come along, cut to the span and in their places."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import pytest
from many_steps import run_recipe
from nasty import later, run
from numbered import read_beeps, read_numbers, write_numbered
from one_job import finish, plan_of, prepare
from test_round_trip import check_beeps, check_numbers, there_and_back

from reelflow.errors import BadInput, BadResult, MediaStopped
from reelflow.media.probe import probe
from reelflow.models import Model

SRT = """1
00:00:00,200 --> 00:00:00,900
first, <i>slanted</i>

2
00:00:01,000 --> 00:00:01,800
second
two lines

3
00:00:02,500 --> 00:00:02,900
third
"""
CHAPTERS = """;FFMETADATA1
[CHAPTER]
TIMEBASE=1/1000
START=0
END=1500
title=One; with = signs
[CHAPTER]
TIMEBASE=1/1000
START=1500
END=3000
title=Two
"""


def with_tracks(ffmpeg: Path, folder: Path, suffix: str) -> Path:
    """Three seconds with two sound tracks (the second 0.25 s late), subtitles and chapters."""
    film = write_numbered(folder / "film.mkv", rate=30, frames=90)
    (folder / "said.srt").write_text(SRT)
    (folder / "chapters.txt").write_text(CHAPTERS)
    path = folder / f"in{suffix}"
    run(ffmpeg, "-i", film, "-itsoffset", "0.25", "-i", film, "-i", folder / "said.srt", "-i", folder / "chapters.txt",
        "-map", "0:v", "-map", "0:a", "-map", "1:a", "-map", "2", "-map_chapters", "3", "-c", "copy", "-c:s",
        "mov_text" if suffix == ".mp4" else "srt", "-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=fra",
        "-metadata:s:s:0", "language=eng", path)
    return path


def said(ffmpeg: Path, path: Path, *, first_time: float) -> list[str]:
    """When the first subtitle track's lines are shown, counted from the first picture.

    Matroska made by 5.1 begins with the sound's run-in, 21 ms before the first picture.
    """
    text = path.with_suffix(".said.srt")
    run(ffmpeg, "-itsoffset", f"{-first_time:.3f}", "-copyts", "-i", path, "-map", "0:s:0", text)
    return [line for line in text.read_text().splitlines() if "-->" in line]


# Opus made by 5.1 is its own run-in early, 6.5 ms.
LOOSE = 0.008


@pytest.mark.parametrize("suffix", [".mp4", ".webm", *later(".mkv", ".mov")])
@pytest.mark.parametrize("from_", [".mkv", *later(".mp4")])
async def test_all_tracks_of_a_whole_film_come_along(
    from_: str, suffix: str, either: Path, ffmpeg: Path, small_model: Model, render: Any, work_dir: Path
) -> None:
    source = with_tracks(ffmpeg, work_dir, from_)
    _, done = await there_and_back(source, small_model, either, render, work_dir, suffix=suffix)
    made, found = await probe(done.path), await probe(source)
    assert [sound.language for sound in made.sounds] == ["eng", "fra"]
    assert made.frames == 90
    for track in (0, 1):
        wanted = [beep - found.first_time for beep in read_beeps(source, track)]
        assert [beep - made.first_time for beep in read_beeps(done.path, track)] == pytest.approx(wanted, abs=LOOSE)
    assert said(ffmpeg, done.path, first_time=made.first_time) == [
        "00:00:00,200 --> 00:00:00,900", "00:00:01,000 --> 00:00:01,800", "00:00:02,500 --> 00:00:02,900"]
    assert [(round(one.start, 2), one.title) for one in made.chapters] == [
        (0.0, "One; with = signs"), (1.5, "Two")]
    assert made.subtitles[0].language == "eng"


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
async def test_all_tracks_of_a_cut_are_cut(
    suffix: str, either: Path, ffmpeg: Path, small_model: Model, render: Any, work_dir: Path
) -> None:
    source = with_tracks(ffmpeg, work_dir, ".mkv")
    _, done = await there_and_back(
        source, small_model, either, render, work_dir, suffix=suffix, start=0.5, end=2.6
    )
    made = await probe(done.path)
    assert made.frames == 63
    for track, wanted in enumerate(([0.5, 1.5], [0.75, 1.75])):
        found = [beep - made.first_time for beep in read_beeps(done.path, track)]
        assert found == pytest.approx(wanted, abs=LOOSE)
    assert said(ffmpeg, done.path, first_time=made.first_time) == [
        "00:00:00,000 --> 00:00:00,400", "00:00:00,500 --> 00:00:01,300", "00:00:02,000 --> 00:00:02,100"]
    assert [(round(one.start, 2), round(one.end, 2), one.title) for one in made.chapters] == [
        (0.0, 1.0, "One; with = signs"), (1.0, 2.1, "Two")]


async def test_one_sound_track_can_be_chosen(
    ffmpeg: Path, small_model: Model, render: Any, work_dir: Path
) -> None:
    source = with_tracks(ffmpeg, work_dir, ".mkv")
    plan = plan_of(await probe(source), small_model, sound_track=2)
    sent = await prepare(plan, work_dir / "sent.mp4", ffmpeg=ffmpeg, timeout=20)
    generated = await render(sent.path)
    done = await finish(plan, generated, work_dir / "done.mp4", ffmpeg=ffmpeg, timeout=20)
    assert [sound.language for sound in (await probe(done.path)).sounds] == ["fra"]
    with pytest.raises(BadInput, match="There is no sound track 3"):
        plan_of(await probe(source), small_model, sound_track=3)


async def test_copied_sound_is_the_very_same(
    either: Path, small_model: Model, render: Any, work_dir: Path
) -> None:
    source = write_numbered(work_dir / "in.mp4", rate=30, frames=60)
    _, done = await there_and_back(source, small_model, either, render, work_dir)

    def packets(path: Path) -> list[bytes]:
        with av.open(str(path)) as opened:
            return [bytes(packet) for packet in opened.demux(audio=0) if packet.size]
    assert packets(done.path) == packets(source)


async def test_a_cut_far_into_a_film_keeps_its_sound_in_place(
    build: Path, small_model: Model, render: Any, work_dir: Path
) -> None:
    source = write_numbered(work_dir / "in.mkv", rate=30, frames=480, late=0.4, sound_late=0.2)
    plan, done = await there_and_back(source, small_model, build, render, work_dir, suffix=".mp4", start=12.3, end=15.1)
    check_numbers(plan, done.path)
    check_beeps(plan, source, done.path)


@pytest.mark.slow
@pytest.mark.parametrize(("rate", "build"), [
    ("24000/1001", "bundled"), ("30", "bundled"), ("60000/1001", "bundled"), ("60000/1001", "debian"),
], indirect=["build"])
async def test_picture_and_sound_do_not_drift_over_four_minutes(
    rate: str, build: Path, small_model: Model, render: Any, work_dir: Path, measured: Callable[[str], None]
) -> None:
    from fractions import Fraction

    speed = Fraction(rate)
    source = write_numbered(work_dir / "in.mp4", rate=speed, frames=round(240 * speed), size=(96, 54))
    plan, done = await there_and_back(source, small_model, build, render, work_dir)
    check_numbers(plan, done.path)
    before, after = read_beeps(source), read_beeps(done.path)
    assert len(before) == len(after) >= 239
    offsets = [abs(first - second) for first, second in zip(before, after, strict=True)]
    measured(f"{rate}: offset {max(offsets) * 1000:.2f} ms at most, {offsets[-1] * 1000:.2f} ms at the end")
    assert max(offsets) <= 0.002


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
async def test_a_track_with_no_sound_in_the_span_is_silent(
    suffix: str, build: Path, ffmpeg: Path, small_model: Model, render: Any, work_dir: Path
) -> None:
    source = work_dir / "in.mkv"
    run(ffmpeg, "-f", "lavfi", "-i", "testsrc2=s=160x90:r=25:d=14", "-f", "lavfi", "-i", "sine=d=0.3", "-c:v",
        "libx264", "-preset", "ultrafast", "-c:a", "ac3", source)
    _, done = await there_and_back(
        source, small_model, build, render, work_dir, suffix=suffix, start=12.5, duration=0.5)
    made = await probe(done.path)
    assert (made.frames, len(made.sounds), read_beeps(done.path)) == (12, 1, [])


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
@pytest.mark.parametrize("layout", ["2.1", "4.0", "quad", "6.1", *later("5.0", "6.0", "5.1(side)", "7.1")])
async def test_sound_of_any_layout_finds_its_encoder(
    layout: str, suffix: str, either: Path, ffmpeg: Path, small_model: Model, render: Any, work_dir: Path
) -> None:
    source = work_dir / "in.mov"
    run(ffmpeg, "-f", "lavfi", "-i", "testsrc2=s=160x90:r=25:d=0.4", "-f", "lavfi", "-i", "sine=d=0.4", "-c:v",
        "libx264", "-preset", "ultrafast", "-af", f"aformat=channel_layouts={layout}", "-c:a", "pcm_s24le", source)
    _, done = await there_and_back(source, small_model, either, render, work_dir, suffix=suffix)
    made = await probe(done.path)
    assert len(made.sounds) == 1 and made.sounds[0].channels >= 2
    assert "left away" not in " ".join(done.warnings)


async def test_a_sound_track_that_can_not_be_read_costs_no_film(
    build: Path, ffmpeg: Path, small_model: Model, render: Any, work_dir: Path
) -> None:
    """The second of two tracks is in a codec that nobody knows: the first comes along, and the loss is told."""
    film = write_numbered(work_dir / "film.mp4", rate=30, frames=60)
    source = work_dir / "in.mp4"
    run(ffmpeg, "-i", film, "-map", "0", "-map", "0:a", "-c", "copy", "-metadata:s:a:0", "language=eng", source)
    content = source.read_bytes()
    for known, strange in ((b"mp4a", b"apac"), (b"esds", b"dapa")):
        at = content.rindex(known)
        content = content[:at] + strange + content[at + 4:]
    source.write_bytes(content)
    plan, done = await there_and_back(source, small_model, build, render, work_dir)
    made = await probe(done.path)
    assert [sound.language for sound in made.sounds] == ["eng"] and made.frames == 60
    assert done.warnings == ("Sound track 2 (unknown) could not be read and was left away.",)
    check_beeps(plan, source, done.path)
    with pytest.raises(BadResult, match="Sound track 2"):
        await finish(plan, work_dir.parent / "generated.mp4", work_dir / "strict.mp4", ffmpeg=build, timeout=20,
                     strict=True)
    assert not (work_dir / "strict.mp4").exists()


@pytest.mark.parametrize("ends", [
    "*.srt) kill -TERM $$;;",
    "*/sound) kill -TERM $$;; *done.mp4*) exit 1;;",  # the pass fails, and each track is tried alone
], ids=["subtitles", "sound"])
async def test_a_track_is_not_left_away_because_somebody_has_ended_ffmpeg(
    ends: str, ffmpeg: Path, small_model: Model, render: Any, work_dir: Path
) -> None:
    plan = plan_of(await probe(with_tracks(ffmpeg, work_dir, ".mkv")), small_model)
    sent = await prepare(plan, work_dir / "sent.mp4", ffmpeg=ffmpeg, timeout=20)
    ended = work_dir / "ffmpeg"
    ended.write_text(f'#!/bin/sh\ncase "$*" in {ends} esac\nexec "{ffmpeg}" "$@"\n')
    ended.chmod(0o755)
    with pytest.raises(MediaStopped):
        await finish(plan, await render(sent.path), work_dir / "done.mp4", ffmpeg=ended, timeout=20)
    assert not (work_dir / "done.mp4").exists()


async def test_a_cut_film_still_opens_in_the_language_that_it_opened_in(
    build: Path, ffmpeg: Path, work_dir: Path
) -> None:
    source = work_dir / "french.mkv"
    run(ffmpeg, "-i", with_tracks(ffmpeg, work_dir, ".mkv"), "-map", "0:v", "-map", "0:a", "-c", "copy",
        "-disposition:a:0", "0", "-disposition:a:1", "default", source)
    assert [(sound.language, sound.default) for sound in (await probe(source)).sounds] == [
        ("eng", False), ("fra", True)]
    for name in ("out.mp4", "out.mkv"):
        ran = await run_recipe([{"trim": {"start": 1}}], source, work_dir / name, ffmpeg=build,
                               outputs=[{"path": name}])
        assert [(sound.language, sound.default) for sound in ran.film.sounds] == [("eng", False), ("fra", True)]


@pytest.mark.parametrize("suffix", [".mkv", ".ts"])
async def test_pictures_that_are_copied_and_begin_late_stay_with_their_sound(
    suffix: str, build: Path, work_dir: Path
) -> None:
    source = write_numbered(work_dir / f"in{suffix}", frames=75, late=0.6, sound_late=0.7)
    found = await probe(source)
    assert found.first_time == found.file_start > 0.5
    ran = await run_recipe([{"sound": {"volume": 0.5}}], source, work_dir / "out", ffmpeg=build,
                           outputs=[{"path": "out.mkv"}])
    assert ran.plan.finish.outputs[0].copies
    assert [frame.number for frame in read_numbers(ran.path)] == list(range(75))
    assert ran.film.first_time == pytest.approx(0, abs=0.03)
    apart = [beep - found.first_time for beep in read_beeps(source)]
    assert [beep - ran.film.first_time for beep in read_beeps(ran.path)] == pytest.approx(apart, abs=0.03)
