"""What a decoded frame says of itself: its colour, and which way up it is shown. For the child process of `examine`."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import cast

from av.sidedata.sidedata import SideData
from av.video.frame import VideoFrame

from reelflow.media.opening import Refused

_MATRICES = {0: "gbr", 1: "bt709", 4: "fcc", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 8: "ycgco", 9: "bt2020nc",
             10: "bt2020c"}
_RANGES = {1: "tv", 2: "pc"}
_TRANSFERS = {1: "bt709", 4: "bt470m", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 8: "linear",
              13: "iec61966-2-1", 14: "bt2020-10", 15: "bt2020-12", 16: "smpte2084", 18: "arib-std-b67"}
_PRIMARIES = {1: "bt709", 4: "bt470m", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 9: "bt2020", 11: "smpte431",
              12: "smpte432"}
# Neither the scale filter of 9.0 nor that of 5.1 reads these (YCgCo, ICtCp and the like).
_READABLE_MATRICES = {0, 1, 2, 3, 4, 5, 6, 7, 9, 10}


def colour_of(frame: VideoFrame) -> dict[str, str | None]:
    """Matrix, range, transfer and primaries by ffmpeg's names, None where it says nothing.

    Raises Refused for a matrix that can't be converted.
    """
    matrix = int(frame.colorspace)
    if matrix not in _READABLE_MATRICES:
        kind = _MATRICES.get(matrix, f"number {matrix}")
        raise Refused(f"has colours of a kind that is not known here ({kind}): convert it to BT.709 first.")
    return {"matrix": _MATRICES.get(matrix), "range": _RANGES.get(int(frame.color_range)),
            "transfer": _TRANSFERS.get(int(frame.color_trc)), "primaries": _PRIMARIES.get(int(frame.color_primaries))}


def orientation_of(frame: VideoFrame) -> tuple[int, bool]:
    """Degrees clockwise, and whether it is flipped from left to right before, from the frame's display matrix."""
    sides = cast("Iterable[SideData]", frame.side_data)  # PyAV's own types take it for a mapping
    for side in sides:
        if side.type.name == "DISPLAYMATRIX" and side.buffer_size >= 36:
            a, b, _, c, d = struct.unpack("=9i", bytes(side)[:36])[:5]
            mirrored = a * d - b * c < 0
            if mirrored:
                a, b = -a, -b
            if abs(a) >= abs(b):
                return (0 if a >= 0 else 180), mirrored
            return (90 if b > 0 else 270), mirrored
    return 0, False
