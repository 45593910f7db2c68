"""What orchestration alone costs: a whole flow on a queue that answers at once, with a film of one frame, against a
flow of as many empty Prefect tasks. Both run in a process that is warm, against a Prefect server that is warm. What
ffmpeg and the probes take is measured over the plain library in the same round, and taken off.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.benchmark import Benchmark, Figures, Row
from benchmarks.room import Room


def benchmark(room: Room) -> Benchmark:
    """Set it up."""
    queue = room.queue(service=0, slots=8)
    clip = room.scratch / "frame.mp4"
    subprocess.run([
        room.real_ffmpeg, "-y", "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=64x36:r=20", "-frames:v", "1", "-c:v",
        "libx264", "-pix_fmt", "yuv420p", "-vf",
        "setparams=color_primaries=bt709:color_trc=bt709:colorspace=bt709:range=tv", clip,
    ], check=True)
    small = {"tiny": {"like": "lucy-2.5", "width": 64, "height": 36}}
    environment = room.environment(
        queue, PREFECT_API_URL=room.prefect, PREFECT_LOGGING_LEVEL="WARNING", REELFLOW_MODELS=json.dumps(small),
        REELFLOW_FFMPEG=str(room.real_ffmpeg), REELFLOW_POLL_SECONDS="0.05",
        REELFLOW_WORK_DIR=str(room.scratch / "orchestration"),
    )
    ask = room.server([sys.executable, str(Path(__file__).parent / "orchestration_flows.py"), str(clip)], environment)
    return Benchmark(
        "orchestration", "Orchestration only: a film of one frame, a queue that answers at once", {
            "reelflow": partial(_asked, ask, "reelflow"),
            "empty tasks": partial(_asked, ask, "empty"),
        },
        (
            Row("wall without the film work itself, against as many empty Prefect tasks", "orchestration", 1.5,
                "empty tasks"),
            Row("the film work itself (ffmpeg twice, probes four times)", "film_work", None, unit="s"),
            Row("wall of the whole flow, against the empty tasks", "wall", None, "empty tasks"),
            Row("tasks of the flow", "tasks", None),
        ),
        rounds=15,  # of a second each, any of which can meet a moment in which Prefect's server is at something else
    )


def _asked(ask: Callable[[str], str], which: str) -> Figures:
    found: Figures = json.loads(ask(which))
    return found
