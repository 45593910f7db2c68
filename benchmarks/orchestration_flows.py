"""The warm process behind `orchestration`: for each line it is asked, `reelflow` or `empty`, it runs once and says how
long that took, as one JSON object.
"""

import asyncio
import contextlib
import json
import os
import sys
import time
from pathlib import Path
from uuid import UUID

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

from benchmarks.plain import edit as edit_plainly
from flows.edit import edit
from tasks.run import open_run


@task(cache_policy=NO_CACHE)
async def empty(number: int) -> int:
    """Do nothing."""
    return number


@flow
async def empties(count: int) -> None:
    """As many empty tasks, one after another, as a flow's tasks mostly are."""
    for number in range(count):
        await empty(number)


async def count_tasks(flow_run: str) -> int:
    """How many task runs a flow run had. The server writes them down some time after they have ended."""
    of_run = FlowRunFilter(id=FlowRunFilterId(any_=[UUID(flow_run)]))
    before, found = -1, 0
    async with get_client() as client:
        while before < found:
            await settle()
            before, found = found, len(await client.read_task_runs(flow_run_filter=of_run))
    return found


async def settle() -> None:
    """Wait until the server has written down what came before: it does that afterwards, and would do it in our time."""
    calm = 0
    async with get_client() as client:
        while calm < 10:
            await asyncio.sleep(0.1)
            began = time.perf_counter()
            await client.read_flows(limit=1)
            calm = calm + 1 if time.perf_counter() - began < 0.03 else 0


class Runs:
    """What is run, each time on a clip that nobody has seen before."""

    def __init__(self, clip: Path) -> None:
        self._clip, self._number, self.tasks = clip, 0, 0

    def _fresh(self) -> Path:
        self._number += 1
        made = self._clip.with_name(f"frame-{self._number}.mp4")
        # An MP4 box that nobody reads: the same film in other bytes.
        made.write_bytes(self._clip.read_bytes() + b"\0\0\0\x10free" + self._number.to_bytes(8, "big"))
        return made

    async def reelflow(self) -> dict[str, float]:
        """The whole flow, then the same over the plain library."""
        source, target = self._fresh(), self._clip.with_name("made.mp4")
        await settle()
        began, used = time.perf_counter(), time.process_time()
        report = await edit(str(source), prompt=f"film noir {self._number}", model="tiny", output=str(target),
                            overwrite=True)
        wall, cpu = time.perf_counter() - began, time.process_time() - used
        if not self.tasks:
            self.tasks = await count_tasks(report["flow_run_id"])
        source = self._fresh()
        began = time.perf_counter()
        async with open_run() as run:
            await edit_plainly(run, source, self._clip.with_name("plain.mp4"), model="tiny",
                               prompt=f"film noir {self._number}", pictures=True)
        plain = time.perf_counter() - began
        return {"wall": wall, "orchestration": wall - plain, "film_work": plain, "cpu": cpu, "tasks": self.tasks}

    async def empty(self) -> dict[str, float]:
        """As many empty tasks."""
        await settle()
        began, used = time.perf_counter(), time.process_time()
        await empties(self.tasks)
        wall = time.perf_counter() - began
        return {"wall": wall, "orchestration": wall, "cpu": time.process_time() - used, "tasks": self.tasks}


def main() -> None:
    """Answer until nobody asks any more."""
    runs, answers = Runs(Path(sys.argv[1])), os.fdopen(os.dup(1), "w")
    # What Prefect prints must not come between the answers.
    os.dup2(2, 1)
    with contextlib.suppress(KeyboardInterrupt):
        for line in sys.stdin:
            answers.write(json.dumps(asyncio.run(getattr(runs, line.strip())())) + "\n")
            answers.flush()


if __name__ == "__main__":
    main()
