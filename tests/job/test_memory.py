"""A gibibyte up and a gibibyte down, in a process of its own: its memory hardly grows."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

GIB = 2**30
SCRIPT = Path(__file__).with_name("bulk.py")


@asynccontextmanager
async def bottomless() -> AsyncIterator[tuple[str, list[int]]]:
    """A server that reads forms of any length into nothing, and gives a gibibyte away; what it has read, by form."""
    read: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        if head.startswith("post"):
            left = int(head.partition("content-length:")[2].split()[0])
            read.append(0)
            while left:
                piece = await reader.read(min(left, 2**20))
                if not piece:
                    break
                left -= len(piece)
                read[-1] += len(piece)
            said = b'{"job_id": "job-1", "status": "pending"}'
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(said) + said)
        else:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\nContent-Length: %d\r\n\r\n" % GIB)
            for _ in range(GIB // 2**20):
                writer.write(bytes(2**20))
                await writer.drain()
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", read
    finally:
        server.close()


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the kernel's own count, in /proc")
@pytest.mark.parametrize("way", ["up", "down"])
async def test_a_gibibyte_goes_through_at_constant_memory(way: str, tmp_path: Path) -> None:
    if way == "down" and shutil.disk_usage(tmp_path).free < 3 * GIB:
        pytest.skip("needs 3 GiB of free disk")
    async with bottomless() as (url, read):
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(SCRIPT), way, url, str(tmp_path), stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(SCRIPT.parent)}, cwd=SCRIPT.parents[2],
        )
        said, _ = await process.communicate()
    (tmp_path / "result.mp4").unlink(missing_ok=True)
    assert process.returncode == 0
    grown = int(said)
    print(f"{way}: the process grew by {grown / 2**20:.1f} MiB")  # noqa: T201 - the figure is what one looks for here
    assert grown < 32 * 2**20
    if way == "up":
        assert read[-1] > GIB
