"""A clip of 1 GiB sent and fetched, in a process of its own: how much memory it takes, and how long."""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path

from benchmarks.benchmark import Benchmark, Figures, Row
from benchmarks.measure import measure
from benchmarks.room import ALTERNATIVES, Queue, Room

_GIB = 2**30


def benchmark(room: Room) -> Benchmark:
    """Set it up."""
    queue = room.queue(service=0, slots=4, gives=_GIB)
    clip = room.scratch / "gibibyte.mp4"
    clip.touch()
    os.truncate(clip, _GIB)  # a file of zeros that takes no room
    sides = {
        "reelflow": partial(_moved, room, queue, Path(__file__).parent / "bulk_reelflow.py", clip),
        "SDK": partial(_moved, room, queue, ALTERNATIVES / "bulk_sdk.py", clip),
    }
    return Benchmark(
        "bulk", "A clip of 1 GiB up and its result of 1 GiB down", sides,
        (
            Row("peak memory above what its imports take, against the SDK", "grown", 0.05, "SDK"),
            Row("peak memory of the whole process, against the SDK", "peak", None, "SDK"),
            Row("wall, against the SDK", "wall", None, "SDK"),
            Row("CPU, against the SDK", "cpu", None, "SDK"),
        ), quick_rounds=2,
    )


def _moved(room: Room, queue: Queue, script: Path, clip: Path) -> Figures:
    with room.fresh() as folder:
        environment = room.environment(queue)
        idle = measure([sys.executable, script, "--idle"], environment)
        took = measure([sys.executable, script, clip, folder / "result.mp4"], environment)
        size = (folder / "result.mp4").stat().st_size
        if size != _GIB:
            raise RuntimeError(f"{script.name} brought {size} bytes home in place of {_GIB}.")
    return {
        "grown": float(max(took.peak_bytes - idle.peak_bytes, 1)), "peak": float(took.peak_bytes),
        "wall": took.wall - idle.wall, "cpu": took.cpu - idle.cpu,
    }
