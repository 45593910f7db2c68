"""Recipes of media steps, run as they are without a job: compiled, and finished to one file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
from making import Film, Made, Make, plan_of

from reelflow.media.finish import finish
from reelflow.media.media_step import Given
from reelflow.media.probe import probe
from reelflow.media.run import run_ffmpeg


@pytest.fixture
def make(ffmpeg: Path, tmp_path: Path) -> Make:
    """Take a source through steps to a file that is named like the step; `build` is the ffmpeg to do it with."""
    async def run(steps: Sequence[Any], source: Path, outputs: Sequence[Any] = (), *, build: Path = ffmpeg,
                  room: Path = tmp_path / "room") -> Made:
        _, plan = await plan_of(steps, source, outputs)
        folder = tmp_path / f"made-{len(list(tmp_path.glob('made-*')))}"
        folder.mkdir()
        paths = [folder / output.name for output in plan.finish.outputs]
        finished = await finish(
            plan.finish, {}, Given(plan.files, room), paths, source=plan.source, ffmpeg=build, timeout=120)
        made = await probe(paths[0])
        if not made.is_picture:
            assert (made.shown, made.rate, made.frames) == (
                plan.finish.clip.size, plan.finish.clip.rate, plan.finish.clip.frames) or outputs
        return Made(plan, paths[0], made, finished)
    return run


@pytest.fixture
def film(ffmpeg: Path, tmp_path: Path) -> Film:
    """Make a film from a lavfi picture, and from lavfi sounds where they are given: a track each."""
    async def run(picture: str, *sounds: str, name: str = "film.mp4", options: Iterable[str] = ()) -> Path:
        target = tmp_path / name
        inputs = [word for one in (f"{picture},format=gbrp", *sounds) for word in ("-f", "lavfi", "-i", one)]
        maps = [word for index in range(1 + len(sounds)) for word in ("-map", str(index))]
        tagged = ("-vf", "scale=out_color_matrix=bt709:out_range=tv,format=yuv420p,setparams=colorspace=bt709:"
                         "color_primaries=bt709:color_trc=bt709:range=tv")
        await run_ffmpeg(
            ["-y", *inputs, *maps, *tagged, "-c:v", "libx264", "-preset", "ultrafast", "-crf", "4", "-c:a", "aac",
             "-b:a", "192k", *options, str(target)], ffmpeg=ffmpeg, timeout=60)
        return target
    return run


@pytest.fixture
def sound_file(ffmpeg: Path, tmp_path: Path) -> Film:
    """Make a sound file from a lavfi sound."""
    async def run(sound: str, name: str = "music.wav", options: Iterable[str] = ()) -> Path:
        target = tmp_path / name
        await run_ffmpeg(["-y", "-f", "lavfi", "-i", sound, *options, str(target)], ffmpeg=ffmpeg, timeout=60)
        return target
    return run
