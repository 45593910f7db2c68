"""A poster out of a film."""

from __future__ import annotations

from pathlib import Path

from reelflow.errors import BadInput, MediaFailed
from reelflow.media.probe import Probe, probe
from reelflow.media.run import run_ffmpeg
from reelflow.media.still_command import poster_arguments
from reelflow.whole import written_whole

_SUFFIXES = (".jpg", ".jpeg", ".png")
_TIMEOUT = 120.0


async def write_poster(
    film: Path | Probe, destination: Path, *, ffmpeg: Path, at: float | None = None, width: int | None = None
) -> Path:
    """Write the frame at `at` seconds (a third into the film, if not said) as JPEG or PNG, `width` pixels wide.

    Raises:
        BadInput: the suffix is not one of a picture's, or `at` lies behind the film's end.
        BadMedia: the film can't be read.
        MediaFailed: ffmpeg failed.
    """
    _check_suffix(destination)
    source = await _probed(film)
    moment = source.seconds / 3 if at is None else at
    if not source.is_picture and moment > source.seconds:
        raise BadInput(f"There is no frame at {moment:g} s: {source.path.name} is {source.seconds:.3f} s long.",
                       field="at")
    with written_whole(destination) as part:
        arguments = poster_arguments(source, part, at=moment, width=width, suffix=destination.suffix)
        await run_ffmpeg(arguments, ffmpeg=ffmpeg, timeout=_TIMEOUT)
        _check_made(part, destination)
    return destination


async def _probed(film: Path | Probe) -> Probe:
    return film if isinstance(film, Probe) else await probe(film)


def _check_suffix(destination: Path) -> None:
    if destination.suffix.lower() not in _SUFFIXES:
        raise BadInput(f"{destination.name!r} does not end in {', '.join(_SUFFIXES)}: a picture is made.",
                       field="output")


def _check_made(part: Path, destination: Path) -> None:
    if not part.exists() or not part.stat().st_size:
        raise MediaFailed(f"ffmpeg found no frame to write to {destination.name}.")
