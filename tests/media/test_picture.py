"""Stills: motion's and image models' pictures out and back, posters, before and after."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nasty import later
from numbered import read_number, read_numbers, write_numbered
from one_job import finish, plan_of, prepare
from PIL import Image, ImageDraw

from reelflow.errors import BadInput, BadResult
from reelflow.media.command import Shot
from reelflow.media.picture import write_poster
from reelflow.media.probe import probe
from reelflow.media.strip import make_strip, read_missing, write_small_poster
from reelflow.model_row import parse_row
from reelflow.models import Model, ModelTable
from reelflow.page.facts import moment_before


def drawn(width: int, height: int) -> Image.Image:
    picture = Image.new("RGB", (width, height), (20, 40, 120))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 0, width // 4, height // 4), fill=(220, 30, 30))
    draw.rectangle((width // 2, height // 2, width - 1, height - 1), fill=(240, 220, 60))
    return picture


def apart(first: Image.Image, second: Image.Image) -> float:
    size = (60, 40) if first.width > first.height else (40, 60)
    pictures = [np.asarray(one.convert("RGB").resize(size)).astype(int) for one in (first, second)]
    return float(np.abs(pictures[0] - pictures[1]).mean())


@pytest.fixture(scope="session")
def image_model() -> Model:
    return parse_row("picture", {"kind": "image", "width": 256, "height": 144, "usd": "0.02"})


@pytest.mark.parametrize("suffix", [".jpg", *later(".png", ".webp", ".bmp")])
@pytest.mark.parametrize("size", [(301, 200), (200, 301)])
async def test_a_picture_goes_out_and_comes_back(
    suffix: str, size: tuple[int, int], either: Path, image_model: Model, work_dir: Path
) -> None:
    source = work_dir / f"in{suffix}"
    drawn(*size).save(source, **({"quality": 95} if suffix in (".jpg", ".webp") else {}))
    plan = plan_of(await probe(source), image_model)
    sent = await prepare(plan, work_dir / "sent.png", ffmpeg=either, timeout=20)
    with Image.open(sent.path) as picture:
        assert picture.size == ((256, 144) if size[0] > size[1] else (144, 256))
    for name in ("done.png", "done.jpg"):
        done = await finish(plan, sent.path, work_dir / name, ffmpeg=either, timeout=20)
        with Image.open(done.path) as picture:
            assert picture.size == (done.width, done.height) == size
            assert apart(picture, drawn(*size)) < 3


@pytest.mark.parametrize("orientation", [6, 7, *later(1, 2, 3, 4, 5, 8)])
async def test_a_picture_is_sent_upright(
    orientation: int, either: Path, image_model: Model, work_dir: Path
) -> None:
    source, exif = work_dir / "in.jpg", Image.Exif()
    exif[0x0112] = orientation
    backwards = {2: [0], 3: [3], 4: [1], 5: [5], 6: [2], 7: [6], 8: [4]}.get(orientation, [])
    stored = drawn(300, 200)
    for step in backwards:
        stored = stored.transpose(Image.Transpose(step))
    stored.save(source, exif=exif, quality=95)
    plan = plan_of(await probe(source), image_model, fit="stretch")
    sent = await prepare(plan, work_dir / "sent.jpg", ffmpeg=either, timeout=20)
    with Image.open(sent.path) as picture:
        assert picture.size == (256, 144)
        assert apart(picture, drawn(300, 200)) < 3


async def test_motion_makes_a_film_of_the_picture_s_size(
    either: Path, render: Any, ffmpeg: Path, work_dir: Path
) -> None:
    motion = parse_row("small-motion", {"like": "lucy-motion", "width": 256, "height": 144, "seconds": 1.0})
    source = work_dir / "in.png"
    drawn(301, 200).save(source)
    plan = plan_of(await probe(source), motion)
    assert (plan.seconds, plan.cost_usd) == (1.0, motion.price(1.0))
    sent = await prepare(plan, work_dir / "sent.png", ffmpeg=either, timeout=20)
    generated = work_dir / "generated.mkv"
    await render_still(sent.path, generated, ffmpeg, frames=25)
    done = await finish(plan, generated, work_dir / "done.mp4", ffmpeg=either, timeout=20)
    assert (done.frames, done.rate, done.width, done.height, done.warnings) == (25, 25, 302, 200, ())
    poster = await write_poster(done.path, work_dir / "poster.png", ffmpeg=either)
    with Image.open(poster) as picture:
        assert apart(picture, drawn(301, 200)) < 4

    await render_still(sent.path, generated, ffmpeg, frames=21)
    known = plan_of(await probe(source), motion, made={1: 21})
    assert (await finish(known, generated, work_dir / "done.mp4", ffmpeg=either, timeout=20)).frames == 21


async def render_still(sent: Path, made: Path, ffmpeg: Path, *, frames: int) -> None:
    from reelflow.media.run import run_ffmpeg

    await run_ffmpeg(
        ["-y", "-loop", "1", "-r", "25", "-i", str(sent), "-vf",
         "scale=out_color_matrix=bt709:out_range=tv,format=yuv420p,setparams=colorspace=bt709:range=tv",
         "-frames:v", str(frames), "-c:v", "libx264", "-qp", "4", str(made)], ffmpeg=ffmpeg, timeout=20,
    )


@pytest.mark.parametrize("suffix", [".jpg", *later(".png")])
async def test_a_poster_shows_the_frame_of_its_time(suffix: str, either: Path, work_dir: Path) -> None:
    film = write_numbered(work_dir / "in.mp4", rate=25, frames=320, turn=90, size=(90, 160))
    for at, number in ((0.0, 0), (1.0, 25), (12.48, 312), (12.8, 319)):
        poster = await write_poster(film, work_dir / f"poster{suffix}", ffmpeg=either, at=at)
        with Image.open(poster) as picture:
            assert picture.size == (90, 160)
            assert read_number(np.asarray(picture.convert("L"))) == number
    with pytest.raises(BadInput, match="no frame at 99 s"):
        await write_poster(film, work_dir / "poster.png", ffmpeg=either, at=99)
    with pytest.raises(BadInput, match="does not end in"):
        await write_poster(film, work_dir / "poster.gif", ffmpeg=either)


async def test_before_and_after_stand_side_by_side_and_the_poster_is_half_way(either: Path, work_dir: Path) -> None:
    before = await probe(write_numbered(work_dir / "before.mp4", frames=50, size=(90, 160), turn=270))
    after = await probe(write_numbered(work_dir / "after.mov", rate=20, frames=40, size=(180, 320)))
    poster, pair = work_dir / "poster.jpg", work_dir / "pair.jpg"
    strip = await make_strip(before, after, at_before=1.0, ffmpeg=either, poster=poster, pair=pair)
    with Image.open(pair) as picture:
        assert abs(picture.width - 960) <= 2
        both = np.asarray(picture.convert("L"))
    middle = both.shape[1] // 2
    assert (read_number(both[:, :middle]), read_number(both[:, middle:])) == (25, 20)
    with Image.open(poster) as picture:
        assert (picture.size, read_number(np.asarray(picture.convert("L")))) == ((180, 320), 20)
    assert len(strip.cells) == 12 and strip.after is not None
    assert sorted(path.name for path in work_dir.iterdir()) == ["after.mov", "before.mp4", "pair.jpg", "poster.jpg"]


@pytest.mark.parametrize("turn", [0, 90])
async def test_the_passes_that_make_a_film_leave_its_pictures(
    turn: int, either: Path, small_model: Model, work_dir: Path
) -> None:
    """A picture that was not left would have to be read with an ffmpeg that isn't there."""
    size = (160, 90) if turn == 0 else (90, 160)
    source = await probe(write_numbered(work_dir / "in.mp4", rate=25, frames=400, turn=turn, size=size))
    plan, folder = plan_of(source, small_model, start=11, duration=3), work_dir / "shots"
    folder.mkdir()
    shot = Shot(moment_before(plan), folder)
    sent = await prepare(plan, work_dir / "sent.mp4", ffmpeg=either, timeout=20, shot=shot)
    done = await finish(plan, sent.path, work_dir / "done.mp4", ffmpeg=either, timeout=20, shots_in=folder)
    graphs = [command[command.index("-filter_complex") + 1] for command in (sent.commands[0], done.command)]
    assert "eq(n\\,0))" in graphs[0] and "select=eq(n\\,0)+eq(n\\,37)" in graphs[1], "all outputs begin at once"
    shown = read_numbers(done.path)
    poster, pair = work_dir / "poster.jpg", work_dir / "pair.jpg"
    strip = await make_strip(source, await probe(done.path), at_before=shot.at, ffmpeg=work_dir / "no-ffmpeg",
                             left=folder, poster=poster, pair=pair)
    with Image.open(poster) as picture:
        assert (picture.size, read_number(np.asarray(picture.convert("L")))) == (size, shown[37].number)
    with Image.open(pair) as picture:
        both = np.asarray(picture.convert("L"))
    middle = both.shape[1] // 2
    assert [read_number(both[:, :middle]), read_number(both[:, middle:])] == [275 + 37, shown[37].number]
    numbers = [read_number(np.asarray(Image.open(io.BytesIO(cell.jpeg)).convert("L"))) for cell in strip.cells]
    assert numbers == [shown[round(cell.at * 25)].number for cell in strip.cells]
    assert write_small_poster(folder, work_dir / "small.jpg", width=64)
    with Image.open(work_dir / "small.jpg") as picture:
        assert picture.width == 64
    assert not write_small_poster(work_dir, work_dir / "none.jpg", width=64)


