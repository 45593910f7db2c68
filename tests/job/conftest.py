"""A stand-in to buy from, a ledger and a store to keep it in, and the smallest media that can be sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from buying import TINY, Shop
from pydantic import SecretStr

from reelflow.job.client import QueueClient
from reelflow.job.ledger import Ledger
from reelflow.media.run import run_ffmpeg
from reelflow.standin.server import running_standin
from reelflow.store import Store


@pytest.fixture(scope="session")
def media(tmp_path_factory: pytest.TempPathFactory, ffmpeg: Path) -> Path:
    """A folder with `film.mp4` (160x90, 22 frames per second, 0.5 s) and `still.png`."""
    folder = tmp_path_factory.mktemp("job-media")

    async def make() -> None:
        await run_ffmpeg(["-f", "lavfi", "-i", "testsrc2=s=160x90:r=22:d=0.5", "-c:v", "libx264", "-pix_fmt", "yuv420p",
                          f"file:{folder / 'film.mp4'}"], ffmpeg=ffmpeg, timeout=30)
        await run_ffmpeg(["-f", "lavfi", "-i", "testsrc2=s=160x90", "-frames:v", "1", "-update", "1",
                          f"file:{folder / 'still.png'}"], ffmpeg=ffmpeg, timeout=30)

    asyncio.run(make())
    return folder


@pytest.fixture
async def shop(work_dir: Path, media: Path, ffmpeg: Path) -> AsyncIterator[Shop]:
    """A stand-in with all that one run has."""
    async with (
        running_standin(work_dir / "queue", ffmpeg=ffmpeg, models=TINY) as standin,
        QueueClient(standin.url, SecretStr("a-key-nobody-may-see"), read_timeout=3.0) as client,
        Ledger.open(None, work_dir=work_dir) as ledger,
    ):
        yield Shop(standin, client, ledger, Store(work_dir / "store"), media)
