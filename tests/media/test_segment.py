"""Long films go out in pieces and come back as one: every frame once, in order, with one sound over all."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest
from nasty import later
from numbered import read_beeps, read_numbers, write_numbered
from one_job import finish_pieces, plan_of, prepare_pieces, with_pieces

from reelflow.errors import BadInput, BadResult
from reelflow.media.pieces import Piece, cut_at, cut_evenly
from reelflow.media.probe import probe
from reelflow.media.run import run_ffmpeg
from reelflow.model_row import parse_row
from reelflow.models import Model

NTSC = Fraction(30000, 1001)


def test_even_cuts_are_few_and_within_the_limit() -> None:
    assert cut_evenly(100, most=100) == (Piece(0, 100),)
    assert cut_evenly(101, most=50) == (Piece(0, 34), Piece(34, 33), Piece(67, 34))
    chosen = random.Random(5)
    for _ in range(2000):
        frames, most = chosen.randint(1, 5000), chosen.randint(8, 600)
        overlap = chosen.randint(0, most // 4)
        pieces = cut_evenly(frames, most=most, overlap=overlap)
        assert pieces[0].first == 0 and pieces[-1].end == frames
        assert all(piece.frames <= most + 1 for piece in pieces)
        assert all(one.end - two.first == overlap for one, two in pairwise(pieces))


@pytest.mark.parametrize(("cuts", "overlap", "said"), [
    ([10, 10], 0, "must rise"), ([90], 0, "must rise and lie within the film's 60 frames"), ([30, 20], 0, "must rise"),
    ([20, 22], 5, "overlap"), ([58], 5, "shorter than the overlap"),
])
def test_cuts_that_make_no_sense_are_refused(cuts: list[int], overlap: int, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        cut_at(60, cuts, overlap=overlap)


async def rendered(ffmpeg: Path, sent: list[Path], folder: Path, filters: str = "null") -> list[Path]:
    made = []
    for number, path in enumerate(sent):
        made.append(folder / f"made-{number}.mp4")
        await run_ffmpeg(
            ["-y", "-i", str(path), "-vf", filters, "-c:v", "libx264", "-preset", "ultrafast", "-crf", "12",
             str(made[-1])], ffmpeg=ffmpeg, timeout=60,
        )
    return made


@pytest.mark.parametrize("rate", [NTSC, *later(20, 25, 60)], ids=str)
async def test_odd_cuts_give_every_frame_once(
    rate: Fraction | int, build: Path, ffmpeg: Path, small_model: Model, work_dir: Path
) -> None:
    rate = Fraction(rate)
    source = write_numbered(work_dir / "in.mp4", rate=rate, frames=int(3 * rate))
    plan = plan_of(await probe(source), small_model)
    total = plan.jobs[0].prepare.frames
    pieces = cut_at(total, [1, 7, 8, 41, total - 1])
    sent = await prepare_pieces(with_pieces(plan, pieces), work_dir, ffmpeg=build, timeout=60)
    assert [(await probe(path)).frames for path in sent] == [1, 6, 1, 33, total - 42, 1]
    shown = [picture.number for path in sent for picture in read_numbers(path)]
    assert shown == [round(index * rate / 20 - Fraction(1, 1000)) for index in range(total)]

    made = await rendered(ffmpeg, sent, work_dir)
    done = await finish_pieces(with_pieces(plan, pieces), made, work_dir / "done.mp4", ffmpeg=build, timeout=60)
    pictures = read_numbers(done.path)
    assert len(pictures) == int(3 * rate) == done.frames and done.warnings == ()
    allowed = max(1, int(rate / 20))
    for index, picture in enumerate(pictures):
        assert picture.number is not None and abs(picture.number - index) <= allowed
        assert picture.time == pytest.approx(float(index / rate), abs=0.001)
    if rate == 20:
        assert [picture.number for picture in pictures] == list(range(60))
    assert read_beeps(done.path) == pytest.approx(read_beeps(source), abs=0.002)


@pytest.mark.parametrize("fps", [22, *later(24, 30)])
async def test_a_cut_lies_where_it_was_planned_at_any_rate(
    fps: int, either: Path, work_dir: Path
) -> None:
    model = parse_row("small", {"kind": "edit", "width": 128, "height": 72, "fps": fps, "usd": "0.04"})
    plan = plan_of(await probe(write_numbered(work_dir / "in.mp4", rate=fps, frames=8 * fps)), model)
    pieces = cut_at(8 * fps, range(fps - 3, 8 * fps - 2, 7))
    sent = await prepare_pieces(with_pieces(plan, pieces), work_dir, ffmpeg=either, timeout=60)
    assert [(await probe(path)).frames for path in sent] == [piece.frames for piece in pieces]


@pytest.mark.parametrize(("suffix", "codec"), [
    (".mp4", "hevc"), *(pytest.param(suffix, None, marks=pytest.mark.slow) for suffix in (".mkv", ".mov", ".webm"))])
async def test_pieces_are_joined_in_any_container(
    suffix: str, codec: str | None, either: Path, ffmpeg: Path, small_model: Model, work_dir: Path
) -> None:
    source = write_numbered(work_dir / "in.mp4", rate=30, frames=90)
    plan = plan_of(await probe(source), small_model, start=0.5)
    pieces = cut_evenly(plan.jobs[0].prepare.frames, most=20)
    sent = await prepare_pieces(with_pieces(plan, pieces), work_dir, ffmpeg=either, timeout=60)
    made = await rendered(ffmpeg, sent, work_dir)
    done = await finish_pieces(
        with_pieces(plan, pieces), made, work_dir / f"done{suffix}", ffmpeg=either, timeout=60, codec=codec)
    pictures = read_numbers(done.path)
    assert len(pictures) == 75
    assert all(picture.number is not None and abs(picture.number - 15 - index) <= 1
               for index, picture in enumerate(pictures))
    found = [beep - pictures[0].time for beep in read_beeps(done.path)]
    assert [beep for beep in found if beep > 0.1] == pytest.approx([0.5, 1.5], abs=0.008)


@pytest.mark.parametrize("rate", [20, *later(NTSC)], ids=str)
async def test_a_crossfade_keeps_every_frame(
    rate: Fraction | int, build: Path, ffmpeg: Path, small_model: Model, work_dir: Path
) -> None:
    rate = Fraction(rate)
    source = write_numbered(work_dir / "in.mp4", rate=rate, frames=int(4 * rate))
    plan = plan_of(await probe(source), small_model)
    pieces = cut_evenly(plan.jobs[0].prepare.frames, most=32, overlap=6)
    assert len(pieces) == 3
    sent = await prepare_pieces(with_pieces(plan, pieces), work_dir, ffmpeg=build, timeout=60)
    assert [(await probe(path)).frames for path in sent] == [piece.frames for piece in pieces]
    made = await rendered(ffmpeg, sent, work_dir)
    done = await finish_pieces(with_pieces(plan, pieces), made, work_dir / "done.mp4", ffmpeg=build, timeout=60)
    pictures = read_numbers(done.path)
    assert len(pictures) == int(4 * rate)
    # Both sides of the fade show the same numbers, so that a piece that slipped would make them unreadable.
    assert all(picture.number is not None and abs(picture.number - index) <= 1
               for index, picture in enumerate(pictures))


async def test_a_fade_goes_from_one_look_to_the_next(
    either: Path, ffmpeg: Path, small_model: Model, work_dir: Path
) -> None:
    import av

    source = work_dir / "in.mp4"
    write_numbered(source, rate=20, frames=40)
    plan = plan_of(await probe(source), small_model)
    pieces = cut_at(40, [16], overlap=9)
    sent = await prepare_pieces(with_pieces(plan, pieces), work_dir, ffmpeg=either, timeout=60)
    looks = [(await rendered(ffmpeg, sent[at:at + 1], work_dir, f"drawbox=c={grey}:t=fill"))[0].rename(
        work_dir / f"look-{at}.mp4") for at, grey in enumerate(("black", "white"))]
    done = await finish_pieces(with_pieces(plan, pieces), looks, work_dir / "done.mp4", ffmpeg=either, timeout=60)
    with av.open(str(done.path)) as opened:
        light = [float(frame.to_ndarray(format="gray").mean()) for frame in opened.decode(video=0)]
    assert max(light[:16]) < 20 and min(light[25:]) > 230
    assert all(after > before for before, after in pairwise(light[15:26]))
    assert light[20] == pytest.approx((light[0] + light[-1]) / 2, abs=6)


async def test_a_piece_that_came_back_wrong_is_named(
    ffmpeg: Path, small_model: Model, work_dir: Path
) -> None:
    source = write_numbered(work_dir / "in.mp4", rate=20, frames=60)
    plan = plan_of(await probe(source), small_model)
    pieces = cut_evenly(60, most=30)
    sent = await prepare_pieces(with_pieces(plan, pieces), work_dir, ffmpeg=ffmpeg, timeout=60)
    one = await rendered(ffmpeg, sent[:1], work_dir)
    short = (await rendered(ffmpeg, sent[1:], work_dir, "trim=end_frame=29"))[0].rename(work_dir / "short.mp4")
    first = (await rendered(ffmpeg, sent[:1], work_dir))[0]
    plan = with_pieces(plan, pieces)
    done = await finish_pieces(plan, [first, short], work_dir / "done.mp4", ffmpeg=ffmpeg, timeout=60)
    assert done.frames == 60
    assert done.warnings == ("Piece 2: small returned 1 frame less than the 30 sent; the end was held.",)
    broken = work_dir / "broken.mp4"
    broken.write_text("no")
    with pytest.raises(BadResult, match="What the model returned for piece 2 can't be used"):
        await finish_pieces(with_pieces(plan, pieces), [one[0], broken], work_dir / "no.mp4", ffmpeg=ffmpeg, timeout=60)
    assert not (work_dir / "no.mp4").exists() and not list(work_dir.glob(".*"))


async def test_a_piece_can_be_sent_while_the_rest_is_encoded(
    ffmpeg: Path, small_model: Model, work_dir: Path
) -> None:
    """The encode runs no faster than the film, so that there is a rest."""
    source = write_numbered(work_dir / "in.mp4", rate=20, frames=60)
    pieces = cut_evenly(60, most=10)
    plan = with_pieces(plan_of(await probe(source), small_model), pieces)
    slow = work_dir / "ffmpeg"
    slow.write_text(
        f'#!/bin/sh\ncase "$*" in *segment_frames*) exec "{ffmpeg}" -re "$@";; esac\nexec "{ffmpeg}" "$@"\n')
    slow.chmod(0o755)
    frames: list[int] = []
    told: dict[int, int] = {}

    async def moved(place: int, path: Path) -> Path:
        told[place] = frames[-1]
        return path.rename(path.with_name(f"moved-{place}.mp4"))

    sent = await prepare_pieces(plan, work_dir, ffmpeg=slow, timeout=60, on_piece=moved,
                                on_progress=lambda progress: frames.append(progress.frame))
    assert list(told) == list(range(6)) and told[0] < 60
    assert [path.name for path in sent] == [f"moved-{place}.mp4" for place in range(6)]
    assert [(await probe(path)).frames for path in sent] == [piece.frames for piece in pieces]


async def test_only_pieces_that_are_too_large_are_capped(
    ffmpeg: Path, small_model: Model, work_dir: Path
) -> None:
    source = work_dir / "in.mkv"
    await run_ffmpeg(
        ["-f", "lavfi", "-i", "color=gray:s=256x144:r=20:d=4,noise=alls=80:allf=t:enable='gte(t,2)'", "-c:v", "ffv1",
         str(source)], ffmpeg=ffmpeg, timeout=60)
    most = 150_000
    plan = with_pieces(plan_of(await probe(source), replace(small_model, max_bytes=most)), cut_evenly(80, most=40))
    told: list[int] = []

    async def noted(place: int, path: Path) -> Path:
        told.append(place)
        return path

    quiet, noisy = await prepare_pieces(plan, work_dir, ffmpeg=ffmpeg, timeout=60, on_piece=noted)
    assert told == [0, 1]
    assert quiet.stat().st_size < most / 4 < noisy.stat().st_size <= most


@pytest.mark.slow
async def test_memory_is_flat_in_the_number_of_pieces(
    build: Path, ffmpeg: Path, small_model: Model, work_dir: Path, measured: Callable[[str], None]
) -> None:
    """The most that any ffmpeg of a whole way took, in 3 pieces and in 60."""
    source = write_numbered(work_dir / "in.mp4", rate=20, frames=600)
    plan = plan_of(await probe(source), small_model)
    peaks: list[float] = []
    for count in (3, 60):
        folder = work_dir / str(count)
        folder.mkdir()
        counted = folder / "ffmpeg"
        counted.write_text(
            "#!/usr/bin/env python3\nimport resource, subprocess, sys\n"
            f"code = subprocess.call([{str(build)!r}, *sys.argv[1:]])\n"
            f"open({str(folder / 'peaks')!r}, 'a').write("
            "f'{resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss}\\n')\nsys.exit(code)\n"
        )
        counted.chmod(0o755)
        pieces = cut_evenly(600, most=600 // count)
        sent = await prepare_pieces(with_pieces(plan, pieces), folder, ffmpeg=counted, timeout=60)
        await finish_pieces(with_pieces(plan, pieces), sent, folder / "done.mp4", ffmpeg=counted, timeout=60)
        peaks.append(max(int(line) for line in (folder / "peaks").read_text().split()) / 1024)
    measured(f"peak of ffmpeg: {peaks[0]:.0f} MiB with 3 pieces, {peaks[1]:.0f} MiB with 60")
    assert peaks[1] <= peaks[0] * 1.1 + 8
