"""The pictures of a run: a filmstrip and stills for its page, a poster, and before and after: one ffmpeg pass."""

from __future__ import annotations

import contextlib
import tempfile
from dataclasses import dataclass
from pathlib import Path

from reelflow.errors import MediaFailed
from reelflow.media.colour import read_colour
from reelflow.media.geometry import Size, even
from reelflow.media.graph import arguments, open_film
from reelflow.media.probe import Probe
from reelflow.media.run import run_ffmpeg, written_whole
from reelflow.media.still_command import Moment, moment_at, side_by_side, whole_size

CELLS = 12
_CELL_HEIGHT = 90
_STILL_PIXELS = 480 * 270
_PAIR_WIDTH = 960
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
    before: Probe, after: Probe | None, *, at_before: float, ffmpeg: Path, cells: int = CELLS,
    poster: Path | None = None, pair: Path | None = None,
) -> Strip:
    """JPEGs of at most 150 kB in all; `at_before` is the source's moment (seconds) that is half-way in the result.

    `after` is None where the result is no film and no picture that can be read. What is half-way in it is also written
    to `poster`, at its own size, and beside the source's to `pair`, both JPEG, where they are given.

    Raises:
        MediaFailed, MediaTimeout: ffmpeg failed; neither file is written.
    """
    frames = _spread(after, cells)
    with tempfile.TemporaryDirectory(prefix="reelflow-") as room, contextlib.ExitStack() as written:
        folder = Path(room)
        kept = [None if path is None else written.enter_context(written_whole(path)) for path in (poster, pair)]
        for quality in _QUALITIES:
            words = strip_arguments(before, after, frames, folder, at_before=at_before, quality=quality, poster=kept[0],
                                    pair=kept[1])
            await run_ffmpeg(words, ffmpeg=ffmpeg, timeout=_TIMEOUT)
            if sum(path.stat().st_size for path in folder.iterdir()) <= _MOST_BYTES:
                break
        for path in kept:
            if path is not None and not (path.exists() and path.stat().st_size):
                raise MediaFailed("ffmpeg found no frame for the pictures beside the film.")
        made = [(frame, folder / f"cell-{index}.jpg") for index, frame in enumerate(frames)]
        rate = after.rate if after is not None else 0
        return Strip(
            tuple(Cell(float(frame / rate), path.read_bytes()) for frame, path in made if path.exists()),
            (folder / "before.jpg").read_bytes(),
            (folder / "after.jpg").read_bytes() if after is not None else None,
        )


def strip_arguments(
    before: Probe, after: Probe | None, frames: tuple[int, ...], folder: Path, *, at_before: float, quality: int,
    poster: Path | None = None, pair: Path | None = None,
) -> list[str]:
    """One command to `cell-N.jpg` for each of the frames, `before.jpg` and `after.jpg` in `folder`, and the others."""
    source = moment_at(before, min(at_before, before.seconds))
    written = [source.jpeg(_still_size(before), folder / "before.jpg", quality)]
    if after is None:
        return arguments(*written)
    middle, cells = _read(after, frames)
    written.append(middle.jpeg(_still_size(after), folder / "after.jpg", quality))
    if poster is not None:
        written.append(middle.jpeg(whole_size(after.shown), poster, 2))
    if pair is not None:
        written.append(side_by_side(source, middle, pair, width=_PAIR_WIDTH))
    size = Size(even(_CELL_HEIGHT * after.shown.width / after.shown.height), _CELL_HEIGHT)
    written += [cell.jpeg(size, folder / f"cell-{index}.jpg", quality) for index, cell in enumerate(cells)]
    return arguments(*written)


def _spread(film: Probe | None, cells: int) -> tuple[int, ...]:
    """Numbers of the frames in the middle of each of so many equal parts."""
    if film is None or film.is_picture:
        return ()
    count = min(cells, film.frames)
    return tuple(int((index + 0.5) * film.frames / count) for index in range(count))


def _read(film: Probe, frames: tuple[int, ...]) -> tuple[Moment, list[Moment]]:
    """The picture half-way in a result, and those of its strip."""
    half_way = film.frames // 2
    if film.is_picture or film.frames > _READ_WHOLE:
        return moment_at(film, film.seconds / 2), [_near(film, float(frame / film.rate)) for frame in frames]
    # Each frame that is wanted is decoded once, whatever is made of it.
    wanted = sorted({*frames, half_way})
    chosen = open_film(film)["V:0"].filter("select", "+".join(f"eq(n,{frame})" for frame in wanted))
    found = {
        frame: Moment(chosen.filter("select", f"eq(n,{index})"), read_colour(film), film.shown)
        for index, frame in enumerate(wanted)
    }
    return found[half_way], [found[frame] for frame in frames]


def _near(film: Probe, at: float) -> Moment:
    """The key frame before a moment, which is found without reading what lies before it."""
    seek = max(0.0, at + film.first_time - film.file_start)
    return Moment(open_film(film, seek=seek)["V:0"], read_colour(film), film.shown)


def _still_size(film: Probe) -> Size:
    scale = min(1.0, (_STILL_PIXELS / (film.shown.width * film.shown.height)) ** 0.5)
    return Size(even(film.shown.width * scale), even(film.shown.height * scale))
