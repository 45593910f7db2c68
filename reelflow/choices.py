"""The choices that a person has, and times and sizes as a person writes them."""

from __future__ import annotations

import re
from enum import StrEnum
from fractions import Fraction
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from reelflow.errors import BadInput

_CLOCK = re.compile(r"(?:(?:(\d+):)?([0-5]?\d):)?([0-5]?\d(?:\.\d+)?)")
_SECONDS = re.compile(r"\d+(?:\.\d*)?|\.\d+")


class Fit(StrEnum):
    """How a picture gets into a frame of another shape."""

    PAD = "pad"  # whole picture, black beside it
    CROP = "crop"  # whole frame, picture cut at two sides
    STRETCH = "stretch"  # both whole, proportions lost


class Keep(StrEnum):
    """The source's size, or the model's."""

    SOURCE = "source"
    MODEL = "model"


class Rate(StrEnum):
    """Which frame rate the finished film has."""

    SOURCE = "source"
    MODEL = "model"
    SMOOTH = "smooth"  # the source's, with pictures made up in between; slow


class Codec(StrEnum):
    """How the finished film's pictures are encoded."""

    H264 = "h264"
    HEVC = "hevc"
    AV1 = "av1"
    PRORES = "prores"


class Quality(StrEnum):
    """How finely a finished film is encoded."""

    SMALL = "small"
    GOOD = "good"
    BEST = "best"


def parse_time(value: str | float | int, *, field: str) -> float:
    """Seconds from `12.5`, `"12.5"`, `"MM:SS.mmm"` or `"HH:MM:SS.mmm"`. Raises BadInput that names `field`."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        seconds = float(value)
    elif _SECONDS.fullmatch(text := str(value).strip()):
        seconds = float(text)
    elif match := _CLOCK.fullmatch(text):
        hours, minutes, rest = match.groups()
        seconds = int(hours or 0) * 3600 + int(minutes or 0) * 60 + float(rest)
    else:
        raise BadInput(f"The {field} {value!r} is not a time: write seconds (12.5) or HH:MM:SS.mmm.", field=field)
    if not 0 <= seconds < 1e7:
        raise BadInput(f"The {field} {value} is not a time in a film: it must be 0 or more seconds.", field=field)
    return seconds


def _time(value: Any) -> float | None:
    if value is None:
        return None
    try:
        return parse_time(value, field="time")
    except BadInput as error:
        raise ValueError(error.message.removeprefix("The time ").rstrip(".")) from None


Time = Annotated[
    float, BeforeValidator(_time),
    WithJsonSchema({
        "anyOf": [{"type": "number", "minimum": 0}, {"type": "string"}], "examples": [2.5, "00:00:02.500"],
    }),
]
"""Seconds, written as 2.5 or as 00:00:02.500."""


def check_span(start: float | None, end: float | None, duration: float | None) -> None:
    """Check that a span of seconds has one end, and something in it. Raises ValueError."""
    if end is not None and duration is not None:
        raise ValueError("give the end or the duration, not both: one follows from the other")
    if duration is not None and duration <= 0:
        raise ValueError("the duration is 0: there would be no film left")
    if end is not None and end <= (start or 0.0):
        raise ValueError(f"the end ({end:g} s) is not after the start ({start or 0:g} s): swap them")


SIZES: dict[str, tuple[int, int]] = {
    "2160p": (3840, 2160), "1440p": (2560, 1440), "1080p": (1920, 1080), "720p": (1280, 720), "480p": (854, 480),
    "square": (1080, 1080), "vertical": (1080, 1920), "portrait": (1080, 1350),
}
"""Frame sizes by name. Those that end in `p` are turned for upright films; the others mean their shape."""

_SIZE = re.compile(r"(\d{1,5})\s*[x×]\s*(\d{1,5})")
_LENGTH = re.compile(r"(\d+(?:\.\d+)?)\s*(%|px)?")


def _frame_size(value: Any) -> str:
    text = str(value).strip().lower()
    if text in SIZES:
        return text
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ValueError(f"{value!r} is not a size: write 1920x1080 or one of {', '.join(SIZES)}")
    width, height = int(match[1]), int(match[2])
    if width % 2 or height % 2 or not (16 <= width <= 8192 and 16 <= height <= 8192):
        raise ValueError(f"{value!r} can't be made: both sides must be even, from 16 to 8192 pixels")
    return f"{width}x{height}"


FrameSize = Annotated[
    str, BeforeValidator(_frame_size),
    WithJsonSchema({"anyOf": [{"enum": list(SIZES)}, {"type": "string", "pattern": r"^\d+x\d+$"}]}),
]
"""A frame size in pixels, such as 1920x1080, or one of SIZES."""


def read_size(size: str, *, upright: bool) -> tuple[int, int]:
    """Width and height in pixels of a FrameSize, for a film that is `upright` or not."""
    if size in SIZES:
        width, height = SIZES[size]
        return (height, width) if upright and size.endswith("p") else (width, height)
    across, _, down = size.partition("x")
    return int(across), int(down)


def _length(value: Any) -> str:
    match = _LENGTH.fullmatch(str(value).strip()) if not isinstance(value, bool) else None
    if match is None:
        raise ValueError(f"{value!r} is not a length: write pixels (120) or a part of the picture (12%)")
    if match[2] == "%" and float(match[1]) > 100:
        raise ValueError(f"{value!r} is more than the whole picture")
    return f"{match[1]}{match[2] if match[2] == '%' else ''}"


Length = Annotated[
    str, BeforeValidator(_length),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": r"^\d+(\.\d+)?%?$"}]}),
]
"""Pixels (120), or a part of the picture (12%)."""


def read_length(length: str, whole: int) -> int:
    """Pixels of a Length in a picture that is `whole` pixels wide (or high)."""
    if length.endswith("%"):
        return round(whole * float(length[:-1]) / 100)
    return round(float(length))


def _fps(value: Any) -> Fraction:
    try:
        rate = Fraction(str(value).strip())
    except (ValueError, ZeroDivisionError):
        raise ValueError(f"{value!r} is not a frame rate: write 25, 29.97 or 30000/1001") from None
    for usual in (24, 30, 48, 60, 120):
        # What people write as 29.97 is not 2997/100.
        if abs(rate - Fraction(usual * 1000, 1001)) < Fraction(1, 200) and rate != usual:
            return Fraction(usual * 1000, 1001)
    if not 1 <= rate <= 240:
        raise ValueError(f"{value!r} is not a frame rate that can be made: it must be from 1 to 240")
    return rate


FrameRate = Annotated[
    Fraction, BeforeValidator(_fps), PlainSerializer(str),
    WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "string"}], "examples": [25, 29.97, "30000/1001"]}),
]
"""Frames per second: 25, 29.97 or 30000/1001."""
