"""PostgreSQL, Redis, an API server, its services and two workers that share no disk; one of them is killed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.objects import FlowRun
from prefect.settings import PREFECT_API_URL, temporary_settings

from deployments.cluster import Cluster, running_cluster
from reelflow import remote
from reelflow.job.entry import State
from reelflow.job.ledger import Ledger
from reelflow.media.run import run_ffmpeg
from reelflow.standin.server import StandIn, running_standin

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(not (list(Path("/usr/lib/postgresql").glob("*/bin")) and shutil.which("redis-server")),
                       reason="PostgreSQL and Redis are not installed (Debian: apt install postgresql redis-server)"),
]
# A hundred for the note; fewer show the same.
CLIPS = int(os.environ.get("TEST_CLIPS", "24"))


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """The cluster without workers; tests and their processes speak with it."""
    with running_cluster(tmp_path / "cluster") as running, temporary_settings({PREFECT_API_URL: running.api}):
        yield running


@pytest.fixture
def object_store() -> Iterator[dict[str, str]]:
    """What leads to an S3 server with an empty bucket."""
    import fsspec
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    environment = {"AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_ACCESS_KEY_ID": "key",
                   "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        fsspec.get_filesystem_class("s3").clear_instance_cache()
        fsspec.filesystem("s3").mkdir("bucket")
        yield environment
        fsspec.get_filesystem_class("s3").clear_instance_cache()
    server.stop()


async def bring_clips(folder: Path, ffmpeg: Path) -> None:
    """So many films of half a second, all different, into the bucket."""
    folder.mkdir()
    await run_ffmpeg([
        "-f", "lavfi", "-i", f"testsrc2=s=160x90:r=10:d={CLIPS / 2}", "-c:v", "libx264", "-g", "5", "-keyint_min", "5",
        "-sc_threshold", "0", "-pix_fmt", "yuv420p", "-f", "segment", "-segment_time", "0.5", "-reset_timestamps", "1",
        f"file:{folder}/clip-%03d.mp4",
    ], ffmpeg=ffmpeg, timeout=300)
    for path in sorted(folder.iterdir()):
        remote.put(path, f"s3://bucket/in/{path.name}")
    assert len(list(folder.iterdir())) == CLIPS


def all_of(pid: int) -> list[int]:
    """A worker and all that it has started, from the top down."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdecimal():
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                children.setdefault(int(fields[1]), []).append(int(entry.name))
    found = [pid]
    for one in found:
        found += children.get(one, [])
    return found


def send(number: signal.Signals, pids: list[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


async def kill_between_forms(pid: int, ledger: Ledger) -> None:
    """SIGKILL for a worker and all that it has started, as when its machine is gone, when none of its forms is out.

    A form that is out leaves a wish of which nobody can know whether it was bought, and a person to be asked.
    """
    while True:
        doomed = all_of(pid)
        # Stopped first: none of them sees another one die, and tells of it.
        send(signal.SIGSTOP, doomed)
        mine = [entry for entry in await ledger.entries(states=[State.SENT]) if entry.holder
                and int(entry.holder.rsplit("/", 3)[1]) in doomed]
        if not mine:
            send(signal.SIGKILL, doomed)
            return
        send(signal.SIGCONT, doomed)
        await asyncio.sleep(0.1)


@dataclass(frozen=True)
class Batch:
    """A batch that is under way: the queue that it buys from, its workers by name and their environment, its runs."""

    cluster: Cluster
    queue: StandIn
    workers: dict[str, subprocess.Popen[bytes]]
    environment: dict[str, str]
    client: PrefectClient
    runs: list[FlowRun]

    async def until_bought(self, jobs: int) -> None:
        """Wait until so many jobs are bought."""
        async with asyncio.timeout(600):
            while self.queue.jobs_made < jobs:
                await asyncio.sleep(0.2)

    async def attempts(self) -> list[int]:
        """How often each run was begun, the fewest first, once all have completed."""
        async with asyncio.timeout(1500):
            while True:
                found = [await self.client.read_flow_run(run.id) for run in self.runs]
                states = [str(run.state_name) for run in found]
                if states == ["Completed"] * len(states):
                    return sorted(run.run_count for run in found)
                logs = "".join((self.cluster.folder / f"{name}.log").read_text()[-3000:] for name in self.workers)
                assert "Failed" not in states, logs
                await asyncio.sleep(1)


@contextlib.asynccontextmanager
async def batch_over_two_workers(
    cluster: Cluster, object_store: dict[str, str], folder: Path, ffmpeg: Path
) -> AsyncIterator[Batch]:
    """All clips as two runs of the deployment `batch`, half of them each, on two workers that take a run at a time."""
    await bring_clips(folder / "clips", ffmpeg)
    cluster.once("reelflow", "setup", "--dead-after", "90", "--jobs-at-once", "20", DECART_API_KEY="key-of-the-test")
    cluster.once("prefect", "--no-prompt", "deploy", "--all")
    async with running_standin(folder / "queue", ffmpeg=ffmpeg, workers=20, service_seconds=1.0) as queue:
        more = {**object_store, "DECART_BASE_URL": queue.url, "DECART_API_KEY": "key-of-the-test",
                "REELFLOW_POLL_SECONDS": "0.5", "PREFECT_WORKER_QUERY_SECONDS": "2"}
        workers = {name: cluster.start_worker(name, limit=1, **more) for name in ("worker-1", "worker-2")}
        asked: dict[str, Any] = {"sources": "s3://bucket/in/", "job": "restyle", "prompt": "noir",
                                 "output": "s3://bucket/out/", "window": 8, "jobs_at_once": 8}
        async with get_client() as client:
            deployment = await client.read_deployment_by_name("batch/batch")
            runs = [await client.create_flow_run_from_deployment(
                deployment.id, parameters={**asked, "part": f"{number}/2"}) for number in (1, 2)]
            yield Batch(cluster, queue, workers, more, client, runs)
        assert queue.jobs_made == CLIPS
    made = [found for found in remote.list_files("s3://bucket/out/") if found.address.endswith(".mp4")]
    assert len(made) == CLIPS
    assert len(remote.list_files("s3://bucket/out/manifest-*")) == 2


async def test_a_killed_worker_s_run_is_taken_up_by_the_other_and_nothing_is_paid_twice(
    cluster: Cluster, object_store: dict[str, str], tmp_path: Path, ffmpeg: Path
) -> None:
    async with batch_over_two_workers(cluster, object_store, tmp_path, ffmpeg) as batch:
        await batch.until_bought(CLIPS // 2)
        async with Ledger.open(cluster.ledger, work_dir=tmp_path) as ledger:
            await kill_between_forms(batch.workers["worker-1"].pid, ledger)
        assert await batch.attempts() == [1, 2]


async def test_workers_that_are_restarted_one_after_another_lose_nothing(
    cluster: Cluster, object_store: dict[str, str], tmp_path: Path, ffmpeg: Path
) -> None:
    async with batch_over_two_workers(cluster, object_store, tmp_path, ffmpeg) as batch:
        for name, bought in (("worker-1", CLIPS // 4), ("worker-2", CLIPS // 2)):
            await batch.until_bought(bought)
            batch.workers[name].terminate()
            assert await asyncio.to_thread(batch.workers[name].wait, 60) == 0
            cluster.start_worker(name, limit=1, **batch.environment)
        assert sum(await batch.attempts()) > 2, "none was stopped: give it more clips"
