"""A recipe and a probed source, worked out to the last frame: what is cut, fitted, bought and put back. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from reelflow.errors import BadInput
from reelflow.media.geometry import Geometry, Size, fit_into, orient
from reelflow.media.probe import Probe
from reelflow.models import Kind, Model
from reelflow.recipe import Fit, Keep, Rate, Recipe

_SLACK_SECONDS = 0.1


class How(StrEnum):
    """What it takes to make the prepared film."""

    ENCODE = "encode"
    COPY = "copy"  # the pictures are right as they are: only sound and titles are left behind


@dataclass(frozen=True, slots=True)
class Span:
    """The part of a film that is used: its first frame's number, and when that is, on the file's own clock (seconds).

    `frames` are counted at `rate`, so that the span is `frames / rate` seconds long.
    """

    first: int
    begin: float
    frames: int
    rate: Fraction
    trimmed: bool

    @property
    def seconds(self) -> float:
        """Its length."""
        return float(self.frames / self.rate)


@dataclass(frozen=True, slots=True)
class Prepare:
    """What is sent: `frames` pictures at `rate` in the model's frame, at most `max_bytes` large.

    A picture is one frame, with no rate and no span.
    """

    geometry: Geometry
    how: How
    frames: int
    rate: int
    max_bytes: int
    span: Span | None

    @property
    def seconds(self) -> float:
        """How long the prepared film is; 0 for a picture."""
        return self.frames / self.rate if self.rate else 0.0


@dataclass(frozen=True, slots=True)
class Finish:
    """What comes out: its size, rate and frame count. `span` is where its sound comes from (None: no sound).

    `frames` is None where the model says how long its film is (motion).
    """

    size: Size
    crop: bool
    rate: Fraction
    frames: int | None
    span: Span | None


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything about one clip that can be known before a byte is sent. `cost_usd` is None where it is unknown."""

    source: Probe
    model: Model
    prepare: Prepare
    finish: Finish
    billed_seconds: float
    cost_usd: Decimal | None
    warnings: tuple[str, ...]


def plan_film(recipe: Recipe, source: Probe, model: Model, *, in_pieces: bool = False) -> Plan:
    """The plan for a model that makes a film from a film; of any length where it is sent `in_pieces`.

    Raises:
        BadInput: the source is a picture, the span lies outside the film, or it is longer than the model takes; with
            `strict`, also the first warning.
    """
    if source.is_picture:
        raise BadInput(f"{source.path} is a picture; {model.name} needs a video.", field="source")
    if model.fps is None:
        raise BadInput(f"{model.name} makes pictures: give it a picture.", field="model")
    span = cut_span(recipe, source)
    frames = max(1, round(span.frames / span.rate * model.fps))
    billed = frames / model.fps
    if not in_pieces and model.max_seconds is not None and frames > round(model.max_seconds * model.fps):
        raise BadInput(
            f"{source.path} gives {billed:.2f} s of film; {model.name} takes at most {model.max_seconds:g} s: "
            f"cut it with --duration {model.max_seconds:g}.", field="duration",
        )
    geometry = fit_into(source.upright, source.shown, orient(Size(model.width, model.height), source.shown), recipe.fit)
    is_ready = _is_ready(source, geometry, model, span)
    prepare = Prepare(geometry, How.COPY if is_ready else How.ENCODE, frames, model.fps, model.max_bytes, span)
    keep_rate = recipe.rate is not Rate.MODEL
    finish = Finish(
        size=_finished_size(recipe, geometry), crop=_crops_padding(recipe, geometry),
        rate=span.rate if keep_rate else Fraction(model.fps), frames=span.frames if keep_rate else frames, span=span,
    )
    return Plan(
        source, model, prepare, finish, billed, model.price(billed), _warnings(source, strict=recipe.strict)
    )


