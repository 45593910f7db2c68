"""From the generated film and the source's sound to the finished film: matched by frames, one pass, checked."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path

from reelflow.errors import BadInput, BadMedia, BadResult, MediaFailed
from reelflow.media.command import finish_arguments, subtitle_arguments
from reelflow.media.geometry import Box, Size
from reelflow.media.matching import find_picture, match_frames
from reelflow.media.outputs import Container, choose_encoding, choose_sounds, sound_warnings
from reelflow.media.prepare import decoding_warnings, probe_made
from reelflow.media.probe import Probe, Sound, probe
from reelflow.media.run import Progress, run_ffmpeg, written_whole
from reelflow.media.sound_check import run_with_sounds
from reelflow.media.still_command import finished_picture_arguments
from reelflow.media.tracks import SubtitleOut, chapter_file, cut_subtitles, subtitle_codec
from reelflow.plan import Plan


@dataclass(frozen=True, slots=True)
class Finished:
    """The finished film (or picture: no frames a second) at `path`, and the command that made it."""

    path: Path
    frames: int
    seconds: float
    width: int
    height: int
    rate: Fraction
    warnings: tuple[str, ...]
    command: tuple[str, ...]


async def finish(
    plan: Plan, generated: Path, destination: Path, *, ffmpeg: Path, timeout: float,
    on_progress: Callable[[Progress], None] | None = None, codec: str | None = None, quality: str | None = None,
    smooth: bool = False, sound_track: int | None = None, strict: bool = False,
) -> Finished:
    """Make the finished film from the `generated` one, at `destination`, whose suffix says which container it is.

    `timeout` is in seconds. `codec` is h264 (if not said), hevc, av1 or prores; `quality` small, good or best.
    `smooth` makes up pictures in between where the rate is raised (slow). All the source's sound tracks are kept, or
    only the one that `sound_track` counts (from 1).

    Raises:
        BadInput: the suffix, codec, quality or sound track can't be used.
        BadResult: the generated film can't be read, or its frames or its shape don't fit what was sent; with `strict`,
            a warning.
        MediaFailed: ffmpeg failed, or what it made isn't what was planned.
        MediaTimeout: it took too long.
    """
    try:
        result = await probe(generated)
    except (BadMedia, BadInput) as error:
        raise BadResult(f"What the model returned can't be used: {error.message}") from None
    box, warnings = find_picture(plan, result)
    if plan.finish.rate == 0:
        return await _finish_picture(plan, result, box, destination, warnings, ffmpeg=ffmpeg, timeout=timeout)
    if result.is_picture:
        raise BadResult(f"{plan.model.name} returned a picture where a film was expected.")
    encoding = choose_encoding(destination, codec, quality)
    match = match_frames(plan, result)
    seconds = float(match.frames / plan.finish.rate)
    trimmed = plan.finish.span is not None and plan.finish.span.trimmed
    sounds = choose_sounds(kept_tracks(plan, sound_track), encoding.container, trimmed=trimmed)
    warnings += match.warnings + _left_away(plan)
    if strict and (told := warnings + sound_warnings(sounds, destination)):
        raise BadResult(f"{told[0]} Leave --strict away to go on all the same.")
    with tempfile.TemporaryDirectory(prefix="reelflow-") as folder, written_whole(destination) as part:
        subtitles, unread = await write_subtitles(
            plan, seconds, encoding.container, Path(folder), ffmpeg=ffmpeg, timeout=timeout
        )
        build = partial(
            finish_arguments, plan, result, box, part, step=match.step, frames=match.frames, encoding=encoding,
            subtitles=subtitles, chapters=write_chapters(plan, seconds, Path(folder)), smooth=smooth,
        )
        ended, arguments, sounds, lost = await run_with_sounds(
            plan, lambda kept: build(sounds=kept), sounds, container=encoding.container, seconds=seconds,
            folder=Path(folder), ffmpeg=ffmpeg, timeout=timeout, on_progress=on_progress,
        )
        made = await probe_made(part, plan)
        check_finished(plan, made, match.frames, len(sounds))
        # What lies behind the last frame that is wanted is never read.
        damage = unread + lost + tuple(decoding_warnings(result, min(result.frames, plan.prepare.frames), ended))
        if strict and damage:
            raise BadResult(f"{damage[0]} Leave --strict away to go on all the same.")
    warnings += sound_warnings(sounds, destination) + damage
    return Finished(destination, match.frames, seconds, made.shown.width, made.shown.height, plan.finish.rate,
                    warnings, (str(ffmpeg), *arguments))


def kept_tracks(plan: Plan, chosen: int | None) -> tuple[Sound, ...]:
    """The source's sound tracks that are kept: all, or the one chosen (from 1). Raises BadInput for one it lacks."""
    if plan.finish.span is None:
        return ()
    if chosen is None:
        return plan.source.sounds
    if not 1 <= chosen <= len(plan.source.sounds):
        raise BadInput(f"There is no sound track {chosen}: {plan.source.path.name} has {len(plan.source.sounds)}.",
                       field="sound_track")
    return (plan.source.sounds[chosen - 1],)


