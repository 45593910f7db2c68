"""A filmstrip and stills of a film, small enough to be part of a page: one ffmpeg pass."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reelflow.media import filters
from reelflow.media.colour import read_colour
from reelflow.media.geometry import Size, even
from reelflow.media.graph import Written, arguments, open_film, split_up
from reelflow.media.probe import Probe
from reelflow.media.run import run_ffmpeg
from reelflow.media.still_command import still, still_at

CELLS = 12
_CELL_HEIGHT = 90
_STILL_PIXELS = 480 * 270
# Noise costs ten times what a quiet picture does: what comes out too large is written again, coarser.
_QUALITIES = (5, 12, 24, 31)
_MOST_BYTES = 150_000
# Up to so many frames a film is read from its start to its end; beyond, by seeking to a frame near each moment.
_READ_WHOLE = 2400
_TIMEOUT = 240.0


@dataclass(frozen=True, slots=True)
class Cell:
    """One picture of a filmstrip: a JPEG, and when it is seen, in seconds from the film's first frame."""

    at: float
    jpeg: bytes


@dataclass(frozen=True, slots=True)
class Strip:
    """Pictures of a result spread over its length (none for a picture), and a still each of source and result."""

    cells: tuple[Cell, ...]
    before: bytes
    after: bytes | None


async def make_strip(
    before: Probe, after: Probe | None, *, at_before: float, ffmpeg: Path, cells: int = CELLS
) -> Strip:
    """JPEGs of at most 150 kB in all; `at_before` is the source's moment (seconds) that is half-way in the result.

    `after` is None where the result is no film and no picture that can be read.

    Raises:
        MediaFailed, MediaTimeout: ffmpeg failed.
    """
    frames = _spread(after, cells)
    with tempfile.TemporaryDirectory(prefix="reelflow-") as room:
        folder = Path(room)
        for quality in _QUALITIES:
            words = strip_arguments(before, after, frames, folder, at_before=at_before, quality=quality)
            await run_ffmpeg(words, ffmpeg=ffmpeg, timeout=_TIMEOUT)
            if sum(path.stat().st_size for path in folder.iterdir()) <= _MOST_BYTES:
                break
        made = [(frame, folder / f"cell-{index}.jpg") for index, frame in enumerate(frames)]
        rate = after.rate if after is not None else 0
        return Strip(
            tuple(Cell(float(frame / rate), path.read_bytes()) for frame, path in made if path.exists()),
            (folder / "before.jpg").read_bytes(),
            (folder / "after.jpg").read_bytes() if after is not None else None,
        )


def strip_arguments(
    before: Probe, after: Probe | None, frames: tuple[int, ...], folder: Path, *, at_before: float, quality: int
) -> list[str]:
    """One command to `cell-N.jpg` for each of the frames, `before.jpg` and `after.jpg` in `folder`."""
    written = [_jpeg(still_at(before, min(at_before, before.seconds), _still_size(before)), folder / "before.jpg",
                     quality)]
    if after is not None:
        written.append(_jpeg(still_at(after, after.seconds / 2, _still_size(after)), folder / "after.jpg", quality))
        written += [_jpeg(cell, folder / f"cell-{index}.jpg", quality)
                    for index, cell in enumerate(_cells(after, frames))]
    return arguments(*written)


def _spread(film: Probe | None, cells: int) -> tuple[int, ...]:
    """Numbers of the frames in the middle of each of so many equal parts."""
    if film is None or film.is_picture:
        return ()
    count = min(cells, film.frames)
    return tuple(int((index + 0.5) * film.frames / count) for index in range(count))


def _cells(film: Probe, frames: tuple[int, ...]) -> list[Any]:
    if not frames:
        return []
    size = Size(even(_CELL_HEIGHT * film.shown.width / film.shown.height), _CELL_HEIGHT)
    if film.frames > _READ_WHOLE:
        return [filters.tag(filters.resize(_near(film, float(frame / film.rate)), size, read_colour(film)))
                for frame in frames]
    wanted = "+".join(f"eq(n,{frame})" for frame in frames)
    chosen = filters.resize(open_film(film)["V:0"].filter("select", wanted), size, read_colour(film))
    if len(frames) == 1:
        return [chosen]
    return [one.filter("select", f"eq(n,{index})") for index, one in enumerate(split_up(chosen, len(frames)))]


def _near(film: Probe, at: float) -> Any:
    """The key frame before a moment, which is found without reading what lies before it."""
    return open_film(film, seek=max(0.0, at + film.first_time - film.file_start))["V:0"]


def _jpeg(stream: Any, path: Path, quality: int) -> Written:
    made = still(filters.as_rgb(stream), path, suffix=".jpg")
    return Written(made.streams, made.destination, {**made.options, "q:v": quality})


def _still_size(film: Probe) -> Size:
    scale = min(1.0, (_STILL_PIXELS / (film.shown.width * film.shown.height)) ** 0.5)
    return Size(even(film.shown.width * scale), even(film.shown.height * scale))
