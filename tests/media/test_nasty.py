"""Whatever goes in comes back right, or is refused with a sentence: every nasty film, through the whole way."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from nasty import NASTY, OFTEN, Nasty, later
from one_job import finish, plan_of, prepare

from reelflow.errors import Refused
from reelflow.media.picture import write_poster
from reelflow.media.probe import probe
from reelflow.media.run import find_ffmpeg
from reelflow.models import Model

LIMIT = 20


@pytest.fixture(scope="session")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("nasty")


def made(nasty: Nasty, folder: Path) -> Path:
    path = folder / nasty.name
    if not path.exists():
        nasty.make(find_ffmpeg("bundled"), path)
    return path


def grey(path: Path) -> np.ndarray[Any, Any]:
    with av.open(str(path)) as opened:
        return next(opened.decode(video=0)).to_ndarray(format="gray").astype(int)


@pytest.mark.parametrize("nasty", [
    *(one for one in NASTY if one.name in OFTEN),
    *later(*(one for one in NASTY if not one.refused and one.name not in OFTEN)),
], ids=lambda one: one.name)
async def test_it_comes_back_right(
    nasty: Nasty, either: Path, films: Path, small_model: Model, render: Any, work_dir: Path
) -> None:
    source = made(nasty, films)
    async with asyncio.timeout(LIMIT * 3):
        found = await probe(source, timeout=LIMIT)
        plan = plan_of(found, small_model)
        sent = await prepare(plan, work_dir / "sent.mp4", ffmpeg=either, timeout=LIMIT)
        generated = await render(sent.path)
        done = await finish(plan, generated, work_dir / "done.mp4", ffmpeg=either, timeout=LIMIT)
    for name, value in nasty.about.items():
        assert getattr(found, name) == value

    prepared = await probe(sent.path)
    assert (prepared.shown, prepared.turn, prepared.sample_aspect) == (plan.jobs[0].prepare.geometry.frame, 0, 1)
    assert (prepared.pixels, prepared.colour.matrix, prepared.colour.range) == ("yuv420p", "bt709", "tv")
    assert prepared.first_time == 0 and prepared.unevenness <= 0.001 and not prepared.interlaced
    assert prepared.frames == plan.jobs[0].prepare.frames
    assert not prepared.sounds and not prepared.other_streams and prepared.colour.hdr is None

    finished = await probe(done.path)
    frames = nasty.frames if nasty.frames > 0 else found.frames
    assert (finished.frames, finished.turn, finished.mirrored) == (frames, 0, False)
    assert (finished.shown.width, finished.shown.height) == nasty.size
    assert frames == 1 or finished.rate == nasty.rate
    assert len(finished.sounds) == nasty.sounds
    if len(found.sounds) == nasty.sounds:
        assert [sound.language for sound in finished.sounds] == [sound.language for sound in found.sounds]
    told = " ".join([*plan.warnings, *sent.warnings, *done.warnings])
    assert (nasty.warned in told) if nasty.warned else (told == ""), told

    at = (frames // 2) / float(plan.finish.clip.rate)
    before = grey(await write_poster(source, work_dir / "before.png", ffmpeg=either, at=at, width=96))
    after = grey(await write_poster(done.path, work_dir / "after.png", ffmpeg=either, at=at, width=96))
    assert abs(before - after).mean() < 12
    assert {path.name for path in work_dir.iterdir()} == {"sent.mp4", "done.mp4", "before.png", "after.png"}


@pytest.mark.parametrize("nasty", [one for one in NASTY if one.refused], ids=lambda one: one.name)
async def test_it_is_refused_with_a_sentence(nasty: Nasty, films: Path) -> None:
    source = made(nasty, films)
    async with asyncio.timeout(LIMIT):
        with pytest.raises(Refused) as refusal:
            await probe(source, timeout=LIMIT)
    message = refusal.value.message
    assert nasty.refused is not None and nasty.refused in message and nasty.name in message
    assert message.endswith(".") and "\n" not in message