def _left_away(plan: Plan) -> tuple[str, ...]:
    return tuple(
        f"Subtitle track {track.index + 1} ({track.codec}) is made of pictures and was left away."
        for track in plan.source.subtitles if not track.text
    )


async def write_subtitles(
    plan: Plan, seconds: float, container: Container, folder: Path, *, ffmpeg: Path, timeout: float
) -> tuple[tuple[SubtitleOut, ...], tuple[str, ...]]:
    """The span's text subtitles as SubRip files in `folder`, for a film of so many `seconds`; and what to say.

    A track that can't be read is no reason to lose a film that is paid for.
    """
    span, made, said = plan.finish.span, [], []
    for track in plan.source.subtitles if span is not None else ():
        if not track.text or span is None:
            continue
        path = folder / f"{track.index}.srt"
        try:
            await run_ffmpeg(subtitle_arguments(plan.source, track.index, path), ffmpeg=ffmpeg, timeout=timeout)
        except MediaFailed:
            said.append(f"Subtitle track {track.index + 1} ({track.codec}) could not be read and was left away.")
            continue
        cut = cut_subtitles(path.read_text("utf-8", "replace"), begin=span.begin, seconds=seconds)
        if cut:
            path.write_text(cut, "utf-8")
            made.append(SubtitleOut(track, path, subtitle_codec(container)))
    return tuple(made), tuple(said)


def write_chapters(plan: Plan, seconds: float, folder: Path) -> Path | None:
    """The span's chapters as ffmpeg's metadata file in `folder`; None where there are none."""
    if plan.finish.span is None:
        return None
    text = chapter_file(plan.source.chapters, begin=plan.finish.span.begin, seconds=seconds)
    if not text:
        return None
    path = folder / "chapters.txt"
    path.write_text(text, "utf-8")
    return path


def check_finished(plan: Plan, made: Probe, frames: int, sounds: int) -> None:
    """Compare a finished film with its plan. Raises MediaFailed with the first thing that isn't as planned."""
    wanted = plan.finish
    if made.frames != frames:
        why = f"it has {made.frames} frames where {frames} were planned"
    elif made.shown != wanted.size:
        why = f"it is {made.shown} where {wanted.size} was planned"
    elif len(made.sounds) != sounds:
        why = f"it has {len(made.sounds)} sound tracks where {sounds} were planned"
    else:
        return
    raise MediaFailed(f"The film finished from {plan.source.path} is not right: {why}.")


async def _finish_picture(
    plan: Plan, result: Probe, box: Box, destination: Path, warnings: tuple[str, ...], *, ffmpeg: Path, timeout: float
) -> Finished:
    if not result.is_picture:
        raise BadResult(f"{plan.model.name} returned a film where a picture was expected.")
    if destination.suffix.lower() not in (".png", ".jpg", ".jpeg"):
        raise BadInput(f"{destination.name!r} does not end in .png, .jpg or .jpeg: a picture is made.", field="output")
    size = plan.finish.size
    with written_whole(destination) as part:
        arguments = finished_picture_arguments(plan, result, box, part, suffix=destination.suffix)
        await run_ffmpeg(arguments, ffmpeg=ffmpeg, timeout=timeout)
        made = await probe(part)
        if Size(made.width, made.height) != size:
            raise MediaFailed(f"The finished picture is {made.width}x{made.height} where {size} was planned.")
    return Finished(destination, 1, 0.0, size.width, size.height, Fraction(0), warnings, (str(ffmpeg), *arguments))
