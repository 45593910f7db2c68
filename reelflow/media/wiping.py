"""A film that wipes over the one it was made from: the source left of a line, the result right of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from reelflow.media import filters
from reelflow.media.clip import Clip
from reelflow.media.drawing import film_reel
from reelflow.media.geometry import Size, even
from reelflow.media.graph import split_up, together
from reelflow.media.reel import Reel
from reelflow.media.steps.resize import fitted
from reelflow.plan import Output

_LINE = 0.003  # of the width
# Seconds that the line takes from right to left and back.
_SWEEP_SECONDS = 8


def wiped(result: Reel, output: Output) -> Reel:
    """The result's pictures, which are as large and as many as the output's, wiping over the source's.

    The line goes from the right edge to the left one and back, so that a film that goes round has no jump. An
    expression per pixel would take a hundred times as long as this mask, a black and a white half of which a window is
    shown. Both go by the time, since `overlay` counts frames from 1 and `crop` from 0.
    """
    before = _source(output).exactly().stream
    shown, black, white = split_up(result.exactly().stream, 3)
    size, sweeps = output.size, max(1, round(output.seconds / _SWEEP_SECONDS))
    turns = f"cos(2*PI*t*{filters.number(sweeps / output.seconds)})"
    dark = black.filter("format", "gray").filter("lut", c0=0)
    light, bar = split_up(white.filter("format", "gray").filter("lut", c0=255), 2)
    mask = together([dark, light], "hstack", inputs=2).filter(
        "crop", size.width, size.height, f"{size.width}*(0.5-0.5*{turns})", 0)
    seen = together([shown, mask], "alphamerge")
    stream = together([before, seen], "overlay", x=0, y=0, format="yuv420")
    width = max(2, 2 * round(size.width * _LINE / 2))
    line = bar.filter("crop", width, size.height, 0, 0).filter("format", "yuv420p")
    return replace(result, stream=_with_line(stream, line, f"{size.width}*(0.5+0.5*{turns})-{width // 2}"),
                   counted=False)


def _source(output: Output) -> Reel:
    """The source's pictures at the output's rate, in its frame, at the moments that the result's are of."""
    over = output.over
    assert over is not None
    reel = film_reel(over.film, over.span)
    if over.speed != 1:
        lead = f"({reel.lead})*{over.speed.denominator}/{over.speed.numerator}"
        reel = replace(reel.retimed(lead, output.frames), rate=reel.rate * over.speed)
    clip = Clip(Size(even(over.film.shown.width), even(over.film.shown.height)), output.rate, output.frames)
    return fitted(reel, clip, output.size, output.fit)


def _with_line(stream: Any, line: Any, place: str) -> Any:
    return together([stream, line], "overlay", x=place, y=0, format="yuv420", eval="frame")
