"""From what the last job returned to the files that a person gets: one pass, checked, put in place whole."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from pathlib import Path

from reelflow.errors import BadResult, MediaFailed, MediaStopped, MediaTimeout
from reelflow.media.analysis import analysed, passes
from reelflow.media.command import Takes, Target, finish_arguments, sounds_of, subtitle_arguments
from reelflow.media.geometry import Size
from reelflow.media.media_step import Given
from reelflow.media.outputs import choose_encoding, sound_warnings
from reelflow.media.prepare import check_steady, damage_of, decoding_warnings, probe_made
from reelflow.media.probe import Probe
from reelflow.media.run import Ended, Progress, run_ffmpeg
from reelflow.media.sound_check import readable, run_with_sounds
from reelflow.media.tracks import SubtitleOut, chapter_file, cut_subtitles, subtitle_codec
from reelflow.plan import Finish, FromFilm, FromJob, Output, OutputForm
from reelflow.whole import check_free, written_whole


@dataclass(frozen=True, slots=True)
class Finished:
    """The files that came out, in the order of the plan's outputs, and the commands that made them.

    `films` are the same files, read (None for an animation, which the probe does not know).
    """

    paths: tuple[Path, ...]
    warnings: tuple[str, ...]
    commands: tuple[tuple[str, ...], ...]
    films: tuple[Probe | None, ...]


OnWhole = Callable[[Finished, tuple[Path, ...]], Awaitable[None]]
"""Told of files that are whole, and where they lie before they are put in place."""


async def finish(
    phase: Finish, takes: Takes, given: Given, destinations: Iterable[Path], *, source: Probe, ffmpeg: Path,
    timeout: float, on_progress: Callable[[Progress], None] | None = None, strict: bool = False,
    shots_in: Path | None = None, replaces: bool = True, on_whole: OnWhole | None = None,
) -> Finished:
    """Make every output of the phase, each at its own of the `destinations`, with one command.

    Pictures of the first film are left in the folder `shots_in` (see `strip`). What `on_whole` raises keeps the files
    from being put in place.
    `takes` are what the jobs returned, by their number; `source` is where subtitles and chapters come from. `timeout`
    is in seconds.

    Raises:
        BadInput: a step's file can't be used.
        OutputTaken: something has come to lie at a destination, and nothing there is to be replaced (`replaces`).
        BadMedia: a film can't be turned upright.
        BadResult: with `strict`, a warning.
        MediaFailed: ffmpeg failed, or what it made isn't what was planned; nothing is left under a final name.
        MediaStopped: somebody ended it.
        MediaTimeout: it took too long.
    """
    targets = tuple(zip(phase.outputs, destinations, strict=True))
    warnings = _left_away(phase, source)
    if strict and (told := warnings + _sound_warnings(phase, given)):
        raise BadResult(f"{told[0]} Leave --strict away to go on all the same.")
    with tempfile.TemporaryDirectory(prefix="reelflow-") as folder, contextlib.ExitStack() as written:
        given, commands, phase, gone = await _analysed(
            phase, takes, given, Path(folder), ffmpeg=ffmpeg, timeout=timeout)
        if strict and (told := _found_warnings(phase, given)):
            raise BadResult(f"{told[0]} Leave --strict away to go on all the same.")
        parts = [written.enter_context(written_whole(path, replaces=replaces)) for _, path in targets]
        beside, unread = await _beside(phase, source, Path(folder), ffmpeg=ffmpeg, timeout=timeout)
        made = tuple(
            Target(output, part, *beside.get(index, ((), None)))
            for index, ((output, _), part) in enumerate(zip(targets, parts, strict=True))
        )
        ended, arguments, phase, lost = await run_with_sounds(
            phase, lambda kept: finish_arguments(kept, takes, given, made, shots_in=shots_in), given,
            folder=Path(folder), ffmpeg=ffmpeg, timeout=timeout, on_progress=on_progress,
        )
        check_steady((*phase.pictures.films(), *(takes[feed.job].result for feed in phase.pictures.feeds())), ended)
        films: list[Probe | None] = []
        for (output, path), part in zip(targets, parts, strict=True):
            film = await _made(output, part)
            check_finished(output, film, path, len(sounds_of(phase, output, given)))
            films.append(None if film is None else replace(film, path=path))
        damage = unread + gone + lost + await _damage(phase, takes, ended, ffmpeg=ffmpeg, timeout=timeout)
        for _, path in () if replaces else targets:
            check_free(path)  # before the first of several is put in place
        if strict and damage:
            raise BadResult(f"{damage[0]} Leave --strict away to go on all the same.")
        warnings += _sound_warnings(phase, given) + _found_warnings(phase, given) + damage
        finished = Finished(tuple(path for _, path in targets), warnings,
                            (*commands, (str(ffmpeg), *arguments)), tuple(films))
        if on_whole is not None:
            await on_whole(finished, tuple(parts))
    return finished


async def _analysed(
    phase: Finish, takes: Takes, given: Given, folder: Path, *, ffmpeg: Path, timeout: float
) -> tuple[Given, tuple[tuple[str, ...], ...], Finish, tuple[str, ...]]:
    """What is measured before the pass, the phase with the sound tracks that can be, and what to say of the others."""
    analyse = partial(analysed, takes=takes, given=given, ffmpeg=ffmpeg, timeout=timeout)
    try:
        return *await analyse(phase.pictures, phase.sounds), phase, ()
    except (MediaStopped, MediaTimeout):
        raise
    except MediaFailed:
        kept, said = await readable(phase, given, folder, ffmpeg=ffmpeg, timeout=timeout)
        if not said:
            raise
    return *await analyse(kept.pictures, kept.sounds), kept, said


async def _damage(phase: Finish, takes: Takes, ended: Ended, *, ffmpeg: Path, timeout: float) -> tuple[str, ...]:
    # What lies behind the last frame that is wanted is never read.
    feed, read = phase.pictures.feed, phase.pictures.read_at_least(_reached(phase))
    if isinstance(feed, FromJob) and feed.rate:
        result = takes[feed.job].result
        return tuple(decoding_warnings(result, min(result.frames, read), ended))
    if isinstance(feed, FromFilm) and not all(output.copies for output in phase.outputs):
        return await damage_of(feed, read, ended, ffmpeg=ffmpeg, timeout=timeout)
    return ()


def _reached(phase: Finish) -> int:
    """How many frames come out of the output that goes on to the clip's end; 0 where none does."""
    ends = {
        output: output.first + (output.frames / output.rate * phase.clip.rate if output.rate else output.frames)
        for output in phase.outputs if output.form in (OutputForm.FILM, OutputForm.ANIMATION) and not output.copies
    }
    return max((output.frames for output, end in ends.items() if end > phase.clip.frames - 1), default=0)


