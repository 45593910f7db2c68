"""ffmpeg's commands for stills: pictures that are sent and finished, posters, before and after."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from reelflow.media import filters
from reelflow.media.colour import Reading, read_colour
from reelflow.media.command import PRE_ROLL
from reelflow.media.geometry import Box, Size, even
from reelflow.media.graph import arguments, open_picture, open_pictures, together
from reelflow.media.probe import Probe
from reelflow.plan import Plan


def picture_arguments(plan: Plan, destination: Path, *, suffix: str) -> list[str]:
    """One pass from a picture to the one that is sent."""
    source, geometry = plan.source, plan.prepare.geometry
    picture = filters.turn_upright(open_picture(source), source.turn, source.mirrored)
    picture = filters.take(picture, geometry.taken, source.upright)
    picture = picture.filter("scale", geometry.placed.width, geometry.placed.height, flags="lanczos+accurate_rnd")
    picture = picture.filter("format", "rgb24")
    if geometry.is_padded:
        frame, placed = geometry.frame, geometry.placed
        picture = picture.filter("pad", frame.width, frame.height, placed.x, placed.y)
    return still_arguments(picture, destination, suffix=suffix)


def finished_picture_arguments(
    plan: Plan, generated: Probe, box: Box, destination: Path, *, suffix: str
) -> list[str]:
    """One pass from a generated picture to the finished one."""
    picture = filters.take(open_picture(generated), box, generated.upright)
    picture = picture.filter("scale", plan.finish.size.width, plan.finish.size.height, flags="lanczos+accurate_rnd")
    return still_arguments(picture.filter("format", "rgb24"), destination, suffix=suffix)


def still_arguments(picture: Any, destination: Path, *, suffix: str) -> list[str]:
    """A single picture, from one in RGB, as PNG or JPEG by `suffix`."""
    kind: dict[str, Any] = {"c:v": "png"}
    if suffix.lower() in (".jpg", ".jpeg"):
        picture, kind = filters.as_jpeg(picture), {"c:v": "mjpeg", "q:v": 2}
    options = {"frames:v": 1, "update": 1, "map_metadata": -1, **kind, "f": "image2"}
    return arguments([picture.filter("sidedata", "delete").filter("setsar", 1)], destination, options)


def poster_arguments(source: Probe, destination: Path, *, at: float, width: int | None, suffix: str) -> list[str]:
    """The frame at `at` seconds as a picture."""
    shown = source.shown
    size = Size(even(width), even(width * shown.height / shown.width)) if width else Size(
        even(shown.width), even(shown.height))
    return still_arguments(filters.as_rgb(_still(source, at, size)), destination, suffix=suffix)


def before_after_arguments(
    before: Probe, after: Probe, destination: Path, *, at_before: float, at_after: float, width: int, suffix: str
) -> list[str]:
    """A frame of each side by side, equally tall."""
    shapes = [probe.shown.width / probe.shown.height for probe in (before, after)]
    height = even(width / sum(shapes))
    stills = [
        _still(probe, at, Size(even(height * shape), height))
        for probe, at, shape in zip((before, after), (at_before, at_after), shapes, strict=True)
    ]
    return still_arguments(filters.as_rgb(together(stills, "hstack", inputs=2)), destination, suffix=suffix)


def _still(source: Probe, at: float, size: Size) -> Any:
    """The one picture that is shown `at` seconds after the film's first, in BT.709."""
    if source.is_picture:
        picture = filters.turn_upright(open_picture(source), source.turn, source.mirrored).filter("format", "rgb24")
        return filters.tag(filters.resize(picture, size, Reading("bt709", "pc")))
    moment = min(at, max(0.0, source.seconds - float(1 / source.rate))) + source.first_time
    film = open_pictures(source, seek=max(0.0, moment - source.file_start - PRE_ROLL))
    lead = f"PTS-({filters.number(moment + float(filters.NEAREST / source.rate))})/TB"
    picture = filters.exactly(filters.at_rate(film, source.rate, lead=lead), 1)
    return filters.tag(filters.resize(picture, size, read_colour(source)))
