"""`flip`: the picture as in a mirror."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from reelflow.media.media_step import Given, MediaStep, Op
from reelflow.media.reel import Reel


class Flip(MediaStep):
    """The picture mirrored: `horizontal` swaps left and right, `vertical` top and bottom."""

    name = "flip"
    short = "direction"

    direction: Literal["horizontal", "vertical"] = Field(description="What changes places: left and right, or top and "
                                                                     "bottom.")

    def title(self) -> str:
        return f"flip {self.direction}"

    def draw(self, reel: Reel, op: Op, given: Given) -> Reel:
        return reel.settled(op.before).filtered("hflip" if self.direction == "horizontal" else "vflip")
