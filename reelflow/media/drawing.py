"""A phase's pictures as a graph of filters: opened, laid on the clock, and taken through their steps."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from reelflow.media import filters
from reelflow.media.colour import Reading, read_colour
from reelflow.media.geometry import Box
from reelflow.media.graph import open_film, open_own_picture, open_picture, open_pictures, open_text, together
from reelflow.media.media_step import Given
from reelflow.media.probe import Probe
from reelflow.media.reel import STANDARD, Reel
from reelflow.plan import FromFilm, FromJob, FromPicture, Pictures, SideBySide, Span

# Seconds that are decoded before a cut, since a seek may land late (up to 44 frames in MPEG-TS).
_PRE_ROLL = 10
# Without an index a seek lands between key frames, and nothing can be shown before the next of them.
_PRE_ROLL_UNINDEXED, _UNINDEXED = 30, ("mpegts", "mpeg", "flv")
# Pictures keep all of their colour while they are worked on; films are 4:2:0 throughout.
PICTURE_PIXELS = "yuv444p"


@dataclass(frozen=True, slots=True)
class Take:
    """What a job returned: its facts, where the picture lies in it, and how many seconds each frame stands for.

    A film that came in pieces is read through the list `listed` of them.
    """

    result: Probe
    box: Box
    step: Fraction
    listed: Path | None = None


def draw(pictures: Pictures, takes: Mapping[int, Take], given: Given) -> Reel:
    """The pictures of a phase after their last step; `takes` are what the jobs returned, by their number."""
    reel = _opened(pictures, takes, given)
    for op in pictures.ops:
        reel = op.step.draw(reel, op, given)
    return reel


def _opened(pictures: Pictures, takes: Mapping[int, Take], given: Given) -> Reel:
    match pictures.feed:
        case FromFilm(film, span):
            return film_reel(film, span, way=given.way)
        case FromPicture(picture):
            whole = Box(0, 0, picture.upright.width, picture.upright.height)
            return picture_reel(picture, whole, way=given.way)
        case FromJob() as feed:
            return _job_reel(feed, takes[feed.job], given.way)
        case SideBySide() as feed:
            return _laid_out(feed, takes, given)


def seek_for(source: Probe, span: Span) -> float:
    """Where to begin reading for `span`, in seconds from the file's first moment; 0 for its start."""
    return seek_before(source, span.begin) if span.trimmed else 0.0


def seek_before(source: Probe, moment: float) -> float:
    """The same for a moment on the file's own clock (seconds)."""
    return max(0.0, moment - source.file_start - pre_roll(source))


def pre_roll(source: Probe) -> int:
    """The seconds before a moment that have to be decoded, so that what is shown then is known for certain."""
    return _PRE_ROLL_UNINDEXED if source.format in _UNINDEXED else _PRE_ROLL


def _of_way(stream: Any, way: str) -> Any:
    """A stream that is another one on each way, though the same is done to it.

    ffmpeg-python takes two filters for one where their upstream and their arguments are the same: not even their names
    count, so that `hflip` on one way would be `vflip` on the other.
    """
    return stream.filter("setpts", f"PTS+0*{zlib.crc32(way.encode())}") if way else stream


def film_reel(film: Probe, span: Span, *, copy: int = 0, way: str = "") -> Reel:
    """The span of a film, from some seconds before it on, and the time that its pictures get."""
    picture = _of_way(open_pictures(film, seek=seek_for(film, span), copy=copy), way)
    if film.interlaced:
        picture = filters.steady(picture, film.upright).filter(
            "bwdif", mode="send_frame", parity="auto", deint="all")
    half = filters.NEAREST / film.rate
    lead = f"PTS-STARTPTS-{filters.number(half)}/TB"
    if span.trimmed:
        if span.first and not film.varies:
            picture = picture.filter("trim", start=filters.number(span.begin - float(half)))
        lead = f"PTS-({filters.number(span.begin + float(half))})/TB"
    whole = film.upright
    return Reel(picture, whole, Box(0, 0, whole.width, whole.height), film.shown, read_colour(film), span.rate,
                span.frames, lead)


def picture_reel(picture: Probe, taken: Box, *, way: str = "") -> Reel:
    """A picture, turned upright."""
    stream = filters.turn_upright(_of_way(open_picture(picture), way), picture.turn, picture.mirrored)
    stream = stream.filter("format", "rgb24")
    return Reel(stream, picture.upright, taken, picture.shown, Reading("bt709", "pc"), Fraction(0), 1, counted=True,
                pixels=PICTURE_PIXELS)


def _job_reel(feed: FromJob, take: Take, way: str) -> Reel:
    if feed.rate == 0:
        return picture_reel(take.result, take.box, way=way)
    opened = open_film(take.result)["V:0"] if take.listed is None else open_text(take.listed, "concat")["v:0"]
    opened = _of_way(opened, way)
    # Numbered, not timed, since models mislabel rates.
    step = take.step
    lead = f"(N-{float(filters.NEAREST):g})*{step.numerator}/{step.denominator}/TB"
    return Reel(opened, take.result.upright, take.box, feed.clip.size, read_colour(take.result), 1 / step, feed.sent,
                lead, smooth=step if feed.smooth else None)


def _laid_out(feed: SideBySide, takes: Mapping[int, Take], given: Given) -> Reel:
    clip, cell = feed.clip, feed.cell
    cells = []
    for index, pictures in enumerate(feed.cells):
        own = replace(given, way=f"{given.way} {feed.number} {index}")
        stream = draw(pictures, takes, own).to(cell, clip.rate, clip.frames).exactly().stream
        if feed.below:
            label = open_own_picture(label_path(feed, index, given))
            stream = together(
                [stream.filter("pad", cell.width, cell.height + feed.below, 0, 0, color="0x101014"),
                 filters.as_overlay(label)], "overlay", x=0, y=cell.height,
                format="yuv444" if clip.is_picture else "yuv420",
            )
        cells.append(stream.filter("setsar", 1))
    if len(cells) == 1:
        laid = cells[0]
    else:
        places = "|".join(f"{index % feed.columns * cell.width}_{index // feed.columns * (cell.height + feed.below)}"
                          for index in range(len(cells)))
        laid = together(cells, "xstack", inputs=len(cells), layout=places, fill="0x101014")
        laid = laid.filter("pad", clip.size.width, clip.size.height, 0, 0, color="0x101014")
    box = Box(0, 0, clip.size.width, clip.size.height)
    pixels = PICTURE_PIXELS if clip.is_picture else "yuv420p"
    return Reel(laid, clip.size, box, clip.size, STANDARD, clip.rate, clip.frames, counted=True, pixels=pixels)


def label_path(feed: SideBySide, index: int, given: Given) -> Path:
    """Where the label of a cell lies, as a picture."""
    return given.room / f"step-{feed.number.replace('.', '-')}-label-{index}.png"
