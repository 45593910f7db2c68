"""A strand: how far one way through a recipe has come while it is compiled, and what the next step is to know of it."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from reelflow.media.clip import Clip, Timeline, Track
from reelflow.media.geometry import Size, even
from reelflow.media.media_step import Op
from reelflow.media.probe import Probe
from reelflow.plan import Feed, FromFilm, FromJob, FromPicture, Span


@dataclass(frozen=True, slots=True)
class Strand:
    """How far one way through the recipe has come: the open phase's pictures, the clip, and the sound so far."""

    feed: Feed
    ops: tuple[Op, ...]
    clip: Clip
    span: Span | None
    heard: tuple[Op, ...] = ()
    titles: tuple[str, ...] = ()


def begin(source: Probe) -> Strand:
    """The strand before the first step: the whole source."""
    size = Size(even(source.shown.width), even(source.shown.height))
    if source.is_picture:
        return Strand(FromPicture(source), (), Clip(size, Fraction(0), 1), None)
    span = whole_span(source)
    tracks = tuple(Track(sound, sound.language, sound.channels) for sound in source.sounds)
    clip = Clip(size, source.rate, span.frames, tracks, Timeline(Fraction(source.first_time)))
    return Strand(FromFilm(source, span), (), clip, span)


def whole_span(source: Probe) -> Span:
    """All of a film."""
    frames = source.frames if not source.varies else max(1, round(source.seconds * source.rate))
    return Span(0, source.first_time, frames, source.rate, trimmed=False)


def narrow(span: Span, first: int, last: int, clip: Clip) -> Span:
    """A part of a span, given in frames of the clip, whose time runs as the span's."""
    start = first / clip.rate
    return Span(span.first + round(start * span.rate), span.begin + float(start), last - first, clip.rate,
                trimmed=span.trimmed or first > 0 or last < clip.frames)


def stored_size(strand: Strand) -> Size:
    """The size of the pictures in which the clip lies at the end of the open phase, before they are fitted."""
    feed = strand.feed
    if not strand.ops:
        if isinstance(feed, FromFilm):
            return feed.film.upright
        if isinstance(feed, FromPicture):
            return feed.picture.upright
        if isinstance(feed, FromJob):
            return feed.geometry.placed.size if feed.crops else feed.geometry.frame
    return strand.clip.size


def shown_size(strand: Strand) -> Size:
    """The size that the clip is meant to be seen in, to the pixel."""
    if not strand.ops and isinstance(strand.feed, FromFilm):
        return strand.feed.film.shown
    if not strand.ops and isinstance(strand.feed, FromPicture):
        return strand.feed.picture.shown
    return strand.clip.size