def plan_picture(recipe: Recipe, source: Probe, model: Model) -> Plan:
    """The plan for a model that makes a film (motion) or a picture (image) from a picture.

    Raises:
        BadInput: the source is a film.
    """
    if not source.is_picture:
        raise BadInput(f"{source.path} is a video; {model.name} needs a picture: save a frame of it as PNG or JPEG.",
                       field="source")
    if recipe.start is not None or recipe.end is not None or recipe.duration is not None:
        raise BadInput(f"A picture has no start, end or duration: leave them away for {model.name}.", field="start")
    geometry = fit_into(source.upright, source.shown, orient(Size(model.width, model.height), source.shown), recipe.fit)
    prepare = Prepare(geometry, How.ENCODE, 1, 0, model.max_bytes, None)
    seconds = 0.0 if model.kind is Kind.IMAGE else float(model.seconds or 0)
    finish = Finish(
        size=_finished_size(recipe, geometry), crop=_crops_padding(recipe, geometry), rate=Fraction(model.fps or 0),
        frames=None if seconds else 1, span=None,
    )
    return Plan(
        source, model, prepare, finish, seconds, model.price(seconds, resolution=recipe.resolution),
        _warnings(source, strict=recipe.strict),
    )


def cut_span(recipe: Recipe, source: Probe) -> Span:
    """The span that a recipe cuts out of a film: from the frame nearest to its start, up to the one nearest its end.

    Raises:
        BadInput: it lies outside the film, or holds no frame.
    """
    rate, length = source.rate, source.seconds
    total = source.frames if not source.varies else max(1, round(length * rate))
    start = recipe.start or 0.0
    end = recipe.end if recipe.end is not None else None
    if recipe.duration is not None:
        end = start + recipe.duration
    first = _nearest(start * rate)
    if first >= total:
        raise BadInput(f"The start ({start:g} s) lies behind the end of {source.path}, which is {length:.3f} s long.",
                       field="start")
    last = total
    if end is not None:
        if end > length + max(_SLACK_SECONDS, float(1 / rate)):
            raise BadInput(
                f"The end ({end:g} s) lies behind the end of {source.path}, which is {length:.3f} s long.",
                field="duration" if recipe.duration is not None else "end",
            )
        last = min(total, _nearest(end * rate))
    if last <= first:
        raise BadInput(
            f"Between {start:g} s and {end:g} s lies no frame of {source.path}, which has one every "
            f"{float(1 / rate):.3f} s.", field="duration" if recipe.duration is not None else "end",
        )
    begin = source.first_time + float(first / rate)
    return Span(first, begin, last - first, rate, trimmed=first > 0 or last < total)


def _nearest(value: Fraction | float) -> int:
    return int(value + Fraction(1, 2))


def _is_ready(source: Probe, geometry: Geometry, model: Model, span: Span) -> bool:
    """Whether the film's pictures can be sent as they are. A trim is never copied: it would begin at a key frame."""
    return (
        source.codec == "h264" and source.pixels == "yuv420p" and source.shown == geometry.frame == source.upright
        and source.sample_aspect == 1 and source.turn == 0 and not source.mirrored and not source.interlaced
        and (source.colour.matrix, source.colour.range) == ("bt709", "tv") and source.colour.hdr is None
        and source.colour.primaries in (None, "bt709") and source.colour.transfer in (None, "bt709")
        and source.rate == model.fps and not source.varies and source.unevenness <= 0.001
        and abs(source.first_time) <= 0.001 and not span.trimmed and not source.damage
        and not source.hidden
        and source.size_bytes <= model.max_bytes and "mp4" in source.format
    )


def _finished_size(recipe: Recipe, geometry: Geometry) -> Size:
    return geometry.restored if recipe.size is Keep.SOURCE else geometry.frame


def _crops_padding(recipe: Recipe, geometry: Geometry) -> bool:
    # In the model's own size the padding stays: the size is what was asked for.
    return geometry.is_padded and recipe.size is Keep.SOURCE and recipe.fit is Fit.PAD


def _warnings(source: Probe, *, strict: bool) -> tuple[str, ...]:
    made = [f"{source.path.name} is damaged: {what}." for what in source.damage]
    if source.colour.hdr:
        made.append(f"{source.path.name} is HDR ({source.colour.hdr.upper()}); the finished film is not.")
    if strict and made:
        raise BadInput(f"{made[0]} Leave --strict away to go on all the same.", field="strict")
    return tuple(made)
