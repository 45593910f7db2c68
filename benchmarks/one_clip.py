"""One clip of 10 s out of a 1080p film: `reelflow edit` against the two scripts that people write.

Everything that a user waits for is counted: the start of Python and its imports, the film work, Prefect's API.
Prefect's server is up already, as in a team; the work folder is empty, so that nothing is found there.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import checks
from benchmarks.benchmark import PHASE, Benchmark, Figures, Row, Side
from benchmarks.checks import TIES
from benchmarks.clips import camera_clip
from benchmarks.measure import measure
from benchmarks.room import ALTERNATIVES, BIN, Queue, Room

_START, _SECONDS, _SERVICE = 1.0, 10.0, 1.0
_OURS = "superfast,14,mbtree=1:rc-lookahead=10"  # what reelflow encodes with


def benchmark(room: Room) -> Benchmark:
    """Set it up."""
    clip = camera_clip(room.kept, room.real_ffmpeg, width=1920, height=1080, rate=30, seconds=12)
    queue = room.queue(service=_SERVICE, slots=4)
    made = room.scratch / "one-clip"
    made.mkdir()
    three, one = (partial(_script, room, queue, clip, made, name) for name in ("three_commands", "one_command"))
    sides: dict[str, Side] = {
        "reelflow": _keeping(partial(_reelflow, room, queue, clip, made / "reelflow.mp4"), queue, made, "reelflow"),
        "three commands": _keeping(partial(three, "three", ()), queue, made, "three"),
        "three commands, our presets": _keeping(
            partial(three, "three-ours", ("--sent", _OURS, "--finished", _OURS)), queue, made, "three-ours"),
        "one command": _keeping(partial(one, "one", ()), queue, made, "one"),
        "one command, our presets": _keeping(
            partial(one, "one-ours", ("--sent", _OURS, "--finished", _OURS)), queue, made, "one-ours"),
    }
    return Benchmark(
        "one_clip", "One 10 s clip of 1080p, service 1 s, Prefect's server warm", sides,
        (
            Row("wall, against three ffmpeg commands", "wall", 0.4, "three commands"),
            Row("ffmpeg's CPU, against three commands", "ffmpeg_cpu", 0.2, "three commands"),
            Row("ffmpeg's CPU, against three commands with our presets", "ffmpeg_cpu", 0.45,
                "three commands, our presets"),
            Row("the same, of one command each side with our presets", "ffmpeg_cpu", None,
                "three commands, our presets", ours="one command, our presets"),
            Row("wall, against one command each side", "wall", 1.05, "one command"),
            Row("wall, against one command with our presets", "wall", None, "one command, our presets"),
            Row("CPU in all, against three commands", "cpu", None, "three commands"),
        ),
        quick_rounds=1, look=partial(_look, room, clip, made),
    )


def _reelflow(room: Room, queue: Queue, clip: Path, target: Path) -> Figures:
    with room.fresh() as folder:
        room.ffmpeg.cpu()
        took = measure([
            BIN / "reelflow", "edit", clip, "--prompt", "film noir", "--start", str(_START), "--duration",
            str(_SECONDS), "--output", target, "--overwrite", "--json",
        ], room.environment(queue, PREFECT_API_URL=room.prefect, REELFLOW_WORK_DIR=str(folder)))
    phases = {f"{PHASE}{name}": seconds for name, seconds in json.loads(took.said)["phases"].items()}
    return {"wall": took.wall, "cpu": took.cpu, "ffmpeg_cpu": room.ffmpeg.cpu(), **phases}


def _script(
    room: Room, queue: Queue, clip: Path, made: Path, script: str, name: str, options: tuple[str, ...]
) -> Figures:
    room.ffmpeg.cpu()
    took = measure([
        sys.executable, ALTERNATIVES / f"{script}.py", clip, made / f"{name}.mp4", "--prompt", "film noir", "--start",
        str(_START), "--duration", str(_SECONDS), *options,
    ], room.environment(queue))
    return {"wall": took.wall, "cpu": took.cpu, "ffmpeg_cpu": room.ffmpeg.cpu()}


def _keeping(side: Callable[[], Figures], queue: Queue, made: Path, name: str) -> Side:
    """The side, after which what it has sent is kept to be looked at."""
    def once() -> Figures:
        figures = side()
        queue.last_film(made / f"{name}-sent.mp4")
        return figures

    return once


def _look(room: Room, clip: Path, made: Path) -> list[dict[str, Any]]:
    ffmpeg, frames = room.real_ffmpeg, round(_SECONDS * 30)
    fine = "flags=lanczos+accurate_rnd+full_chroma_int"
    sent, whole = [], []
    for tie in TIES:
        small = f"{checks.rated(30, 20, tie)},scale=1280:720:{fine}"
        back = f"{checks.rated(20, 30, tie)},scale=1920:1080:{fine}"
        sent.append(checks.lossless(clip, made / f"ideal-sent-{tie}.mp4",
                                    f"{small},trim=end_frame={round(_SECONDS * 20)}", ffmpeg=ffmpeg, start=_START))
        whole.append(checks.lossless(clip, made / f"ideal-{tie}.mp4", f"{small},{back},trim=end_frame={frames}",
                                     ffmpeg=ffmpeg, start=_START))
    rows = []
    for name in ("reelflow", "three", "three-ours", "one", "one-ours"):
        output, was_sent = made / f"{name}.mp4", made / f"{name}-sent.mp4"
        found = checks.look_at(was_sent)
        rows.append({
            "side": name, **checks.look_at(output), "sync_ms": checks.sync_of(output),
            "vmaf": checks.likeness(output, whole, ffmpeg=ffmpeg, every=10), "sent_frames": found["frames"],
            "sent_megabytes": found["megabytes"], "sent_vmaf": checks.likeness(was_sent, sent, ffmpeg=ffmpeg),
        })
    return rows
