"""A clip of a minute in segments of 5 s, which the queue does 8 at a time: a recipe against a script that does one
segment after another.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import checks
from benchmarks.benchmark import Benchmark, Figures, Row
from benchmarks.clips import camera_clip
from benchmarks.measure import measure
from benchmarks.room import ALTERNATIVES, BIN, Queue, Room

_SECONDS, _SEGMENT, _SERVICE, _SLOTS = 60, 5, 3.0, 8
_RECIPE = f"""name: segments
steps:
  - edit: {{model: lucy-2.5, prompt: film noir, max_segment_seconds: {_SEGMENT}}}
outputs:
  - path: segments.mp4
"""


def benchmark(room: Room) -> Benchmark:
    """Set it up."""
    clip = camera_clip(room.kept, room.real_ffmpeg, width=640, height=360, rate=30, seconds=_SECONDS)
    queue = room.queue(service=_SERVICE, slots=_SLOTS)
    made = room.scratch / "segments"
    made.mkdir()
    recipe = made / "segments.yaml"
    recipe.write_text(_RECIPE, "utf-8")
    return Benchmark(
        "segments",
        f"A {_SECONDS} s clip of 360p in segments of {_SEGMENT} s, {_SLOTS} slots, service {_SERVICE:g} s", {
            "reelflow": partial(_reelflow, room, queue, clip, recipe, made / "reelflow"),
            "segment after segment": partial(_script, room, queue, clip, made / "script.mp4"),
        },
        (
            Row("wall, against one segment after another", "wall", 0.3, "segment after segment"),
            Row("ffmpeg's CPU, against one segment after another", "ffmpeg_cpu", None, "segment after segment"),
        ),
        quick_rounds=1, look=partial(_look, room, clip, made),
    )


def _reelflow(room: Room, queue: Queue, clip: Path, recipe: Path, target: Path) -> Figures:
    with room.fresh() as folder:
        room.ffmpeg.cpu()
        took = measure([
            BIN / "reelflow", "recipe", "run", recipe, clip, "--output", f"{target}/", "--overwrite", "--json",
        ], room.environment(queue, PREFECT_API_URL=room.prefect, REELFLOW_WORK_DIR=str(folder),
                            REELFLOW_JOBS_AT_ONCE=str(_SLOTS)))
    return {"wall": took.wall, "cpu": took.cpu, "ffmpeg_cpu": room.ffmpeg.cpu()}


def _script(room: Room, queue: Queue, clip: Path, target: Path) -> Figures:
    room.ffmpeg.cpu()
    took = measure([
        sys.executable, ALTERNATIVES / "segments.py", clip, target, "--prompt", "film noir", "--seconds",
        str(_SECONDS), "--segment", str(_SEGMENT),
    ], room.environment(queue))
    return {"wall": took.wall, "cpu": took.cpu, "ffmpeg_cpu": room.ffmpeg.cpu()}


def _look(room: Room, clip: Path, made: Path) -> list[dict[str, Any]]:
    ideals = [
        checks.lossless(clip, made / f"ideal-{tie}.mp4", f"{checks.rated(30, 20, tie)},{checks.rated(20, 30, tie)}",
                        ffmpeg=room.real_ffmpeg)
        for tie in checks.TIES
    ]
    return [
        {"side": name, **checks.look_at(film), "sync_ms": checks.sync_of(film),
         "vmaf": checks.likeness(film, ideals, ffmpeg=room.real_ffmpeg, every=10)}
        for name, film in (("reelflow", made / "reelflow" / "segments.mp4"), ("script", made / "script.mp4"))
    ]
