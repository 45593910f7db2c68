"""ffmpeg-python, kept to what it is for: a graph of streams, written out as ffmpeg's arguments. Only here imported."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ffmpeg as ffmpeg_python

from reelflow.media import filters
from reelflow.media.opening import FILM_FORMATS, MAX_PIXELS, PICTURE_FORMATS, file_url
from reelflow.media.probe import Probe

ffmpeg: Any = ffmpeg_python  # it has no types

# 5.1 moves a broadcast stream to 0 where its start and its offset cancel out and an earlier stream of it isn't used,
# -copyts or not: pictures and sound then part. So they never cancel out quite (seconds).
_BROADCAST = {"mpegts", "mpeg", "ogg"}
_NUDGE = 0.00002

# No titles, places or times of the source, and the same bytes for the same pictures.
BARE: dict[str, Any] = {
    "map_metadata": -1, "map_chapters": -1, "fflags": "+bitexact", "flags:v": "+bitexact",
}


def open_film(source: Probe, *, seek: float = 0.0, **more: Any) -> Any:
    """A film as an input, turned upright by ffmpeg; `seek` is seconds from the file's start, before what is needed.

    Turning it ourselves, with `-noautorotate`, leaves the rotation in the output's header on 5.1.
    """
    options: dict[str, Any] = {
        "protocol_whitelist": "file", "format_whitelist": FILM_FORMATS, "max_pixels": MAX_PIXELS, "reinit_filter": 0,
        **more,
    }
    shift = float(options.get("itsoffset", 0))
    if source.format in _BROADCAST and abs(shift + source.file_start) < _NUDGE:
        options["itsoffset"] = filters.number(_NUDGE - source.file_start)
    if seek > 0 and not source.numbered:
        options |= {"ss": filters.number(seek), "accurate_seek": 0}
    return ffmpeg.input(file_url(source.path), **_flags(options))


def open_pictures(source: Probe, *, seek: float = 0.0) -> Any:
    """A film's pictures on its own clock; counted where it tells no times."""
    stream = open_film(source, seek=seek)["V:0"]
    if not source.numbered:
        return stream
    rate = source.rate
    counted = f"(N*{rate.denominator}/{rate.numerator}+({filters.number(source.first_time)}))/TB"
    return stream.filter("settb", "AVTB").filter("setpts", counted)


def open_picture(source: Probe) -> Any:
    """A picture as an input, opened as the kind that the probe found."""
    options = {"f": PICTURE_FORMATS[source.format], "protocol_whitelist": "file", "max_pixels": MAX_PIXELS,
               "autorotate": 0}
    return ffmpeg.input(file_url(source.path), **_flags(options))


def open_own_picture(path: Path) -> Any:
    """A PNG of our own as an input; its one picture stands as long as what it is laid over."""
    return ffmpeg.input(file_url(path), f="png_pipe")


def open_text(path: Path, kind: str) -> Any:
    """A text file of our own (subtitles, a list of films) as an input, of a `kind` that is never guessed."""
    return ffmpeg.input(file_url(path), f=kind)


def together(streams: list[Any], name: str, **options: Any) -> Any:
    """Several streams through one filter."""
    return ffmpeg.filter(streams, name, **options)


def split_up(stream: Any, count: int) -> list[Any]:
    """One stream as several: ffmpeg-python doesn't split by itself."""
    many = stream.filter_multi_output("split", count)
    return [many[index] for index in range(count)]


def in_256_colours(stream: Any) -> Any:
    """Pictures as GIF holds them, in the colours that suit them best."""
    looked_at, shown = split_up(stream, 2)
    return together([shown, looked_at.filter("palettegen", stats_mode="diff")], "paletteuse", dither="sierra2_4a")


@dataclass(frozen=True, slots=True)
class Written:
    """One output of a command: its streams, where it is written, and its options."""

    streams: list[Any]
    destination: Path
    options: dict[str, Any]


def arguments(*outputs: Written) -> list[str]:
    """ffmpeg's arguments for these outputs."""
    made = [ffmpeg.output(*one.streams, "-" if one.destination == Path("-") else file_url(one.destination),
                          **one.options) for one in outputs]
    whole = made[0] if len(made) == 1 else ffmpeg.merge_outputs(*made)
    # The last lines of a verbose log count what was decoded, which is how damage is found.
    return ["-loglevel", "level+verbose", "-copyts", "-y", *(str(part) for part in ffmpeg.get_args(whole))]


def _flags(options: dict[str, Any]) -> dict[str, Any]:
    """`{"autorotate": 0}` as ffmpeg writes it, `-noautorotate`."""
    negated = {name for name in ("autorotate", "accurate_seek") if options.get(name) == 0}
    return {name: value for name, value in options.items() if name not in negated} | {
        f"no{name}": None for name in sorted(negated)
    }
