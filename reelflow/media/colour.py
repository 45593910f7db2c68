"""Which colours a film's numbers stand for, and the filters that bring them to BT.709 in limited range."""

from __future__ import annotations

from dataclasses import dataclass

from reelflow.media.probe import Colour, Probe

# What ffmpeg calls a matrix in a file, and what its scale filter calls it.
_SCALE_MATRICES = {
    "bt709": "bt709", "fcc": "fcc", "bt470bg": "bt601", "smpte170m": "bt601", "smpte240m": "smpte240m",
    "bt2020nc": "bt2020", "bt2020c": "bt2020",
}
# Constant luminance can't be undone together with PQ or HLG, and what is tagged so seldom is.
_ZSCALE_MATRICES = {"bt2020c": "bt2020nc", "fcc": "bt470bg"}
_WHOLE_COLOUR = ("gbr", "rgb", "bgr", "gray", "yuv444", "yuva444")
_WIDE_PRIMARIES = {"bt2020", "smpte431", "smpte432"}


@dataclass(frozen=True, slots=True)
class Reading:
    """How a film's colours are read: `matrix` and `range` for the scale filter, `tone_map` where it is HDR or wide.

    `odd` says that zscale can't take it as it is: of an odd size, with fewer colour samples than pixels.
    """

    matrix: str
    range: str
    tone_map: Colour | None = None
    odd: bool = False


def read_colour(probe: Probe) -> Reading:
    """How to read a film: as it is tagged; where it isn't, by its size, as players do."""
    colour = probe.colour
    full = colour.range == "pc" or probe.pixels.startswith("yuvj")
    large = probe.height > 576 or probe.width > 1024
    matrix = _SCALE_MATRICES.get(colour.matrix or "") or ("bt709" if large else "bt601")
    wide = colour.hdr is not None or colour.primaries in _WIDE_PRIMARIES
    if wide:
        filled = Colour(
            matrix=_ZSCALE_MATRICES.get(colour.matrix or "", colour.matrix) or "bt2020nc",
            range="pc" if full else "tv", transfer=colour.transfer or "bt709", primaries=colour.primaries or "bt2020",
        )
        odd = bool(probe.width % 2 or probe.height % 2) and not probe.pixels.startswith(_WHOLE_COLOUR)
        return Reading(matrix, "pc" if full else "tv", filled, odd)
    return Reading(matrix, "pc" if full else "tv")
