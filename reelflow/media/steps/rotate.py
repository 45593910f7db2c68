"""`rotate`: a quarter, a half or three quarters of a turn."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field

from reelflow.media import filters
from reelflow.media.clip import Clip
from reelflow.media.media_step import Given, MediaStep, Op
from reelflow.media.probe import Probe
from reelflow.media.reel import Reel


class Rotate(MediaStep):
    """The picture turned clockwise; at 90 and 270 degrees its width and height change places."""

    name = "rotate"
    short = "degrees"

    degrees: Literal[90, 180, 270] = Field(description="Clockwise: 90, 180 or 270.")

    def title(self) -> str:
        return f"rotate by {self.degrees}°"

    def after(self, clip: Clip, files: Mapping[Path, Probe]) -> Clip:
        return clip if self.degrees == 180 else clip.sized(clip.size.turned)

    def draw(self, reel: Reel, op: Op, given: Given) -> Reel:
        reel = reel.settled(op.before)
        return reel.resized(filters.turn_upright(reel.stream, self.degrees, mirrored=False), op.after.size)