async def test_a_picture_that_was_not_left_is_read_anew(either: Path, work_dir: Path) -> None:
    before = await probe(write_numbered(work_dir / "before.mp4", frames=50))
    after = await probe(write_numbered(work_dir / "after.mp4", frames=50))
    folder, pair = work_dir / "shots", work_dir / "pair.jpg"
    folder.mkdir()
    await read_missing(None, after, folder, at_before=1.0, ffmpeg=either)
    (folder / "cells.rgb").write_bytes(b"")
    strip = await make_strip(before, after, at_before=1.0, ffmpeg=either, left=folder, pair=pair)
    assert (len(strip.cells), pair.exists()) == (12, True)


async def test_films_and_pictures_are_told_apart(
    ffmpeg: Path, image_model: Model, small_model: Model, work_dir: Path
) -> None:
    drawn(64, 48).save(work_dir / "in.png")
    film, picture = await probe(write_numbered(work_dir / "in.mp4", frames=5)), await probe(work_dir / "in.png")
    with pytest.raises(BadInput, match=r"in\.mp4 is a video; picture needs a picture"):
        plan_of(film, image_model)
    with pytest.raises(BadInput, match=r"in\.png is a picture; small needs a video"):
        plan_of(picture, small_model)
    with pytest.raises(BadInput, match="can't be trimmed"):
        plan_of(picture, ModelTable.standard()["lucy-image-2"], start=1)
    plan = plan_of(picture, image_model)
    with pytest.raises(BadResult, match="returned a film where a picture"):
        await finish(plan, work_dir / "in.mp4", work_dir / "done.png", ffmpeg=ffmpeg, timeout=20)
