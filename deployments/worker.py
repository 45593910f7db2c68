"""A Prefect worker that can be stopped: first its runs, each with time for the reply that it waits for, then itself.

`prefect worker start` kills the processes of its runs the moment that it is told to stop (seen on Prefect 3.8.8: it
cancels the wait for them, which anyio ends with SIGKILL). A form whose reply was on its way is then one of which nobody
knows whether it was bought, and a person is asked: after each restart of a worker that was at work. Told by SIGTERM a
run ends in order, within seconds; it is then Crashed, and taken up by another worker at once.

`python -m deployments.worker [OPTIONS]` takes the options of `prefect worker start`; pool and type are said.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

from deployments.parts import die_with_parent, program
from flows.setup import POOL

# A run that is stopped waits up to 15 s for the reply to a form that is out.
_RUNS_SECONDS = 30.0
_WORKER_SECONDS = 10.0


class _Asked:
    """How often somebody has asked for the end: once for an orderly one, again for one without the runs'."""

    def __init__(self) -> None:
        self.times = 0
        for one in (signal.SIGINT, signal.SIGTERM):
            signal.signal(one, self._again)

    def _again(self, _signal: int, _frame: FrameType | None) -> None:
        self.times += 1


def main(options: list[str]) -> int:
    """Run the worker until it ends, or until SIGINT or SIGTERM. Returns the exit code."""
    asked = _Asked()
    # In a session of its own: what is sent to the terminal's processes, or to ours, must not get to the runs.
    worker = subprocess.Popen(
        [program("prefect"), "worker", "start", "--pool", POOL, "--type", "process", *options],
        start_new_session=True, preexec_fn=die_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509
    )
    while worker.poll() is None and not asked.times:
        time.sleep(0.2)
    if worker.poll() is None:
        _end_runs(worker.pid, asked)
        worker.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            worker.wait(_WORKER_SECONDS)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(worker.pid, signal.SIGKILL)
    return worker.wait()


def _end_runs(worker: int, asked: _Asked) -> None:
    """SIGTERM for each run, also for one that is begun meanwhile, and time to end."""
    told: set[int] = set()
    until = time.monotonic() + _RUNS_SECONDS
    while (runs := children_of(worker)) and asked.times < 2 and time.monotonic() < until:
        for run in runs - told:
            told.add(run)
            with contextlib.suppress(ProcessLookupError):
                os.kill(run, signal.SIGTERM)
        time.sleep(0.2)


def children_of(parent: int) -> set[int]:
    """The processes that a process has started itself and that have not ended."""
    found = set()
    for pid, its_parent, state in _processes():
        if its_parent == parent and not state.startswith("Z"):
            found.add(pid)
    return found


def _processes() -> list[tuple[int, int, str]]:
    """Of each process its id, its parent's and its state: from /proc, which slim images have, else from `ps`."""
    found: list[tuple[int, int, str]] = []
    if sys.platform == "linux":
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdecimal():
                    state, parent = (entry / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()[:2]
                    found.append((int(entry.name), int(parent), state))
        return found
    told = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,state="], capture_output=True, text=True, check=False).stdout
    for line in told.splitlines():
        pid, parent, state = line.split()[:3]
        found.append((int(pid), int(parent), state))
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
