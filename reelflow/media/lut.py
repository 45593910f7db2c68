"""LUT files (.cube): read by ourselves, and written out anew for ffmpeg, which so sees nothing but numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from reelflow.errors import BadInput

_MAX_BYTES = 128 * 2**20
_MAX_SIZE = 129
# What ffmpeg can do: colours from 0 to 1.
_WHOLE = {"DOMAIN_MIN": [0.0] * 3, "DOMAIN_MAX": [1.0] * 3, "LUT_3D_INPUT_RANGE": [0.0, 1.0]}


@dataclass(frozen=True, slots=True)
class Lut:
    """A cube of `size` x `size` x `size` colours for inputs from 0 to 1; each a row of red, green and blue."""

    size: int
    rows: tuple[tuple[float, float, float], ...]


class _Refused(Exception):
    """The file can't be used; the message is the second half of a sentence."""


def read_lut(path: Path) -> Lut:
    """The 3D LUT in a .cube file.

    Raises:
        BadInput: it can't be read, or isn't one that can be used; says why.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise _Refused("is too large for a LUT: a .cube file of 65 x 65 x 65 colours has about 7 MB")
        return _parse(path.read_text("utf-8-sig", "replace"))
    except OSError as error:
        raise BadInput(f"{path} can't be opened: {error.strerror}.", field="lut") from None
    except _Refused as refused:
        raise BadInput(f"{path} {refused}.", field="lut") from None


def _parse(text: str) -> Lut:
    size = 0
    rows: list[tuple[float, float, float]] = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split()
        if not words or words[0] == "TITLE":
            continue
        if words[0] == "LUT_3D_SIZE" and len(words) == 2 and words[1].isdecimal():
            size = int(words[1])
            if not 2 <= size <= _MAX_SIZE:
                raise _Refused(f"has {size} colours a side: a LUT that can be used has 2 to {_MAX_SIZE}")
        elif words[0].startswith("LUT_1D"):
            raise _Refused("is a 1D LUT, or begins with one: export a 3D LUT (.cube) without it")
        elif words[0] in _WHOLE:
            if _numbers(words[1:]) != _WHOLE[words[0]]:
                raise _Refused(f"is not made for colours from 0 to 1 (line {number}): export it for those")
        else:
            row = _numbers(words)
            if row is None or len(row) != 3 or len(rows) >= max(1, size**3):
                raise _Refused(f"is not a .cube file that can be read: line {number} is not one of its numbers")
            rows.append((row[0], row[1], row[2]))
    if not size:
        raise _Refused("is not a .cube file: it has no LUT_3D_SIZE")
    if len(rows) != size**3:
        raise _Refused(f"is not whole: a LUT of {size} colours a side has {size**3} rows, and it has {len(rows)}")
    return Lut(size, tuple(rows))


def write_lut(lut: Lut, destination: Path) -> None:
    """A .cube file with this LUT."""
    rows = "".join(f"{red:.6f} {green:.6f} {blue:.6f}\n" for red, green, blue in lut.rows)
    destination.write_text(f"LUT_3D_SIZE {lut.size}\n{rows}", "ascii")


def _numbers(words: list[str]) -> list[float] | None:
    try:
        found = [float(word) for word in words]
    except ValueError:
        return None
    return found if all(map(math.isfinite, found)) else None
