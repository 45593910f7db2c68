"""A file is probed once: it is known again under any name, and not any more once it has changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from reelflow.errors import BadMedia
from reelflow.media.probe import probe, probe_sound
from reelflow.media.run import run_ffmpeg

AT_ONCE = 1e-6  # seconds, in which no child has ever read a file


async def make(path: Path, ffmpeg: Path, frames: int) -> None:
    await run_ffmpeg(["-y", "-f", "lavfi", "-i", "testsrc2=s=64x36:r=20:d=5", "-frames:v", str(frames),
                      f"file:{path}"], ffmpeg=ffmpeg, timeout=60)


async def test_a_file_that_stays_the_same_is_read_once_under_whatever_name(tmp_path: Path, ffmpeg: Path) -> None:
    film, moved = tmp_path / "film.mp4", tmp_path / "moved.mp4"
    await make(film, ffmpeg, 10)
    with pytest.raises(BadMedia, match="could not be read within"):
        await probe(film, timeout=AT_ONCE)
    found = await probe(film)
    assert await probe(film, timeout=AT_ONCE) == found
    film.rename(moved)
    again = await probe(moved, timeout=AT_ONCE)
    assert (again.path, again.frames) == (moved, 10)


async def test_a_file_that_has_changed_is_read_again(tmp_path: Path, ffmpeg: Path) -> None:
    film = tmp_path / "film.mp4"
    for frames in (10, 20):
        await make(film, ffmpeg, frames)
        assert (await probe(film)).frames == frames


async def test_a_file_of_sound_alone_that_is_known_is_still_no_film(tmp_path: Path, ffmpeg: Path) -> None:
    sound = tmp_path / "sound.wav"
    await run_ffmpeg(["-f", "lavfi", "-i", "sine=d=1", f"file:{sound}"], ffmpeg=ffmpeg, timeout=60)
    assert (await probe_sound(sound)).frames == 0
    with pytest.raises(BadMedia):
        await probe(sound)
