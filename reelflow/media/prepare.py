"""From a phase's pictures to what is sent: one pass, counted afterwards, put in place whole."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from reelflow.errors import BadInput, BadMedia, MediaFailed
from reelflow.media.analysis import analysed
from reelflow.media.command import Shot, Takes, pre_roll_arguments, prepare_arguments, remux_arguments
from reelflow.media.drawing import seek_for
from reelflow.media.geometry import Size
from reelflow.media.limits import film_limits
from reelflow.media.media_step import Given
from reelflow.media.probe import Probe, probe, probe_encoded
from reelflow.media.run import Ended, Progress, run_ffmpeg
from reelflow.plan import FromFilm, How, Prepare
from reelflow.whole import written_whole

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
    phase: Prepare, takes: Takes, given: Given, destination: Path, *, ffmpeg: Path, timeout: float,
    on_progress: Callable[[Progress], None] | None = None, strict: bool = False, shot: Shot | None = None,
    gives_way: bool = False,
) -> Prepared:
    """Make what is sent, at `destination` (a film: MP4; a picture: PNG or JPEG by the suffix).

    `takes` are what earlier jobs returned, by their number. `timeout` is in seconds. What came out is opened and
    counted: ffmpeg ends well on damaged sources too. A picture of the source, the `shot`, is left on the way where the
    pass comes by it. A pass that `gives_way` gets what others leave of the cores.

    Raises:
        BadInput: with `strict`, a warning.
        BadMedia: the film can't be turned upright.
        MediaFailed: ffmpeg failed, or what it made isn't what was planned.
        MediaTimeout: it took too long.
    """
    feed = phase.pictures.feed
    make = partial(
        run_ffmpeg, ffmpeg=ffmpeg, timeout=timeout, on_progress=on_progress,
        limits=replace(film_limits(timeout, most_bytes=phase.max_bytes), gives_way=gives_way),
    )
    if phase.how is How.COPY and isinstance(feed, FromFilm):
        # What looked ready may hide something that a copy brings to light; then it is encoded after all.
        with contextlib.suppress(MediaFailed), written_whole(destination) as part:
            arguments = remux_arguments(feed.film, part)
            await make(arguments)
            made = await probe_made(part, phase.title, encoded=False)
            check_prepared(phase, made)
            return Prepared(destination, made.frames, made.seconds, How.COPY, (), ((str(ffmpeg), *arguments),))
    given, looked = await analysed(phase.pictures, None, takes, given, ffmpeg=ffmpeg, timeout=timeout)
    with written_whole(destination) as part:
        for capped in (False, True):
            # Named by what it is: the part's own name ends in something else.
            arguments = prepare_arguments(
                phase, takes, given, part, suffix=destination.suffix, shot=shot, capped=capped)
            ended = await make(arguments)
            check_steady(phase.pictures.films(), ended)
            if phase.is_picture or part.stat().st_size <= phase.max_bytes:
                break
        made = await probe_made(part, phase.title)
        check_prepared(phase, made)
        warnings: tuple[str, ...] = ()
        if isinstance(feed, FromFilm) and not phase.is_picture:
            read = phase.pictures.read_at_least(phase.frames)
            warnings = await damage_of(feed, read, ended, ffmpeg=ffmpeg, timeout=timeout)
        refuse_damage(warnings, strict=strict)
    return Prepared(destination, made.frames, made.seconds, How.ENCODE, warnings,
                    (*looked, (str(ffmpeg), *arguments)))


async def probe_made(part: Path, title: str, *, encoded: bool = True) -> Probe:
    """What ffmpeg has made, by encoding or by copying. Raises MediaFailed where it isn't even a film: no fault of who
    asked.
    """
    try:
        return await (probe_encoded if encoded else probe)(part)
    except (BadMedia, BadInput) as error:
        why = error.message.removeprefix(f"{part} ")
        raise MediaFailed(f"What was made ({title}) can't be used: it {why}") from None


def refuse_damage(warnings: Sequence[str], *, strict: bool) -> None:
    """Refuse a damaged source where that is `strict`. Raises BadInput."""
    if strict and warnings:
        raise BadInput(f"{warnings[0]} Leave --strict away to go on all the same.", field="strict")


async def damage_of(
    feed: FromFilm, frames: int, ended: Ended, *, ffmpeg: Path, timeout: float
) -> tuple[str, ...]:
    """What there is to say of damage in a film's span, of which `frames` were needed, and not only before it.

    A seek into the middle of a group of pictures always errs, up to the next whole one.
    """
    warnings = tuple(decoding_warnings(feed.film, frames, ended))
    seek = seek_for(feed.film, feed.span)
    if warnings and "errors" in warnings[0] and seek:
        before = await run_ffmpeg(
            pre_roll_arguments(feed.film, seek), ffmpeg=ffmpeg, timeout=timeout, limits=film_limits(timeout)
        )
        # Where more of them were told than are kept, nobody knows how many there were.
        if not before.hides_errors and count_errors(ended) <= count_errors(before):
            return ()
    return warnings


def count_errors(ended: Ended) -> int:
    """The errors in its pictures that ffmpeg's last lines tell of."""
    errors = max((int(found) for found in _DECODE_ERRORS.findall(ended.stderr)), default=0)
    told = (line for line in ended.stderr.splitlines() if "[error]" in line)
    return max(errors, sum(_OF_SOUND.search(line) is None for line in told))


def check_steady(films: Iterable[Probe], ended: Ended) -> None:
    """Refuse a film that is stored turned and changes its size on the way. Raises BadMedia.

    ffmpeg turns films before any filter of ours can bring their pictures to one size, and its transposing goes by the
    first picture: of a smaller one it would read on behind its end. Turning them ourselves is no way out (see
    `open_film`).
    """
    turned = next((film for film in films if film.turn or film.mirrored), None)
    if ended.resized and turned is not None:
        raise BadMedia(f"{turned.path.name} is stored turned and changes the size of its pictures on the way, so that "
                       "it can't be turned upright: convert it to one size first.")


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
    # The last one is counted twice (see `filters.at_rate`).
    counted = [int(found) - 1 for found in _FRAMES_IN.findall(ended.stderr)]
    # The filters stop asking once they have their last frame, so the very last ones may never be read.
    unread = 2 + int(source.rate / 5)
    if counted and not source.varies and max(counted) < frames - unread:
        return [f"{source.path.name} is damaged: of {frames} frames only {max(counted)} could be read; the last ones "
                "that could are held instead."]
    if errors := count_errors(ended):
        return [f"{source.path.name} is damaged: {errors} errors while it was read; "
                "some of its pictures may be spoilt."]
    return []
