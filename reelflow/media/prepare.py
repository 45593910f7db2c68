"""From the source to what is sent: one pass, counted afterwards, put in place whole."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from reelflow.errors import BadInput, BadMedia, MediaFailed
from reelflow.media.command import pre_roll_arguments, prepare_arguments, remux_arguments, seek_for
from reelflow.media.geometry import Size
from reelflow.media.probe import Probe, probe
from reelflow.media.run import Ended, Progress, film_limits, run_ffmpeg, written_whole
from reelflow.media.still_command import picture_arguments
from reelflow.plan import How, Plan

_FRAMES_IN = re.compile(r"Parsed_fps_\d+ @ \w+\] (?:\[verbose\] )?(\d+) frames in")
_DECODE_ERRORS = re.compile(r"\(video\).*?(\d+) decode errors")
_OF_SOUND = re.compile(r"\[aist#|\[(aac|ac3|eac3|dca|mp[23]|opus|vorbis|flac|wma|alac|pcm)\w* @|#1:")


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
    plan: Plan, destination: Path, *, ffmpeg: Path, timeout: float,
    on_progress: Callable[[Progress], None] | None = None, strict: bool = False,
) -> Prepared:
    """Make what is sent, at `destination` (a film: MP4; a picture: PNG or JPEG by the suffix).

    `timeout` is in seconds. What came out is opened and counted: ffmpeg ends well on damaged sources too.

    Raises:
        BadInput: with `strict`, a warning.
        MediaFailed: ffmpeg failed, or what it made isn't what was planned.
        MediaTimeout: it took too long.
    """
    if plan.prepare.span is None:
        return await _prepare_picture(plan, destination, ffmpeg=ffmpeg, timeout=timeout)
    make = partial(
        run_ffmpeg, ffmpeg=ffmpeg, timeout=timeout, on_progress=on_progress,
        limits=film_limits(timeout, most_bytes=plan.prepare.max_bytes),
    )
    if plan.prepare.how is How.COPY:
        # What looked ready may hide something that a copy brings to light; then it is encoded after all.
        with contextlib.suppress(MediaFailed), written_whole(destination) as part:
            arguments = remux_arguments(plan, part)
            await make(arguments)
            made = await probe_made(part, plan)
            check_prepared(plan, made)
            return _prepared(destination, made, How.COPY, (), ffmpeg, arguments)
    with written_whole(destination) as part:
        arguments = prepare_arguments(plan, part)
        ended = await make(arguments)
        made = await probe_made(part, plan)
        check_prepared(plan, made)
        warnings = tuple(decoding_warnings(plan.source, plan.prepare.span.frames, ended))
        if warnings and "errors" in warnings[0] and not await _errs_in_span(plan, ended, ffmpeg, timeout):
            warnings = ()
        if strict and warnings:
            raise BadInput(f"{warnings[0]} Leave --strict away to go on all the same.", field="strict")
    return _prepared(destination, made, How.ENCODE, warnings, ffmpeg, arguments)


def _prepared(
    path: Path, made: Probe, how: How, warnings: tuple[str, ...], ffmpeg: Path, arguments: list[str]
) -> Prepared:
    return Prepared(path, made.frames, made.seconds, how, warnings, ((str(ffmpeg), *arguments),))


async def probe_made(part: Path, plan: Plan) -> Probe:
    """What ffmpeg has made of a plan. Raises MediaFailed where it isn't even a film: no fault of who asked."""
    try:
        return await probe(part)
    except (BadMedia, BadInput) as error:
        why = error.message.removeprefix(f"{part} ")
        raise MediaFailed(f"What was made from {plan.source.path} can't be used: it {why}") from None


async def _errs_in_span(plan: Plan, ended: Ended, ffmpeg: Path, timeout: float) -> bool:
    """Whether a film errs in its span, and not only before it, where a seek into the middle of a group always errs."""
    span = plan.prepare.span
    assert span is not None
    seek = seek_for(plan.source, span)
    if not seek:
        return True
    before = await run_ffmpeg(
        pre_roll_arguments(plan.source, seek), ffmpeg=ffmpeg, timeout=timeout, limits=film_limits(timeout)
    )
    return count_errors(ended) > count_errors(before)


def count_errors(ended: Ended) -> int:
    """The errors in its pictures that ffmpeg's last lines tell of."""
    errors = max((int(found) for found in _DECODE_ERRORS.findall(ended.stderr)), default=0)
    told = (line for line in ended.stderr.splitlines() if "[error]" in line)
    return max(errors, sum(_OF_SOUND.search(line) is None for line in told))


def check_prepared(plan: Plan, made: Probe) -> None:
    """Compare a prepared film with its plan. Raises MediaFailed with the first thing that isn't as planned."""
    wanted = plan.prepare
    if made.frames != wanted.frames:
        why = f"it has {made.frames} frames where {wanted.frames} were planned"
    elif made.shown != wanted.geometry.frame:
        why = f"it is {made.shown} where {wanted.geometry.frame} was planned"
    elif made.rate != wanted.rate and wanted.frames > 1:
        why = f"it has {float(made.rate):g} frames a second where {wanted.rate} were planned"
    elif made.size_bytes > wanted.max_bytes:
        why = f"it is {made.size_bytes} bytes large, and the model takes at most {wanted.max_bytes}"
    else:
        return
    raise MediaFailed(f"The film prepared from {plan.source.path} can't be sent: {why}.")


def decoding_warnings(source: Probe, frames: int, ended: Ended) -> list[str]:
    """What ffmpeg's last lines tell of damage in the source, of which `frames` should have been read."""
    counted = [int(found) for found in _FRAMES_IN.findall(ended.stderr)]
    # The filters stop asking once they have their last frame, so the very last ones may never be read.
    unread = 2 + int(source.rate / 5)
    if counted and not source.varies and max(counted) < frames - unread:
        return [f"{source.path.name} is damaged: of {frames} frames only {max(counted)} could be read; the last ones "
                "that could are held instead."]
    if errors := count_errors(ended):
        return [f"{source.path.name} is damaged: {errors} errors while it was read; "
                "some of its pictures may be spoilt."]
    return []


async def _prepare_picture(plan: Plan, destination: Path, *, ffmpeg: Path, timeout: float) -> Prepared:
    if destination.suffix.lower() not in (".png", ".jpg", ".jpeg"):
        raise BadInput(f"A prepared picture is a .png or .jpg, not {destination.name!r}.", field="output")
    with written_whole(destination) as part:
        arguments = picture_arguments(plan, part, suffix=destination.suffix)
        await run_ffmpeg(arguments, ffmpeg=ffmpeg, timeout=timeout)
        made = await probe(part)
        if Size(made.width, made.height) != plan.prepare.geometry.frame:
            raise MediaFailed(f"The picture prepared from {plan.source.path} is {made.width}x{made.height} where "
                              f"{plan.prepare.geometry.frame} was planned.")
    return Prepared(destination, 1, 0.0, How.ENCODE, (), ((str(ffmpeg), *arguments),))
