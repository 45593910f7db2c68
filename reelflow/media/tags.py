"""What a film's container says of the film, from title to keywords, as far as it goes into the finished one; pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from reelflow.legible import shortened

# What the film is, and when it was made; not where, nor with what.
_KEPT = (
    "title", "artist", "album_artist", "album", "comment", "description", "synopsis", "copyright", "date",
    "creation_time", "genre", "show", "episode_id", "network", "composer", "keywords",
)
_APPLE = "com.apple.quicktime."  # how Apple's programs begin the same names
_MOST_BYTES = 2048  # of a value: the tags of 32 outputs are to fit into one command
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_NOT_TEXT = "\ufffd"  # what PyAV puts in the place of bytes that are no UTF-8
# ffmpeg takes more, such as `now`, with which the same film would be another one each time.
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", re.ASCII)


def tags_of(told: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Those of a container's tags that say what the film is, as names and values, in an order of their own.

    Each value is one line of at most 2048 bytes; one that isn't text is left away.
    """
    known = {
        name.lower().removeprefix(_APPLE): line for name, value in told.items()
        if _NOT_TEXT not in value and (line := _one_line(value))
    }
    return tuple((name, known[name]) for name in _KEPT if name in known and _can_be(name, known[name]))


def tag_options(tags: tuple[tuple[str, str], ...], timecode: str | None) -> dict[str, Any]:
    """Output options that say it of a film, and which timecode its first frame has."""
    # ffmpeg doesn't read on behind the `g`; ffmpeg-python takes each name but once.
    made: dict[str, Any] = {f"metadata:g:{name}": f"{name}={value}" for name, value in tags}
    return made if timecode is None else made | {"timecode": timecode}


def _one_line(value: str) -> str:
    return shortened(_CONTROLS.sub(" ", value).strip(), _MOST_BYTES).rstrip()


def _can_be(name: str, value: str) -> bool:
    return name != "creation_time" or _MOMENT.fullmatch(value) is not None
