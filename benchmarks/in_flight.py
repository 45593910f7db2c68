"""1000 jobs in flight in one process: how much CPU it takes to wait for them, how often the queue is asked, and how
long after its end a job is noticed. `SECONDS=20 make bench ONLY=in_flight` for shorter jobs; `SPREAD=0.2` for jobs that
take a fifth more or less than that.
"""

from __future__ import annotations

import json
import os
import sys
from functools import partial
from pathlib import Path

from benchmarks.benchmark import Benchmark, Figures, Row
from benchmarks.measure import measure
from benchmarks.room import ALTERNATIVES, Queue, Room

_JOBS = 1000


def benchmark(room: Room) -> Benchmark:
    """Set it up."""
    seconds = float(os.environ.get("SECONDS", "60"))
    spread = float(os.environ.get("SPREAD", "0"))
    queue = room.queue(service=seconds, slots=_JOBS, spread=spread)
    clip = room.scratch / "tiny.mp4"
    clip.write_bytes(os.urandom(20_000))
    here = Path(__file__).parent
    give = f", give or take {spread:.0%}" if spread else ""
    return Benchmark(
        "in_flight", f"{_JOBS} jobs in flight, {seconds:g} s each{give}, in one process", {
            "reelflow": partial(_waited, room, queue, here / "in_flight_reelflow.py", clip),
            "SDK gather": partial(_waited, room, queue, ALTERNATIVES / "gather_sdk.py", clip),
        },
        (
            Row("CPU, against asyncio.gather with the SDK", "cpu", 0.5, "SDK gather"),
            Row("requests, against the SDK", "requests", 0.8, "SDK gather"),
            Row("median time from done to noticed", "noticed_after", 1.2, unit="s"),
            Row("the same, of the SDK", "noticed_after", None, ours="SDK gather", unit="s"),
            Row("wall, against the SDK", "wall", None, "SDK gather"),
        ), quick_rounds=1,
    )


def _waited(room: Room, queue: Queue, script: Path, clip: Path) -> Figures:
    queue.reset()
    with room.fresh() as folder:
        took = measure([sys.executable, script, clip, folder, str(_JOBS)], room.environment(queue))
        brought = len(list(folder.glob("*.mp4"))) + len(list((folder / "store").glob("[0-9a-f][0-9a-f]/*.mp4")))
    counted = queue.figures()
    if counted["submits"] != _JOBS or not brought:
        raise RuntimeError(f"{script.name} bought {counted['submits']} jobs in place of {_JOBS}.")
    return {
        **json.loads(took.said), "requests": counted["requests"], "noticed_after": counted["noticed_after"],
        "noticed_after_p95": counted["noticed_after_p95"], "peak_mb": took.peak_bytes / 1e6,
    }
