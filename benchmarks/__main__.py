"""`make bench`, or `python -m benchmarks [NAME…]`: run, print the table, write JSON and pictures to `results/`.

One that is named has all its rounds, behind a warm-up. Where none is named, all are looked at within a quarter of an
hour: the long ones in one round, without a warm-up; with `--full` each has all of its own.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.benchmark import Benchmark, Outcome, run
from benchmarks.chart import draw, draw_phases
from benchmarks.room import ROOT, Room
from benchmarks.table import as_markdown, as_text, checks_as_text

NAMES = (
    "startup", "ledger", "bulk", "orchestration", "one_clip", "segments", "many_clips", "in_flight",
)
RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """Run what is asked for; 1 where a limit was missed."""
    options = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("names", nargs="*", help="benchmarks; all, if none is named")
    options.add_argument("--rounds", type=int, help="rounds in place of each benchmark's own number")
    options.add_argument("--full", action="store_true", help="all rounds, and a warm-up, where all are run: an hour")
    options.add_argument("--results", type=Path, default=RESULTS)
    asked = options.parse_args()
    if unknown := set(asked.names) - set(NAMES):
        options.error(f"there is no benchmark {', '.join(sorted(unknown))}: choose from {', '.join(NAMES)}")
    if asked.rounds is not None and asked.rounds < 1:
        options.error(f"--rounds {asked.rounds}: at least one is needed")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    quick = not asked.names and not asked.full
    asked.results.mkdir(parents=True, exist_ok=True)
    machine, outcomes = describe_machine(), []
    for name in asked.names or NAMES:
        outcomes.append(_measured(name, asked.rounds, quick=quick))
        _write(asked.results, outcomes[-1], machine)
    table = as_text(outcomes)
    _say(f"\n{table}\n{checks_as_text(outcomes)}\n{json.dumps(machine)}")
    known = [json.loads(path.read_text("utf-8")) for name in NAMES if (path := asked.results / f"{name}.json").exists()]
    (asked.results / "table.md").write_text(as_markdown(known), "utf-8")
    draw(known, asked.results / "ratios.png")
    draw_phases(known, asked.results / "where-the-time-goes.png")
    sys.exit(any(result.reached is False for outcome in outcomes for result in outcome.results))


def _measured(name: str, rounds: int | None, *, quick: bool) -> Outcome:
    began = time.monotonic()
    kept = ROOT / ".bench"
    with Room(Path(tempfile.mkdtemp(prefix="reelflow-bench-")), kept) as room:
        made: Benchmark = importlib.import_module(f"benchmarks.{name}").benchmark(room)
        outcome = run(made, rounds=rounds, quick=quick, tell=_say)
    _say(f"{name}: {time.monotonic() - began:.0f} s in all")
    return outcome


def describe_machine() -> dict[str, Any]:
    """The machine that this runs on, as far as it says what figures mean."""
    cpu = next((line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                if line.startswith("model name")), platform.processor()) if Path("/proc/cpuinfo").exists() else ""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"), "cpu": cpu or platform.processor(),
        "cores": os.cpu_count(), "load": [round(one, 1) for one in os.getloadavg()],
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "system": f"{platform.system()} {platform.release()}", "python": platform.python_version(),
        "prefect": version("prefect"), "decart": version("decart"), "ffmpeg": _ffmpeg_version(),
    }


def _ffmpeg_version() -> str:
    from reelflow.media.run import find_ffmpeg

    said = subprocess.run([find_ffmpeg("bundled"), "-version"], capture_output=True, text=True, check=True).stdout
    return said.split()[2]


def _write(folder: Path, outcome: Outcome, machine: dict[str, Any]) -> None:
    (folder / f"{outcome.name}.json").write_text(
        json.dumps({**asdict(outcome), "machine": machine}, indent=1, ensure_ascii=False) + "\n", "utf-8")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
