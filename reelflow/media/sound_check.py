"""A sound track that can't be read is no reason to lose a film that is paid for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from reelflow.errors import MediaFailed, MediaStopped, MediaTimeout
from reelflow.media.command import sound_arguments
from reelflow.media.limits import film_limits
from reelflow.media.media_step import Given
from reelflow.media.run import Ended, Progress, run_ffmpeg
from reelflow.plan import Finish, Output, OutputForm, Sounds


async def run_with_sounds(
    phase: Finish, build: Callable[[Finish], list[str]], given: Given, *, folder: Path, ffmpeg: Path, timeout: float,
    on_progress: Callable[[Progress], None] | None = None,
) -> tuple[Ended, list[str], Finish, tuple[str, ...]]:
    """Run the command that `build` makes; where it fails over a sound track, once more with what can be read.

    Returns how it ended, the command, the phase with the tracks that came along, and what to say of the others.
    `folder` is for trying tracks out.

    Raises:
        MediaFailed: it failed, and not over a sound track.
        MediaStopped: somebody ended it.
        MediaTimeout: it took too long.
    """
    arguments, limits = build(phase), film_limits(timeout)
    try:
        ended = await run_ffmpeg(arguments, ffmpeg=ffmpeg, timeout=timeout, on_progress=on_progress, limits=limits)
        return ended, arguments, phase, ()
    except (MediaStopped, MediaTimeout):
        raise
    except MediaFailed:
        kept, said = await readable(phase, given, folder, ffmpeg=ffmpeg, timeout=timeout)
        if not said:
            raise
    arguments = build(kept)
    ended = await run_ffmpeg(arguments, ffmpeg=ffmpeg, timeout=timeout, on_progress=on_progress, limits=limits)
    return ended, arguments, kept, said


async def readable(
    phase: Finish, given: Given, folder: Path, *, ffmpeg: Path, timeout: float
) -> tuple[Finish, tuple[str, ...]]:
    """The phase with each sound track as it can be had, found by making it alone: as chosen, else encoded, else not at
    all; and what to say of those that come otherwise than they were chosen. Raises MediaStopped, MediaTimeout.
    """
    output = next((one for one in phase.outputs if one.form is OutputForm.FILM and one.sound), None)
    if phase.sounds is None or output is None:
        return phase, ()
    tracks, encoded, said = [], set(phase.sounds.encoded), []
    for track in phase.sounds.tracks:
        named = f"Sound track {track.index + 1} ({track.codec})"
        alone = replace(phase.sounds, tracks=(track,), ops=())
        if phase.sounds.ops:  # what something is done to is decoded, whatever could be copied
            alone = replace(alone, encoded=frozenset({track.index}))
        if await _can_be_made(phase, alone, output, given, folder, ffmpeg=ffmpeg, timeout=timeout):
            tracks.append(track)
            continue
        anew = replace(alone, encoded=frozenset({track.index}))
        if anew != alone and await _can_be_made(phase, anew, output, given, folder, ffmpeg=ffmpeg, timeout=timeout):
            tracks.append(track)
            encoded.add(track.index)
            said.append(f"{named} was encoded anew, since it could not be copied.")
        else:
            said.append(f"{named} could not be read and was left away.")
    sounds = replace(phase.sounds, tracks=tuple(tracks), encoded=frozenset(encoded))
    return replace(phase, sounds=sounds if tracks or sounds.ops else None), tuple(said)


async def _can_be_made(
    phase: Finish, sounds: Sounds, output: Output, given: Given, folder: Path, *, ffmpeg: Path, timeout: float
) -> bool:
    arguments = sound_arguments(phase, sounds, output, given, folder / "sound")
    try:
        await run_ffmpeg(arguments, ffmpeg=ffmpeg, timeout=timeout, limits=film_limits(timeout))
    except (MediaStopped, MediaTimeout):
        raise
    except MediaFailed:
        return False
    return True
