"""From a phase's pictures to what is sent: one pass, counted afterwards, put in place whole."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from reelflow.errors import BadInput, MediaFailed
from reelflow.media.analysis import analysed
from reelflow.media.command import Takes, prepare_arguments, remux_arguments
from reelflow.media.geometry import Size
from reelflow.media.media_step import Given
from reelflow.media.probe import Probe, probe
from reelflow.media.run import Ended, Progress, film_limits, run_ffmpeg, written_whole
from reelflow.plan import FromFilm, How, Prepare

_FRAMES_IN = re.compile(r"Parsed_fps_\d+ @ \w+\] (?:\[verbose\] )?(\d+) frames in")
_DECODE_ERRORS = re.compile(r"(\d+) decode errors")


@dataclass(frozen=True, slots=True)
class Prepared:
    """What is sent, at `path`: `frames` and `seconds` of it, how it was made, and the commands that made it."""

    path: Path
    frames: int
    seconds: float
    how: How
    warnings: tuple[str, ...]
    commands: tuple[tuple[str, ...], ...]


async def prepare(
    phase: Prepare, takes: Takes, given: Given, destination: Path, *, ffmpeg: Path, timeout: float,
    on_progress: Callable[[Progress], None] | None = None, strict: bool = False,
) -> Prepared:
    """Make what is sent, at `destination` (a film: MP4; a picture: PNG or JPEG by the suffix).

    `takes` are what earlier jobs returned, by their number. `timeout` is in seconds. What came out is opened and
    counted: ffmpeg ends well on damaged sources too.

    Raises:
        BadInput: with `strict`, a warning.
        MediaFailed: ffmpeg failed, or what it made isn't what was planned.
        MediaTimeout: it took too long.
    """
    given, looked = await analysed(phase.pictures, None, takes, given, ffmpeg=ffmpeg, timeout=timeout)
    feed = phase.pictures.feed
    with written_whole(destination) as part:
        # Named by what it is: the part's own name ends in something else.
        if phase.how is How.COPY and isinstance(feed, FromFilm):
            arguments = remux_arguments(feed.film, part)
        else:
            arguments = prepare_arguments(phase, takes, given, part, suffix=destination.suffix)
        ended = await run_ffmpeg(
            arguments, ffmpeg=ffmpeg, timeout=timeout, on_progress=on_progress,
            limits=film_limits(timeout, most_bytes=phase.max_bytes),
        )
        made = await probe(part)
        check_prepared(phase, made)
        warnings: tuple[str, ...] = ()
        # A copy decodes nothing, so there is nothing to count.
        if isinstance(feed, FromFilm) and phase.how is How.ENCODE and not phase.is_picture:
            warnings = tuple(decoding_warnings(feed.film, phase.pictures.read_at_least(phase.frames), ended))
        if strict and warnings:
            raise BadInput(f"{warnings[0]} Leave --strict away to go on all the same.", field="strict")
    return Prepared(destination, made.frames, made.seconds, phase.how, warnings,
                    (*looked, (str(ffmpeg), *arguments)))


def check_prepared(wanted: Prepare, made: Probe) -> None:
    """Compare a prepared film with its plan. Raises MediaFailed with the first thing that isn't as planned."""
    frame = wanted.geometry.frame
    if made.frames != wanted.frames:
        why = f"it has {made.frames} frames where {wanted.frames} were planned"
    elif (Size(made.width, made.height) if wanted.is_picture else made.shown) != frame:
        why = f"it is {made.shown} where {frame} was planned"
    elif made.rate != wanted.rate and wanted.frames > 1:
        why = f"it has {float(made.rate):g} frames a second where {wanted.rate} were planned"
    elif made.size_bytes > wanted.max_bytes:
        why = f"it is {made.size_bytes} bytes large, and the model takes at most {wanted.max_bytes}"
    else:
        return
    raise MediaFailed(f"What was prepared ({wanted.title}) can't be sent: {why}.")


def decoding_warnings(source: Probe, frames: int, ended: Ended) -> list[str]:
    """What ffmpeg's last lines tell of damage in the source, of which `frames` should have been read."""
    counted = [int(found) for found in _FRAMES_IN.findall(ended.stderr)]
    errors = max((int(found) for found in _DECODE_ERRORS.findall(ended.stderr)), default=0)
    spoilt = sum("[error]" in line for line in ended.stderr.splitlines())
    # The filters stop asking once they have their last frame, so the very last ones may never be read.
    unread = 2 + int(source.rate / 5)
    if counted and not source.varies and max(counted) < frames - unread:
        return [f"{source.path.name} is damaged: of {frames} frames only {max(counted)} could be read; the last ones "
                "that could are held instead."]
    if errors or spoilt:
        return [f"{source.path.name} is damaged: {max(errors, spoilt)} errors while it was read; "
                "some of its pictures may be spoilt."]
    return []