async def _made(output: Output, part: Path) -> Probe | None:
    """The facts of what was written; None for an animation, which the probe does not know."""
    if output.form is OutputForm.ANIMATION:
        return None
    return await probe_made(part, output.name, encoded=not output.copies)


def check_finished(wanted: Output, made: Probe | None, destination: Path, sounds: int) -> None:
    """Compare an output with its plan. Raises MediaFailed with the first thing that isn't as planned."""
    if made is None:
        return
    is_film = wanted.form is OutputForm.FILM
    shown = made.shown if is_film else Size(made.width, made.height)
    if is_film and made.frames != wanted.frames:
        why = f"it has {made.frames} frames where {wanted.frames} were planned"
    elif shown != wanted.size:
        why = f"it is {shown} where {wanted.size} was planned"
    elif is_film and len(made.sounds) != sounds:
        why = f"it has {len(made.sounds)} sound tracks where {sounds} were planned"
    else:
        return
    raise MediaFailed(f"{destination.name} did not come out right: {why}.")


def _sound_warnings(phase: Finish, given: Given) -> tuple[str, ...]:
    if phase.sounds is None or phase.sounds.ops:
        return ()
    told = [said for output in phase.outputs if output.form is OutputForm.FILM
            for said in sound_warnings(sounds_of(phase, output, given), Path(output.name))]
    return tuple(dict.fromkeys(told))


def _found_warnings(phase: Finish, given: Given) -> tuple[str, ...]:
    """What steps say of what they have found in it."""
    return tuple(said for op in passes(phase.pictures, phase.sounds) for said in op.step.tell(given.found[op.number]))


def _left_away(phase: Finish, source: Probe) -> tuple[str, ...]:
    if not any(output.form is OutputForm.FILM for output in phase.outputs):
        return ()
    made = [f"Subtitle track {track.index + 1} ({track.codec}) is made of pictures and was left away."
            for track in source.subtitles if not track.text]
    if phase.timeline is None and (source.subtitles or source.chapters):
        made.append("The source's subtitles and chapters were left away: the film's time does not run as theirs.")
    return tuple(made)


Beside = tuple[tuple[SubtitleOut, ...], Path | None]


async def _beside(
    phase: Finish, source: Probe, folder: Path, *, ffmpeg: Path, timeout: float
) -> tuple[dict[int, Beside], tuple[str, ...]]:
    """The subtitles and chapters of each output that is a film, by its place; and what to say.

    A track that can't be read is no reason to lose a film that is paid for; one that somebody kept from being read may
    well be read the next time.
    """
    line = phase.timeline
    if line is None or not (source.subtitles or source.chapters):
        return {}, ()
    texts, said = {}, []
    for track in source.subtitles:
        if not track.text:
            continue
        path = folder / f"{track.index}.srt"
        try:
            await run_ffmpeg(subtitle_arguments(source, track.index, path), ffmpeg=ffmpeg, timeout=timeout)
        except MediaStopped:
            raise
        except MediaFailed:
            said.append(f"Subtitle track {track.index + 1} ({track.codec}) could not be read and was left away.")
            continue
        texts[track] = path.read_text("utf-8", "replace")
    made: dict[int, Beside] = {}
    for index, output in enumerate(phase.outputs):
        if output.form is not OutputForm.FILM:
            continue
        begin = float(line.at(Fraction(output.first) / phase.clip.rate))
        speed, container = float(line.speed), choose_encoding(Path(output.name), output.codec, output.quality).container
        subtitles = []
        for track, text in texts.items():
            cut = cut_subtitles(text, begin=begin, seconds=output.seconds, speed=speed)
            if cut:
                path = folder / f"{index}-{track.index}.srt"
                path.write_text(cut, "utf-8")
                subtitles.append(SubtitleOut(track, path, subtitle_codec(container)))
        chapters = chapter_file(source.chapters, begin=begin, seconds=output.seconds, speed=speed)
        place = folder / f"{index}-chapters.txt"
        if chapters:
            place.write_text(chapters, "utf-8")
        made[index] = tuple(subtitles), place if chapters else None
    return made, tuple(said)

