"""Clips for the flows, a work folder that they use, a queue that outlives them, and other machines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import fsspec
import pytest
from elsewhere import Elsewhere

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


@pytest.fixture(scope="module")
def object_store() -> Iterator[str]:
    """The address of an S3 server."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(object_store: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An empty bucket, and an environment that leads to it."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", object_store)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    system = fsspec.filesystem("s3")
    if system.exists("bucket"):
        system.rm("bucket", recursive=True)
    system.mkdir("bucket")
    yield "s3://bucket"
    fsspec.get_filesystem_class("s3").clear_instance_cache()


@pytest.fixture
def elsewhere() -> Iterator[type[Elsewhere]]:
    """Another machine, of the test's own."""
    fsspec.register_implementation("elsewhere", Elsewhere, clobber=True)
    yield Elsewhere
    for kept in (Elsewhere.store, Elsewhere.broken, Elsewhere.arrives, Elsewhere.leaves):
        kept.clear()
