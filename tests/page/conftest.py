"""Films for the pages, and a run that is over."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from over import Over, run_over

from reelflow.media.run import run_ffmpeg


@pytest.fixture(scope="session")
def films(tmp_path_factory: pytest.TempPathFactory, ffmpeg: Path) -> Path:
    """A folder with a source of 10 s at 30 frames a second, with sound, and a result that is busy like noise."""
    folder = tmp_path_factory.mktemp("films")
    sound = ["-f", "lavfi", "-i", "sine=f=440:d=10", "-c:a", "aac"]
    for name, drawn in (("in", "testsrc2=s=320x180:r=30:d=10"),
                        ("out", "testsrc2=s=320x180:r=30:d=10,noise=alls=90:allf=t")):
        asyncio.run(run_ffmpeg(
            ["-f", "lavfi", "-i", drawn, *sound, "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p",
             f"file:{folder / name}.mp4"], ffmpeg=ffmpeg, timeout=60))
    return folder


@pytest.fixture
async def over(films: Path, tmp_path: Path, ffmpeg: Path) -> Over:
    """A restyle of the second to the ninth second."""
    return await run_over(films, tmp_path, ffmpeg)
