"""The same look at what every side handed over: size, rate, frames, sound, sync, and its likeness by VMAF."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path
from statistics import median
from typing import Any

import av
import numpy as np

from benchmarks.clips import FLASH_SHARE
from reelflow.media.probe import probe

TIES = ("earlier", "later")
_LEVEL = re.compile(r"VMAF score: ([\d.]+)")


def look_at(film: Path) -> dict[str, Any]:
    """Facts of a film: size, rate, frames, seconds, bytes, and the seconds of its sound (None: no sound)."""
    found = asyncio.run(probe(film))
    sound = found.sounds[0] if found.sounds else None
    return {
        "size": str(found.shown), "rate": float(found.rate), "frames": found.frames,
        "seconds": round(found.seconds, 3), "sound_seconds": round(sound.end - sound.start, 3) if sound else None,
        "megabytes": round(found.size_bytes / 1e6, 2),
    }


def sync_of(film: Path) -> float:
    """By how many milliseconds the tones come after the flashes of a clip of ours; the median over its seconds."""
    with av.open(str(film)) as container:
        flashes, was_lit = [], True
        for frame in container.decode(video=0):
            side = frame.height // FLASH_SHARE
            lit = bool(frame.to_ndarray(format="gray")[side // 4:side // 2, side // 4:side // 2].mean() > 225)
            if lit and not was_lit and frame.time is not None:
                flashes.append(frame.time)
            was_lit = lit
    with av.open(str(film)) as container:
        stream = container.streams.audio[0]
        blocks, begin = [], None
        for sound in container.decode(stream):
            begin = sound.time if begin is None else begin
            blocks.append(np.abs(sound.to_ndarray().astype(float)).max(axis=0))
    loud = np.concatenate(blocks)
    loud = loud > 0.3 * loud.max()
    rate, quiet_for = stream.sample_rate, stream.sample_rate // 4
    places = np.flatnonzero(loud)
    tones = [(begin or 0.0) + place / rate for place in places if place > quiet_for and not
             loud[place - quiet_for:place].any()]
    offsets = [min((tone - flash for tone in tones), key=abs) for flash in flashes]
    return round(1000 * median(offsets), 1) if offsets else float("nan")


def vmaf(film: Path, reference: Path, *, ffmpeg: Path, every: int = 5) -> float:
    """How like its reference a film looks, 0 to 100, over each `every`-th of its frames, taken one to one."""
    ended = subprocess.run([
        ffmpeg, "-hide_banner", "-i", film, "-i", reference, "-lavfi",
        "[0:v]settb=AVTB,setpts=N/TB/25,format=yuv420p[a];[1:v]settb=AVTB,setpts=N/TB/25,format=yuv420p[b];"
        f"[a][b]libvmaf=n_threads=2:n_subsample={every}:shortest=1", "-f", "null", "-",
    ], check=True, capture_output=True, text=True)
    found = _LEVEL.search(ended.stderr)
    assert found is not None, ended.stderr[-500:]
    return round(float(found[1]), 2)


def rated(old: int, new: int, tie: str) -> str:
    """Filters to another rate, where a moment half-way between two frames shows the `earlier` or the `later` one.

    ffmpeg's `fps` takes the later one, reelflow the one that is on the screen then; neither is nearer.
    """
    shift = f"settb=AVTB,setpts=PTS-0.49/{old}/TB," if tie == "earlier" else ""
    return f"{shift}fps={new}:start_time=0:round={'up' if shift else 'near'}"


def likeness(film: Path, references: Iterable[Path], *, ffmpeg: Path, every: int = 5) -> float:
    """VMAF against the reference that breaks ties as the film's maker does: the one that it is most like.

    `every` shares no divisor with the number of frames after which ties come again, else they are never looked at.
    """
    return max(vmaf(film, reference, ffmpeg=ffmpeg, every=every) for reference in references)


def lossless(source: Path, target: Path, filters: str, *, ffmpeg: Path, start: float = 0.0) -> Path:
    """A film as it would be without any loss: the reference of `vmaf`, made once."""
    if not target.exists():
        subprocess.run([
            ffmpeg, "-y", "-v", "error", "-i", source, "-an", "-vf",
            f"trim=start={start},setpts=PTS-STARTPTS,{filters}", "-c:v", "libx264", "-preset", "ultrafast",
            "-qp", "0", "-f", "mp4", target,
        ], check=True)
    return target


def as_text(facts: dict[str, Any]) -> str:
    """Facts on one line."""
    return json.dumps(facts, ensure_ascii=False)
