"""`denoise`: less grain and noise."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from reelflow.media.media_step import Given, MediaStep, Op
from reelflow.media.reel import Reel

# Brightness and colour within a picture, and the same from one to the next.
_STRENGTHS = {"light": (2, 1.5, 3, 2.25), "medium": (4, 3, 6, 4.5), "strong": (8, 6, 12, 9)}
# A single picture has no neighbours to compare it with: its own parts are compared, which takes long.
_OF_PICTURES = {"light": 2, "medium": 4, "strong": 8}


class Denoise(MediaStep):
    """Less grain and noise, which models take for something that is there."""

    name = "denoise"
    short = "strength"
    bare = True

    strength: Literal["light", "medium", "strong"] = Field("medium", description="How much of it goes, and of detail.")

    def title(self) -> str:
        return f"denoise ({self.strength})"

    def draw(self, reel: Reel, op: Op, given: Given) -> Reel:
        reel = reel.settled(op.before)
        if op.before.is_picture:
            return reel.filtered("nlmeans", s=_OF_PICTURES[self.strength], p=5, r=7)
        return reel.filtered("hqdn3d", *_STRENGTHS[self.strength])
