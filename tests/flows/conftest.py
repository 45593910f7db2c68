"""Clips for the flows, a work folder that they use, and a queue that outlives them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from reelflow.media.run import run_ffmpeg
from reelflow.standin.server import StandIn, running_standin


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


@pytest.fixture(scope="session")
def many(tmp_path_factory: pytest.TempPathFactory, ffmpeg: Path) -> Path:
    """Four films of half a second, 160x90 at 10 frames per second, all different."""
    folder = tmp_path_factory.mktemp("many")

    async def make() -> None:
        for number in range(1, 5):
            await run_ffmpeg(["-f", "lavfi", "-i", f"testsrc2=s=160x90:r=10:d=0.5,hue=h={number * 40}", "-c:v",
                              "libx264", "-pix_fmt", "yuv420p", f"file:{folder / f'clip-{number}.mp4'}"],
                             ffmpeg=ffmpeg, timeout=30)

    asyncio.run(make())
    return folder


@pytest.fixture(autouse=True)
def own_work_dir(work_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the flows keep lies in the test's own folder."""
    monkeypatch.setenv("REELFLOW_WORK_DIR", str(work_dir))
    return work_dir


@pytest.fixture
async def queue(tmp_path: Path, ffmpeg: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[StandIn]:
    """A queue that outlives the runs, as the real one does, and that can be told to do something wrong."""
    async with running_standin(tmp_path / "queue", ffmpeg=ffmpeg) as standin:
        monkeypatch.setenv("DECART_BASE_URL", standin.url)
        monkeypatch.setenv("DECART_API_KEY", "key-of-the-test")
        monkeypatch.setenv("REELFLOW_POLL_SECONDS", "0.2")
        yield standin
