"""ffmpeg's commands for stills: pictures, contact sheets, posters, before and after."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reelflow.media import filters
from reelflow.media.colour import Reading, read_colour
from reelflow.media.drawing import seek_before
from reelflow.media.geometry import Size, even, even_size
from reelflow.media.graph import Written, arguments, open_picture, open_pictures
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


@dataclass(frozen=True, slots=True)
class Moment:
    """One picture of a film, or a picture: its stream, how its colours are read, and the size that it is meant for."""

    stream: Any
    reading: Reading
    shown: Size

    def sized(self, size: Size) -> Any:
        """It at another size, in BT.709."""
        return filters.tag(filters.resize(self.stream, size, self.reading))

    def jpeg(self, size: Size, destination: Path, quality: int) -> Written:
        """It as a JPEG of that size; `quality` is ffmpeg's, from 2 (best) to 31."""
        made = still(filters.as_rgb(self.sized(size)), destination, suffix=".jpg")
        return Written(made.streams, made.destination, {**made.options, "q:v": quality})


def moment_at(source: Probe, at: float) -> Moment:
    """The one picture that is shown `at` seconds after the film's first."""
    if source.is_picture:
        picture = filters.turn_upright(open_picture(source), source.turn, source.mirrored).filter("format", "rgb24")
        return Moment(picture, Reading("bt709", "pc"), source.shown)
    moment = min(at, max(0.0, source.seconds - float(1 / source.rate))) + source.first_time
    film = open_pictures(source, seek=seek_before(source, moment))
    lead = f"PTS-({filters.number(moment + float(filters.NEAREST / source.rate))})/TB"
    return Moment(filters.exactly(filters.at_rate(film, source.rate, lead=lead), 1), read_colour(source), source.shown)


def poster_arguments(source: Probe, destination: Path, *, at: float, width: int | None, suffix: str) -> list[str]:
    """The frame at `at` seconds as a picture."""
    shown = source.shown
    size = Size(even(width), even(width * shown.height / shown.width)) if width else even_size(shown)
    return arguments(still(filters.as_rgb(moment_at(source, at).sized(size)), destination, suffix=suffix))
