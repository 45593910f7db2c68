"""Starting `one_run.py`, and killing it where it is told to die."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from reelflow.job.boundary import VARIABLE, Boundary

KILLED = -signal.SIGKILL
SCRIPT = Path(__file__).with_name("one_run.py")


async def start(asked: dict[str, Any], *, kill_at: Boundary | None = None) -> asyncio.subprocess.Process:
    """A run that has begun."""
    environment = {**os.environ, "PYTHONPATH": str(SCRIPT.parent)}
    if kill_at is not None:
        environment[VARIABLE] = kill_at.value
    return await asyncio.create_subprocess_exec(
        sys.executable, str(SCRIPT), json.dumps(asked), env=environment, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE, cwd=SCRIPT.parents[2],
    )


async def ended(process: asyncio.subprocess.Process) -> dict[str, Any]:
    """What a run said at its end; `killed` where it was."""
    said, errors = await process.communicate()
    if process.returncode == KILLED:
        return {"killed": True}
    assert process.returncode == 0, errors.decode()[-3000:]
    return dict(json.loads(said))


async def run(asked: dict[str, Any], *, kill_at: Boundary | None = None) -> dict[str, Any]:
    """A whole run, from start to end."""
    return await ended(await start(asked, kill_at=kill_at))
