"""What steps have in common that lay something over the film for a time."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any, Self

from pydantic import Field, model_validator

from reelflow.choices import Time
from reelflow.errors import BadInput
from reelflow.media import filters
from reelflow.media.clip import Clip
from reelflow.media.graph import together
from reelflow.media.media_step import MediaStep
from reelflow.media.reel import Reel


class LaidOver(MediaStep):
    """A step whose picture is seen on the film from `start` up to `end`."""

    start: Time | None = Field(None, description="When it appears; from the beginning if left away.")
    end: Time | None = Field(None, description="When it goes; at the end if left away.")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.end is not None and self.end <= (self.start or 0.0):
            raise ValueError(f"the end ({self.end:g} s) is not after the start ({self.start or 0:g} s): swap them")
        return self

    def span(self, clip: Clip) -> tuple[int, int]:
        """The first frame on which it is seen, and the number behind the last.

        Raises:
            BadInput: the clip has none of them, or is a picture.
        """
        if clip.is_picture:
            if self.start is not None or self.end is not None:
                raise BadInput("A picture has no time: leave start and end away.", field="start")
            return 0, 1
        first, last = _nearest(self.start or 0.0, clip), clip.frames
        if self.end is not None:
            last = min(clip.frames, _nearest(self.end, clip))
        if first >= clip.frames:
            raise BadInput(f"The start ({self.start:g} s) lies behind the end of the film, which is "
                           f"{float(clip.seconds):.3f} s long.", field="start")
        if last <= first:
            raise BadInput(f"Between {self.start or 0:g} s and {self.end:g} s lies no frame of the film.", field="end")
        return first, last

    def laid_over(self, reel: Reel, over: Any, x: int | str, y: int | str, clip: Clip) -> Reel:
        """A clip's pictures with another one laid over them, on its span of frames."""
        options: dict[str, Any] = {"format": "yuv444" if reel.pixels == "yuv444p" else "yuv420"}
        span = self.span(clip)
        if span != (0, clip.frames):
            # Half a frame before each of its ends, so that rounding never decides.
            times = (filters.number((edge - Fraction(1, 2)) / clip.rate) for edge in span)
            options["enable"] = f"between(t,{','.join(times)})"
        return replace(reel, stream=together([reel.stream, over], "overlay", x=x, y=y, **options))


def _nearest(seconds: float, clip: Clip) -> int:
    return int(Fraction(str(seconds)) * clip.rate + Fraction(1, 2))
