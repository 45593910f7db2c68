"""`python bulk.py up|down URL FOLDER`: one large file through the client, and by how many bytes its memory grew."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from buying import MODELS
from pydantic import SecretStr

from reelflow.job.client import QueueClient
from reelflow.job.wire import Wish

GIB = 2**30


def most_memory() -> int:
    """The most that this process has had in memory since `forget_most`, in bytes."""
    status = Path("/proc/self/status").read_text("ascii")
    return 1024 * next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))


def forget_most() -> None:
    """Let the count begin again at what is in memory now: importing takes more than sending does, and would hide it."""
    Path("/proc/self/clear_refs").write_text("5", "ascii")


async def run(way: str, url: str, folder: Path) -> int:
    """Warm up with something small, then move a gibibyte."""
    film = folder / "film.mp4"
    film.write_bytes(b"small")
    async with QueueClient(url, SecretStr("k")) as client:
        await client.submit(Wish(MODELS["lucy-2.5"], film))
        forget_most()
        before = most_memory()
        if way == "up":
            os.truncate(film, GIB)
            await client.submit(Wish(MODELS["lucy-2.5"], film))
        else:
            made = await client.result("job-1", folder / "result.mp4")
            assert made.stat().st_size == GIB
    return most_memory() - before


if __name__ == "__main__":
    sys.stdout.write(str(asyncio.run(run(sys.argv[1], sys.argv[2], Path(sys.argv[3])))))
