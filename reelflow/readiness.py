"""Which pictures can be sent, or handed over, as they are: an encode that is not needed is not made; pure."""

from __future__ import annotations

from pathlib import Path

from reelflow.choices import Quality
from reelflow.media.geometry import Geometry, Size
from reelflow.media.outputs import choose_container
from reelflow.models import Model
from reelflow.plan import Finish, FromFilm, FromJob, Output, OutputForm


def is_ready(feed: FromFilm, geometry: Geometry, model: Model) -> bool:
    """Whether the film's pictures can be sent as they are. A trim is never copied: it would begin at a key frame."""
    source = feed.film
    return (
        source.codec == "h264" and source.pixels == "yuv420p" and source.shown == geometry.frame == source.upright
        and source.sample_aspect == 1 and source.turn == 0 and not source.mirrored and not source.interlaced
        and (source.colour.matrix, source.colour.range) == ("bt709", "tv") and source.colour.hdr is None
        and source.colour.primaries in (None, "bt709") and source.colour.transfer in (None, "bt709")
        and source.rate == model.fps and not source.varies and source.unevenness <= 0.001
        and abs(source.first_time) <= 0.001 and not feed.span.trimmed and not source.damage
        and not source.hidden and source.size_bytes <= model.max_bytes and "mp4" in source.format
    )


def comes_ready(feed: FromJob, geometry: Geometry, model: Model, frames: int) -> bool:
    """Whether a generated film, if it comes as it should, is what the next model takes: same frame, rate and fit."""
    return (
        feed.geometry.frame == geometry.frame and feed.rate == model.fps and feed.sent == frames
        and not feed.smooth and (feed.geometry.placed == geometry.placed if feed.crops else not geometry.is_padded)
        and geometry.taken.size == _stored(feed)
    )


def _stored(feed: FromJob) -> Size:
    return feed.geometry.placed.size if feed.crops else feed.geometry.frame


def can_copy(finish: Finish, output: Output) -> bool:
    """Whether the source's pictures can be copied into an output: nothing is done to them at all, and a smaller file
    is not asked for.
    """
    feed = finish.pictures.feed
    return (
        output.form is OutputForm.FILM and output.over is None and output.quality is not Quality.SMALL
        and isinstance(feed, FromFilm) and not finish.pictures.ops and not feed.span.trimmed
        and feed.film.shown == output.size == feed.film.upright and feed.film.sample_aspect == 1 and feed.film.turn == 0
        and not feed.film.mirrored and not feed.film.varies and not feed.film.damage and not feed.film.hidden
        and feed.film.colour.hdr is None and not feed.film.numbered
        and (output.first, output.frames, output.rate) == (0, feed.span.frames, feed.film.rate)
        and choose_container(Path(output.name)).takes(feed.film.codec, output.codec)
        and feed.film.first_time == feed.film.file_start
    )
