"""`still`: one picture of a film."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Literal

from pydantic import Field

from reelflow.choices import Time
from reelflow.errors import BadInput
from reelflow.media.clip import Clip
from reelflow.media.media_step import Given, MediaStep, Op, refuse_picture
from reelflow.media.probe import Probe
from reelflow.media.reel import Reel


class Still(MediaStep):
    """The frame at a moment, as a picture: for the steps `image` and `motion`, or to look at."""

    name = "still"
    short = "at"
    bare = True
    cuts = True

    at: Literal["middle", "last"] | Time = Field(0.0, description="The moment: seconds, `middle` or `last`.")

    def title(self) -> str:
        return f"still at {self.at if isinstance(self.at, str) else f'{self.at:g} s'}"

    def frames_of(self, clip: Clip) -> tuple[int, int]:
        """The frame's number and the one behind it. Raises BadInput where the film has ended by then."""
        if self.at == "middle":
            frame = clip.frames // 2
        elif self.at == "last":
            frame = clip.frames - 1
        else:
            frame = int(Fraction(str(self.at)) * clip.rate + Fraction(1, 2))
        if frame >= clip.frames:
            raise BadInput(f"There is no frame at {self.at} s: the film is {float(clip.seconds):.3f} s long.",
                           field="at")
        return frame, frame + 1

    def after(self, clip: Clip, files: Mapping[Path, Probe]) -> Clip:
        refuse_picture(clip, "a still of something else")
        self.frames_of(clip)
        return Clip(clip.size, Fraction(0), 1)

    def draw(self, reel: Reel, op: Op, given: Given) -> Reel:
        first, last = self.frames_of(op.before)
        reel = reel.settled(op.before).exactly()
        stream = reel.stream.filter("trim", start_frame=first, end_frame=last).filter("setpts", 0)
        return replace(reel, stream=stream, frames=1, rate=Fraction(0))
