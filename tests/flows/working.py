"""A real process worker, runs of deployments, and waiting for what becomes of them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun

PREFECT = str(Path(sys.executable).parent / "prefect")


@contextlib.contextmanager
def running_worker(log: Path) -> Iterator[Path]:
    """A process worker on the pool, with this process's environment; gives its log."""
    with worker_process(log):
        yield log


@contextlib.contextmanager
def worker_process(log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The same; gives its process."""
    environment = {**os.environ, "PREFECT_WORKER_QUERY_SECONDS": "1", "PREFECT_LOGGING_LEVEL": "INFO"}
    with log.open("wb") as written:
        process = subprocess.Popen(
            [sys.executable, "-m", "deployments.worker"], env=environment, stdin=subprocess.DEVNULL, stdout=written,
            stderr=subprocess.STDOUT, start_new_session=True,
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(45)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


async def start(deployment: str, **parameters: Any) -> FlowRun:
    """A run of a deployment."""
    async with get_client() as client:
        found = await client.read_deployment_by_name(deployment)
        return await client.create_flow_run_from_deployment(found.id, parameters=parameters)


async def until(run: FlowRun, states: set[str], log: Path) -> FlowRun:
    """The run, once its state has one of these names."""
    async with get_client() as client:
        try:
            async with asyncio.timeout(120):
                while (run := await client.read_flow_run(run.id)).state_name not in states:
                    await asyncio.sleep(0.3)
        except TimeoutError:
            raise AssertionError(f"The run is {run.state}: {log.read_text()[-3000:]}") from None
    return run


async def events_of(run: Any, *names: str, count: int = 1) -> list[dict[str, Any]]:
    """The events of these names that a flow run has emitted, once there are so many, in their order."""
    wanted = {"event": {"name": list(names)}, "related": {"id": [f"prefect.flow-run.{run}"]}, "order": "ASC"}
    async with asyncio.timeout(60), get_client() as client:
        while True:
            answer = await client._client.post("/events/filter", json={"filter": wanted})
            found: list[dict[str, Any]] = answer.json()["events"]
            if len(found) >= count:
                return found
            await asyncio.sleep(0.3)


ENDED = {"Completed", "Failed", "Crashed", "Cancelled"}
