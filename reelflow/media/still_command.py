"""ffmpeg's commands for stills: pictures, contact sheets, posters, before and after."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from reelflow.media import filters
from reelflow.media.colour import Reading, read_colour
from reelflow.media.drawing import PRE_ROLL
from reelflow.media.geometry import Size, even
from reelflow.media.graph import Written, arguments, open_picture, open_pictures, together
from reelflow.media.probe import Probe
from reelflow.media.reel import STANDARD, Reel
from reelflow.plan import Output


def still(picture: Any, destination: Path, *, suffix: str) -> Written:
    """A single picture, from one in RGB, as PNG, JPEG or WebP by `suffix`."""
    kind: dict[str, Any] = {"c:v": "png", "f": "image2", "update": 1}
    if suffix.lower() in (".jpg", ".jpeg"):
        picture, kind = filters.as_jpeg(picture), {"c:v": "mjpeg", "q:v": 2, "f": "image2", "update": 1}
    elif suffix.lower() == ".webp":
        picture, kind = filters.as_webp(picture), {"c:v": "libwebp", "quality": 90, "f": "webp"}
    options = {"frames:v": 1, "map_metadata": -1, **kind}
    return Written([picture.filter("sidedata", "delete").filter("setsar", 1)], destination, options)


def sheet(reel: Reel, output: Output, destination: Path) -> Written:
    """Pictures of a film in rows, evenly spread over it."""
    count = output.columns * output.rows
    # The middle of each of so many equal parts, so that neither the first nor the last frame is one by chance.
    wanted = "+".join(f"eq(n,{int((index + 0.5) * reel.frames / count)})" for index in range(count))
    cell = Size(output.size.width // output.columns, output.size.height // output.rows)
    stream = filters.resize(reel.stream.filter("select", wanted), cell, STANDARD)
    stream = stream.filter("tile", f"{output.columns}x{output.rows}", nb_frames=count)
    return still(filters.as_rgb(stream), destination, suffix=Path(output.name).suffix)


def poster_arguments(source: Probe, destination: Path, *, at: float, width: int | None, suffix: str) -> list[str]:
    """The frame at `at` seconds as a picture."""
    shown = source.shown
    size = Size(even(width), even(width * shown.height / shown.width)) if width else Size(
        even(shown.width), even(shown.height))
    return arguments(still(filters.as_rgb(still_at(source, at, size)), destination, suffix=suffix))


def before_after_arguments(
    before: Probe, after: Probe, destination: Path, *, at_before: float, at_after: float, width: int, suffix: str
) -> list[str]:
    """A frame of each side by side, equally tall."""
    shapes = [probe.shown.width / probe.shown.height for probe in (before, after)]
    height = even(width / sum(shapes))
    stills = [
        still_at(probe, at, Size(even(height * shape), height))
        for probe, at, shape in zip((before, after), (at_before, at_after), shapes, strict=True)
    ]
    return arguments(still(filters.as_rgb(together(stills, "hstack", inputs=2)), destination, suffix=suffix))


def still_at(source: Probe, at: float, size: Size) -> Any:
    """The one picture that is shown `at` seconds after the film's first, in BT.709."""
    if source.is_picture:
        picture = filters.turn_upright(open_picture(source), source.turn, source.mirrored).filter("format", "rgb24")
        return filters.tag(filters.resize(picture, size, Reading("bt709", "pc")))
    moment = min(at, max(0.0, source.seconds - float(1 / source.rate))) + source.first_time
    film = open_pictures(source, seek=max(0.0, moment - source.file_start - PRE_ROLL))
    lead = f"PTS-({filters.number(moment + float(filters.NEAREST / source.rate))})/TB"
    picture = filters.exactly(filters.at_rate(film, source.rate, lead=lead), 1)
    return filters.tag(filters.resize(picture, size, read_colour(source)))
