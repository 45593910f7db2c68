"""`rate`: another frame rate, over the same time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from pydantic import Field

from reelflow.choices import FrameRate
from reelflow.media.clip import Clip
from reelflow.media.media_step import Given, MediaStep, Op, refuse_picture
from reelflow.media.probe import Probe
from reelflow.media.reel import Reel


class Rate(MediaStep):
    """Another frame rate; a frame shows what is seen at its time, or, `smooth`, what lies between two (slow)."""

    name = "rate"
    short = "fps"

    fps: FrameRate = Field(description="Frames per second: 25, 29.97 or 30000/1001.")
    smooth: bool = Field(False, description="Make up pictures in between by motion. Slow.")

    def title(self) -> str:
        return f"rate {float(self.fps):.5g}"

    def after(self, clip: Clip, files: Mapping[Path, Probe]) -> Clip:
        refuse_picture(clip, "given a rate")
        return replace(clip, rate=self.fps, frames=max(1, round(clip.seconds * self.fps)))

    def draw(self, reel: Reel, op: Op, given: Given) -> Reel:
        if self.smooth and self.fps > op.before.rate:
            reel = replace(reel.settled(op.before).exactly(), smooth=1 / op.before.rate)
        return reel.to(reel.shown, self.fps, op.after.frames)
