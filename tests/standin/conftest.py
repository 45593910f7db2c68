"""Small films and pictures, and a stand-in to send them to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from asking import MODELS, Media, client_of

from reelflow.media.run import run_ffmpeg
from reelflow.standin.server import StandIn, running_standin


@pytest.fixture(scope="session")
def media(tmp_path_factory: pytest.TempPathFactory, ffmpeg: Path) -> Media:
    folder = tmp_path_factory.mktemp("standin-media")
    made = Media(*(folder / name for name in ("film.bin", "tall.bin", "still.png", "red.png", "garment.png", "a.mp4")))
    encode = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-f", "mp4"]

    async def make() -> None:
        for arguments in (
            ["-f", "lavfi", "-i", "testsrc2=s=192x108:r=25:d=0.4", *encode, str(made.film)],
            ["-f", "lavfi", "-i", "testsrc2=s=108x192:r=25:d=0.4", *encode, str(made.tall)],
            ["-f", "lavfi", "-i", "color=s=320x176,format=gbrp,geq=r='255*X/W':g='255*Y/H':b=40", "-frames:v", "1",
             str(made.still)],
            ["-f", "lavfi", "-i", "color=c=red:s=64x64", "-frames:v", "1", str(made.red)],
            ["-f", "lavfi", "-i", "color=c=white:s=80x100,drawbox=x=20:y=20:w=40:h=60:c=blue:t=fill", "-frames:v", "1",
             str(made.garment)],
            ["-f", "lavfi", "-i", "sine=d=0.4", "-c:a", "aac", "-f", "mp4", str(made.sound)],
        ):
            await run_ffmpeg(["-y", *arguments], ffmpeg=ffmpeg, timeout=20)

    asyncio.run(make())
    return made


@pytest.fixture
async def standin(work_dir: Path, ffmpeg: Path) -> AsyncIterator[StandIn]:
    """A stand-in of the test's own: for what is counted, or submitted and not waited for."""
    async with running_standin(work_dir, ffmpeg=ffmpeg, models=MODELS) as running:
        yield running


@pytest.fixture
async def own_http(standin: StandIn) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(standin) as client:
        yield client


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory, ffmpeg: Path) -> AsyncIterator[StandIn]:
    """A stand-in for all tests of a module that only ask it something."""
    async with running_standin(tmp_path_factory.mktemp("shared"), ffmpeg=ffmpeg, models=MODELS) as running:
        yield running


@pytest.fixture
async def http(shared: StandIn) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(shared) as client:
        yield client
