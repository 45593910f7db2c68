"""Timecode, which editors know each frame of a film by: HH:MM:SS:FF, round a day; pure.

Its seconds have a whole number of frames. At 29.97 and 59.94 frames a second they are too many for a clock, which
drop-frame timecode (`;` before FF) makes up for: it leaves out the first numbers of each minute but every tenth.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from fractions import Fraction

_TIMECODE = re.compile(r"([01]\d|2[0-3]):([0-5]\d):([0-5]\d)([:;])(\d\d)", re.ASCII)
_COUNTED = (24, 25, 30, 50, 60)  # frames a second
_DROPPED = {30: 2, 60: 4}  # numbers a minute
_MINUTES = 24 * 60


def find_timecode(told: Iterable[Mapping[str, str]]) -> str | None:
    """The first timecode among what streams and container say, each by its own tags; None where none is one."""
    values = (value for tags in told for name, value in tags.items() if name.lower() == "timecode")
    return next((value for value in values if _TIMECODE.fullmatch(value)), None)


def later(timecode: str, frames: int, rate: Fraction) -> str | None:
    """The timecode so many frames later in a film of `rate` frames a second; None where it doesn't count such a film's
    frames.
    """
    match, counted = _TIMECODE.fullmatch(timecode), round(rate)
    if match is None or counted not in _COUNTED or rate not in (counted, Fraction(counted * 1000, 1001)):
        return None
    hours, minutes, seconds, number = (int(match[group]) for group in (1, 2, 3, 5))
    drops = match[4] == ";"
    if number >= counted or (drops and (counted not in _DROPPED or rate == counted)):
        return None
    dropped = _DROPPED[counted] if drops else 0
    minutes += hours * 60
    if number < dropped and not seconds and minutes % 10:
        return None  # one of the numbers that are left out
    at = (minutes * 60 + seconds) * counted + number - dropped * (minutes - minutes // 10) + frames
    at %= _MINUTES * 60 * counted - dropped * (_MINUTES - _MINUTES // 10)
    tens, rest = divmod(at, 600 * counted - 9 * dropped)
    # The first minute of ten is a whole one.
    at += dropped * (9 * tens + max(0, (rest - dropped) // (60 * counted - dropped)))
    seconds, number = divmod(at, counted)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{match[4]}{number:02}"
