"""The pictures of a run as outputs of an ffmpeg command: of the pass that makes the film, or of one that reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from reelflow.media import filters
from reelflow.media.colour import Reading, read_colour
from reelflow.media.drawing import seek_for
from reelflow.media.geometry import Size, even
from reelflow.media.graph import Written, arguments, open_film, open_pictures, together
from reelflow.media.probe import Probe
from reelflow.media.still_command import Moment, moment_at, still, whole_size
from reelflow.plan import Span

BEFORE, HALF_WAY, ROW = "before.jpg", "half-way.jpg", "row.png"
"""A picture of the source, the one that is half-way in the result, and pictures spread over the result, in a row."""

CELLS = 12
CELL_HEIGHT = 90
_BEFORE_PIXELS = 960
_BEST = 2
# Up to so many frames a film is read from its start to its end; beyond, by seeking to a frame near each moment.
_READ_WHOLE = 2400


def spread(frames: int) -> tuple[int, ...]:
    """Numbers of the frames in the middle of each of up to twelve equal parts of so many."""
    count = min(CELLS, frames)
    return tuple(int((index + 0.5) * frames / count) for index in range(count))


def cell_size(shown: Size) -> Size:
    """The size of a picture in the row."""
    return Size(even(CELL_HEIGHT * shown.width / shown.height), CELL_HEIGHT)


def shots(picture: Any, reading: Reading, shown: Size, frames: int, folder: Path) -> list[Written]:
    """The row and the picture half-way of a stream of so many pictures, each decoded once, whatever is made of it."""
    wanted = spread(frames)
    row = filters.resize(_chosen(picture, wanted), cell_size(shown), reading).filter(
        "tile", f"{len(wanted)}x1", nb_frames=len(wanted))
    return [_half_way(Moment(_chosen(picture, (frames // 2,)), reading, shown), folder), _row(row, folder)]


def shot_before(source: Probe, span: Span, at: float, folder: Path) -> Written | None:
    """The source's picture at `at` seconds after its first, of a pass that reads this span of it.

    None where that pass may not come by it, or where a picture may stand longer than others do.
    """
    moment = at + source.first_time
    half = float((1 - filters.NEAREST) / source.rate)  # of a tie, the earlier one, as elsewhere
    if source.is_picture or source.varies or not span.begin - half <= moment < span.begin + float(span.seconds):
        return None
    film = open_pictures(source, seek=seek_for(source, span))
    picture = film.filter("trim", start=filters.number(moment - half)).filter("trim", end_frame=1)
    return _before(Moment(picture, read_colour(source), source.shown), folder)


def strip_arguments(before: Probe | None, after: Probe | None, folder: Path, *, at_before: float) -> list[str]:
    """One command to the pictures of a source (None: it is there) and of a result (None: it is there, or has none)."""
    made: list[Written] = []
    if before is not None:
        made.append(_before(moment_at(before, min(at_before, before.seconds)), folder))
    if after is not None and (after.is_picture or after.frames > _READ_WHOLE):
        made.append(_half_way(moment_at(after, after.seconds / 2), folder))
    if after is not None and not after.is_picture and after.frames > _READ_WHOLE:
        size = cell_size(after.shown)
        cells = [_near(after, float(frame / after.rate)).sized(size) for frame in spread(after.frames)]
        made.append(_row(together(cells, "hstack", inputs=len(cells)), folder))
    elif after is not None and not after.is_picture:
        made += shots(open_film(after)["V:0"], read_colour(after), after.shown, after.frames, folder)
    return arguments(*made)


def _chosen(picture: Any, frames: tuple[int, ...]) -> Any:
    return picture.filter("select", "+".join(f"eq(n,{frame})" for frame in frames))


def _before(moment: Moment, folder: Path) -> Written:
    shown = moment.shown
    scale = min(1.0, _BEFORE_PIXELS / max(shown.width, shown.height))
    return moment.jpeg(Size(even(shown.width * scale), even(shown.height * scale)), folder / BEFORE, _BEST)


def _half_way(moment: Moment, folder: Path) -> Written:
    return moment.jpeg(whole_size(moment.shown), folder / HALF_WAY, _BEST)


def _row(cells: Any, folder: Path) -> Written:
    return still(filters.as_rgb(filters.tag(cells)), folder / ROW, suffix=".png")


def _near(film: Probe, at: float) -> Moment:
    """The key frame before a moment, which is found without reading what lies before it."""
    seek = max(0.0, at + film.first_time - film.file_start)
    return Moment(open_film(film, seek=seek)["V:0"].filter("trim", end_frame=1), read_colour(film), film.shown)
