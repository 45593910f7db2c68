"""Clips for the flows, and a work folder that they use."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from reelflow.media.run import run_ffmpeg


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory, ffmpeg: Path) -> Path:
    """A landscape clip with sound: 320x180, 30 frames per second, 1 s."""
    target = tmp_path_factory.mktemp("clips") / "a clip.mp4"
    asyncio.run(run_ffmpeg([
        "-f", "lavfi", "-i", "testsrc2=s=320x180:r=30:d=1", "-f", "lavfi", "-i", "sine=f=440:d=1", "-c:v", "libx264",
        "-pix_fmt", "yuv420p", "-c:a", "aac", f"file:{target}",
    ], ffmpeg=ffmpeg, timeout=60))
    return target


@pytest.fixture(scope="session")
def picture(tmp_path_factory: pytest.TempPathFactory, ffmpeg: Path) -> Path:
    """A picture: 320x180, PNG."""
    target = tmp_path_factory.mktemp("pictures") / "still.png"
    asyncio.run(run_ffmpeg(["-f", "lavfi", "-i", "testsrc2=s=320x180", "-frames:v", "1", "-update", "1",
                            f"file:{target}"], ffmpeg=ffmpeg, timeout=60))
    return target


@pytest.fixture(autouse=True)
def own_work_dir(work_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the flows keep lies in the test's own folder."""
    monkeypatch.setenv("REELFLOW_WORK_DIR", str(work_dir))
    return work_dir
