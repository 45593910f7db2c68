"""The pictures of a run as outputs of an ffmpeg command: of the pass that makes the film, or of one that reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from reelflow.media import filters
from reelflow.media.colour import Reading, read_colour
from reelflow.media.drawing import seek_for
from reelflow.media.geometry import Size, even, even_size
from reelflow.media.graph import Written, arguments, open_film, open_pictures, together
from reelflow.media.probe import Probe
from reelflow.media.still_command import Moment, moment_at
from reelflow.plan import Span

BEFORE, HALF_WAY, CELLS = "before.jpg", "half-way.jpg", "cells.rgb"
"""A picture of the source, the one half-way in the result, and small ones spread over the result: 8 bits each of red,
green and blue, one picture after the other."""

_MOST_CELLS = 12
_CELL_HEIGHT = 90
_BEFORE_PIXELS = 960
_BEST = 2
# Up to so many frames a film is read from its start to its end; beyond, by seeking to a frame near each moment.
_READ_WHOLE = 2400


def spread(frames: int) -> tuple[int, ...]:
    """Numbers of the frames in the middle of each of up to twelve equal parts of so many."""
    count = min(_MOST_CELLS, frames)
    return tuple(int((index + 0.5) * frames / count) for index in range(count))


def cell_size(shown: Size) -> Size:
    """The size of a small picture."""
    return Size(even(_CELL_HEIGHT * shown.width / shown.height), _CELL_HEIGHT)


def shots(picture: Any, reading: Reading, shown: Size, frames: int, folder: Path) -> list[Written]:
    """The small pictures and the one half-way of a stream of so many, each decoded once, whatever is made of it.

    The stream's first picture goes ahead, to be overwritten or left out: ffmpeg tells nothing of its progress before
    each of its outputs has begun.
    """
    cells, half_way = (_chosen(picture, sorted({0, *wanted})) for wanted in (spread(frames), (frames // 2,)))
    small = Moment(cells, reading, shown).sized(cell_size(shown))
    return [_half_way(Moment(half_way, reading, shown), folder), _small(small, folder)]


def shot_before(source: Probe, span: Span, at: float, folder: Path) -> Written | None:
    """The source's picture at `at` seconds after its first, of a pass that reads this span of it.

    None where that pass may not come by it, or where a picture may stand longer than others do. The first picture that
    is read goes ahead, as with the others.
    """
    moment = at + source.first_time
    half = float((1 - filters.NEAREST) / source.rate)  # of a tie, the earlier one, as elsewhere
    if source.is_picture or source.varies or not span.begin - half <= moment < span.begin + float(span.seconds):
        return None
    film = open_pictures(source, seek=seek_for(source, span))
    picture = film.filter("select", f"if(gte(t,{filters.number(moment - half)}),if(ld(0),0,st(0,1)),eq(n,0))")
    return _before(Moment(picture, read_colour(source), source.shown), folder)


def strip_arguments(before: Probe | None, after: Probe | None, folder: Path, *, at_before: float) -> list[str]:
    """One command to the pictures of a source (None: it is there) and of a result (None: it is there, or has none)."""
    made: list[Written] = []
    if before is not None:
        made.append(_before(moment_at(before, min(at_before, before.seconds)), folder))
    if after is not None and (after.is_picture or after.frames > _READ_WHOLE):
        made.append(_half_way(moment_at(after, after.seconds / 2), folder))
    if after is not None and not after.is_picture and after.frames > _READ_WHOLE:
        size, wanted = cell_size(after.shown), spread(after.frames)
        cells = [_near(after, float(frame / after.rate)).sized(size) for frame in (0, *wanted)]
        made.append(_small(together(cells, "concat", n=len(cells)), folder))
    elif after is not None and not after.is_picture:
        made += shots(open_film(after)["V:0"], read_colour(after), after.shown, after.frames, folder)
    return arguments(*made)


def _chosen(picture: Any, frames: list[int]) -> Any:
    return picture.filter("select", "+".join(f"eq(n,{frame})" for frame in frames))


def _before(moment: Moment, folder: Path) -> Written:
    shown = moment.shown
    scale = min(1.0, _BEFORE_PIXELS / max(shown.width, shown.height))
    return _last_of_two(moment, Size(even(shown.width * scale), even(shown.height * scale)), folder / BEFORE)


def _half_way(moment: Moment, folder: Path) -> Written:
    return _last_of_two(moment, even_size(moment.shown), folder / HALF_WAY)


def _last_of_two(moment: Moment, size: Size, path: Path) -> Written:
    made = moment.jpeg(size, path, _BEST)
    return Written(made.streams, made.destination, {**made.options, "frames:v": 2, "fps_mode": "passthrough"})


def _small(cells: Any, folder: Path) -> Written:
    return Written([filters.as_rgb(cells)], folder / CELLS, {
        "c:v": "rawvideo", "f": "rawvideo", "fps_mode": "passthrough"})


def _near(film: Probe, at: float) -> Moment:
    """The key frame before a moment, which is found without reading what lies before it."""
    seek = max(0.0, at + film.first_time - film.file_start)
    picture = open_film(film, seek=seek)["V:0"].filter("trim", end_frame=1).filter("setpts", "PTS-STARTPTS")
    return Moment(picture, read_colour(film), film.shown)
