"""ffmpeg's commands for films in pieces: one encode, cut as it runs; the parts of what came back; scene changes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from reelflow.media import filters
from reelflow.media.colour import read_colour
from reelflow.media.command import Shot, Takes, prepared_reel, taken_on_the_way, upload_options
from reelflow.media.drawing import film_reel
from reelflow.media.geometry import Box, Size, even
from reelflow.media.graph import BARE, Written, arguments, open_film, open_text, together
from reelflow.media.media_step import Given
from reelflow.media.pieces import Piece
from reelflow.media.probe import Probe
from reelflow.media.reel import Reel
from reelflow.plan import Prepare, Span

LISTED, LIST_HEAD, LISTS = ".ffconcat", "ffconcat version 1.0\n", "file "
"""How the name of a list of films ends, how it begins, and how each of its rows does that names one beside it."""

_SCENE_WIDTH = 160
_SCENE_CHANGE = 10  # of 100: ffmpeg's own default


@dataclass(frozen=True, slots=True)
class Part:
    """Frames `first` up to `end` of a film in pieces, from one of them, or from two that fade into each other."""

    first: int
    end: int
    pieces: tuple[int, ...]

    @property
    def frames(self) -> int:
        """How many they are."""
        return self.end - self.first


def cut_arguments(
    prepare: Prepare, takes: Takes, given: Given, cuts: Sequence[int], folder: Path, *,
    shot: Shot | None = None, capped: bool = False,
) -> list[str]:
    """One encode of the prepared film, cut at these frames as it runs into `00000.mp4` and so on in `folder`."""
    longest = max(piece.frames for piece in prepare.pieces)
    picture = prepared_reel(prepare, takes, given).ended()
    options = upload_options(prepare, seconds=longest / prepare.rate, capped=capped)
    # A quarter of a frame before each: half-way, 5.1 may round to the frame before.
    keys = ",".join(filters.number(Fraction(4 * cut - 1, 4 * prepare.rate)) for cut in cuts)
    del options["movflags"]  # the segments' own, below
    # The muxer takes each % of the folder's own name for a number's place, too.
    parts = Path(str(folder).replace("%", "%%"), "%05d.mp4")
    return arguments(Written([picture], parts, options | {
        "f": "segment", "segment_frames": ",".join(map(str, cuts)), "segment_format": "mp4", "reset_timestamps": 1,
        "segment_format_options": "movflags=+faststart", "force_key_frames": keys,
    }), *taken_on_the_way(prepare, shot))


def concat_list(files: Iterable[tuple[str, Fraction]]) -> str:
    """A list for ffmpeg's concat demuxer: plain names beside it, each with its exact length in seconds."""
    rows = [f"{LISTS}{name}\nduration {filters.number(seconds)}\n" for name, seconds in files]
    return LIST_HEAD + "".join(rows)


def join_sent_arguments(listed: Path, destination: Path) -> list[str]:
    """Films of one encode joined again, without another."""
    return arguments(Written([open_text(listed, "concat")["v:0"]], destination,
                             {"c": "copy", **BARE, "movflags": "+faststart", "f": "mp4"}))


def part_arguments(
    part: Part, taken: Sequence[tuple[Piece, Probe, Fraction]], size: Size, rate: int, destination: Path
) -> list[str]:
    """A part of the film that came back in pieces, at `size` and `rate`: from one piece, or faded over from one to the
    next. Each of `taken` is a piece, what came back for it, and the seconds that each of its frames stands for.
    """
    pictures = [_of_piece(part, piece, result, step, size, rate) for piece, result, step in taken]
    picture = pictures[0]
    if len(pictures) == 2:
        # Not xfade, which loses frames on 5.1. Here N counts from 1.
        picture = filters.exactly(together(pictures, "blend", all_expr=f"A+(B-A)*N/{part.frames + 1}"), part.frames)
    return arguments(Written([filters.tag(picture)], destination, {
        "c:v": "libx264", "preset": "superfast", "crf": 10, "fps_mode": "passthrough", **BARE, "f": "mp4",
    }))


def _of_piece(part: Part, piece: Piece, result: Probe, step: Fraction, size: Size, rate: int) -> object:
    whole = result.upright
    lead = f"(N-{float(filters.NEAREST):g})*{step.numerator}/{step.denominator}/TB"
    reel = Reel(open_film(result)["V:0"], whole, Box(0, 0, whole.width, whole.height), size, read_colour(result),
                1 / step, result.frames, lead).to(size, Fraction(rate), piece.frames).exactly()
    start = part.first - piece.first
    return reel.stream.filter("trim", start_frame=start, end_frame=start + part.frames).filter(
        "setpts", "PTS-STARTPTS")


def scene_arguments(film: Probe, span: Span, told: Path) -> list[str]:
    """A look for the changes of scene in a span, at small pictures; each is written to the file `told`."""
    size = Size(_SCENE_WIDTH, even(_SCENE_WIDTH * film.shown.height / film.shown.width))
    reel = film_reel(film, span).to(size, span.rate, span.frames).exactly()
    stream = reel.stream.filter("scdet", threshold=_SCENE_CHANGE).filter(
        "metadata", mode="print", key="lavfi.scd.time", file=str(told))
    return arguments(Written([stream], Path("-"), {"f": "null"}))
