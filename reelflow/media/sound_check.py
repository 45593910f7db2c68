"""A sound track that can't be read is no reason to lose a film that is paid for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from reelflow.errors import MediaFailed
from reelflow.media.command import with_tracks
from reelflow.media.graph import BARE
from reelflow.media.outputs import Container, SoundOut
from reelflow.media.run import Ended, Progress, film_limits, run_ffmpeg
from reelflow.plan import Plan


async def run_with_sounds(
    plan: Plan, build: Callable[[tuple[SoundOut, ...]], list[str]], sounds: tuple[SoundOut, ...], *,
    container: Container, seconds: float, folder: Path, ffmpeg: Path, timeout: float,
    on_progress: Callable[[Progress], None] | None = None,
) -> tuple[Ended, list[str], tuple[SoundOut, ...], tuple[str, ...]]:
    """Run the command that `build` makes; where it fails over a sound track, once more with what can be read.

    Returns how it ended, the command, the tracks that came along, and what to say of the others. `folder` is for
    trying tracks out.

    Raises:
        MediaFailed: it failed, and not over a sound track.
        MediaTimeout: it took too long.
    """
    arguments, limits = build(sounds), film_limits(timeout)
    try:
        ended = await run_ffmpeg(arguments, ffmpeg=ffmpeg, timeout=timeout, on_progress=on_progress, limits=limits)
        return ended, arguments, sounds, ()
    except MediaFailed:
        kept, said = await _readable(plan, sounds, container, seconds, folder, ffmpeg=ffmpeg, timeout=timeout)
        if not said:
            raise
    arguments = build(kept)
    ended = await run_ffmpeg(arguments, ffmpeg=ffmpeg, timeout=timeout, on_progress=on_progress, limits=limits)
    return ended, arguments, kept, said


async def _readable(
    plan: Plan, sounds: tuple[SoundOut, ...], container: Container, seconds: float, folder: Path, *, ffmpeg: Path,
    timeout: float,
) -> tuple[tuple[SoundOut, ...], tuple[str, ...]]:
    """Each track as it can be had, found by making it alone: as chosen, else encoded, else not at all."""
    kept: list[SoundOut] = []
    said: list[str] = []
    for sound in sounds:
        named = f"Sound track {sound.track.index + 1} ({sound.track.codec})"
        encoded = SoundOut(sound.track, False, container.fallback)
        if await _can_be_made(plan, sound, container, seconds, folder, ffmpeg=ffmpeg, timeout=timeout):
            kept.append(sound)
        elif sound.copied and await _can_be_made(
            plan, encoded, container, seconds, folder, ffmpeg=ffmpeg, timeout=timeout
        ):
            kept.append(encoded)
            said.append(f"{named} was encoded anew, since it could not be copied.")
        else:
            said.append(f"{named} could not be read and was left away.")
    return tuple(kept), tuple(said)


async def _can_be_made(
    plan: Plan, sound: SoundOut, container: Container, seconds: float, folder: Path, *, ffmpeg: Path, timeout: float
) -> bool:
    arguments = with_tracks(
        plan, None, {"f": container.muxer, **BARE}, folder / "sound", seconds=seconds, sounds=(sound,)
    )
    try:
        await run_ffmpeg(arguments, ffmpeg=ffmpeg, timeout=timeout, limits=film_limits(timeout))
    except MediaFailed:
        return False
    return True
