"""The ledger: 10 000 wishes written down, against the same rows in SQLite by hand, as durable; and looking one up."""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path

from benchmarks.benchmark import Benchmark, Figures, Row
from benchmarks.measure import measure
from benchmarks.room import ALTERNATIVES, Room

_WISHES, _ROWS = 10_000, 1_000_000


def benchmark(room: Room) -> Benchmark:
    """Set it up."""
    here = Path(__file__).parent
    full = room.scratch / "full"
    full.mkdir()
    measure([sys.executable, here / "ledger_reelflow.py", "fill", full, str(_ROWS)], room.environment())
    return Benchmark(
        "ledger", f"The ledger: {_WISHES} wishes, each on the disk before the next", {
            "reelflow": partial(_written, room, here / "ledger_reelflow.py", full),
            "SQLite": partial(_written, room, ALTERNATIVES / "raw_sqlite.py", None),
        },
        (
            Row("wall, against raw SQLite inserts", "wall", 2.0, "SQLite"),
            Row("CPU, against raw SQLite inserts", "cpu", None, "SQLite"),
            Row(f"look-up of a wish among {_ROWS} rows, median", "look_up_ms", 5.0, unit="ms"),
            Row(f"look-up of a wish among {_ROWS} rows, 99 of 100", "look_up_p99_ms", None, unit="ms"),
        ), quick_rounds=3,
    )


def _written(room: Room, script: Path, full: Path | None) -> Figures:
    with room.fresh() as folder:
        took = measure([sys.executable, script, "write", folder, str(_WISHES)], room.environment())
    figures = dict(json.loads(took.said))
    if full is not None:
        looked = measure([sys.executable, script, "look", full, str(_ROWS)], room.environment())
        figures |= json.loads(looked.said)
    return figures
