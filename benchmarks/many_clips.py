"""200 clips of a second on a queue of 50 slots: the plain library under asyncio, against asyncio.gather with the SDK.

The batch flow does the same as a deployment; this is what it stands on, measured without Prefect.

What is ideal: the queue needs jobs / slots x service (8 s). "Of the ideal, encoding subtracted" is that as a part of
the wall without what ffmpeg uses of the cores (CPU seconds / cores). Who encodes while jobs are served can get above 1
by it, and who encodes dearly does so more easily; so a second row asks more: no order of work can be faster than the
longer of the two, the queue's time with one clip prepared before and finished behind it, or ffmpeg's; that, as a part
of the whole wall, is "of the least that its own encoding allows". Both are told for both sides. The start of Python,
the probes and all else that is done count against them; on a machine with other work both fall short.
"""

from __future__ import annotations

import json
import os
import sys
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import checks
from benchmarks.benchmark import Benchmark, Figures, Row
from benchmarks.clips import camera_clip
from benchmarks.measure import measure
from benchmarks.room import ALTERNATIVES, Queue, Room

_CLIPS, _SLOTS, _SERVICE = 200, 50, 2.0
_QUEUE = _CLIPS / _SLOTS * _SERVICE
_SMALL = {"lucy-2.5": {"like": "lucy-2.5", "width": 320, "height": 180}}


def benchmark(room: Room) -> Benchmark:
    """Set it up."""
    clips = room.scratch / "clips"
    clips.mkdir()
    first = camera_clip(room.kept, room.real_ffmpeg, width=320, height=180, rate=30, seconds=1)
    for number in range(_CLIPS):
        # An MP4 box that nobody reads: the same film in other bytes.
        (clips / f"{number:03}.mp4").write_bytes(first.read_bytes() + b"\0\0\0\x10free" + number.to_bytes(8, "big"))
    queue = room.queue(service=_SERVICE, slots=_SLOTS)
    made = {name: room.scratch / f"made-{name}" for name in ("reelflow", "sdk")}
    for folder in made.values():
        folder.mkdir()
    return Benchmark(
        "many_clips", f"{_CLIPS} clips of 1 s, {_SLOTS} slots, service {_SERVICE:g} s", {
            "reelflow": partial(_reelflow, room, queue, clips, made["reelflow"]),
            "SDK gather": partial(_script, room, queue, clips, made["sdk"]),
        },
        (
            Row("wall, against asyncio.gather with the SDK", "wall", 1.2, "SDK gather"),
            Row("of the ideal, encoding subtracted", "of_ideal", 0.85, unit="", least=True),
            Row("the same, of the SDK's side", "of_ideal", None, ours="SDK gather", unit=""),
            Row("of the least that its own encoding allows", "of_least", None, unit=""),
            Row("the same, of the SDK's side", "of_least", None, ours="SDK gather", unit=""),
            Row("CPU in all, against the SDK", "cpu", None, "SDK gather"),
            Row("requests, against the SDK", "requests", None, "SDK gather"),
        ),
        quick_rounds=1, look=partial(_look, room, made),
    )


def _reelflow(room: Room, queue: Queue, clips: Path, made: Path) -> Figures:
    with room.fresh() as folder:
        return _counted(room, queue, [
            sys.executable, Path(__file__).parent / "many_clips_reelflow.py", clips, made,
        ], room.environment(queue, REELFLOW_WORK_DIR=str(folder), REELFLOW_JOBS_AT_ONCE=str(_SLOTS),
                            REELFLOW_MODELS=json.dumps(_SMALL), REELFLOW_FFMPEG=str(room.real_ffmpeg)))


def _script(room: Room, queue: Queue, clips: Path, made: Path) -> Figures:
    return _counted(room, queue, [
        sys.executable, ALTERNATIVES / "many_clips.py", clips, made, "--at-once", str(_SLOTS), "--size", "320x180",
    ], room.environment(queue, FFMPEG=str(room.real_ffmpeg)))


def _counted(room: Room, queue: Queue, command: list[str | Path], environment: dict[str, str]) -> Figures:
    queue.reset()
    took = measure(command, environment)
    counted, told = queue.figures(), json.loads(took.said)
    if counted["submits"] != _CLIPS:
        raise RuntimeError(f"{command[1]} bought {counted['submits']} jobs in place of {_CLIPS}.")
    film_work = told["film_cpu"] / (os.cpu_count() or 1)
    return {"wall": took.wall, "cpu": took.cpu, "film_work": film_work, "of_ideal": _QUEUE / (took.wall - film_work),
            "of_least": max(film_work, _QUEUE + film_work / _CLIPS) / took.wall,
            "requests": counted["requests"], "noticed_after": counted["noticed_after"]}


def _look(room: Room, made: dict[str, Path]) -> list[dict[str, Any]]:
    return [
        {"side": name, "films": len(list(folder.glob("*.mp4"))), **checks.look_at(folder / "100.mp4")}
        for name, folder in made.items()
    ]
