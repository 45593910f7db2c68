"""How long `reelflow --help` and `import reelflow` take, against `import httpx` alone."""

from __future__ import annotations

import sys
from functools import partial
from statistics import median

from benchmarks.benchmark import Benchmark, Figures, Row
from benchmarks.measure import measure
from benchmarks.room import BIN, Room

_TIMES = 5


def benchmark(room: Room) -> Benchmark:
    """Set it up."""
    return Benchmark(
        "startup", "Starting up", {
            "reelflow --help": partial(_start, room, str(BIN / "reelflow"), "--help"),
            "import reelflow": partial(_start, room, sys.executable, "-c", "import reelflow"),
            "import httpx": partial(_start, room, sys.executable, "-c", "import httpx"),
        },
        (
            Row("reelflow --help, against import httpx", "wall", 2.0, "import httpx", ours="reelflow --help"),
            Row("import reelflow, against import httpx", "wall", 2.0, "import httpx", ours="import reelflow"),
        ),
    )


def _start(room: Room, *command: str) -> Figures:
    """The median of a few starts: one alone lasts a quarter of a second, and tells little."""
    environment = room.environment()
    took = [measure(command, environment) for _ in range(_TIMES)]
    return {"wall": median(one.wall for one in took), "cpu": median(one.cpu for one in took)}
