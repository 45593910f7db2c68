"""`stabilise`: a film from a hand that shook, as if from one that did not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from reelflow.errors import MediaFailed
from reelflow.media.clip import Clip
from reelflow.media.media_step import Given, MediaStep, Op, refuse_picture
from reelflow.media.probe import Probe
from reelflow.media.reel import Reel


class Stabilise(MediaStep):
    """Shaking taken out, in two passes: one follows how the picture moves, the next moves it back."""

    name = "stabilise"
    short = "shake"
    bare = True
    analyses = "pictures"

    shake: int = Field(5, ge=1, le=10, description="How much it shakes: 1 a little, 10 very much.")
    crop: bool = Field(True, description="Zoom in so far that no edge shows; else the whole picture stays.")

    def after(self, clip: Clip, files: Mapping[Path, Probe]) -> Clip:
        refuse_picture(clip, "stabilised")
        return clip

    def analyse(self, stream: Any, op: Op, given: Given) -> Any:
        return stream.filter("vidstabdetect", result=given.own(op, ".trf"), shakiness=self.shake, accuracy=15)

    def read(self, stderr: str, op: Op, given: Given) -> Path:
        moved = given.own(op, ".trf")
        if not moved.exists() or moved.stat().st_size == 0:
            raise MediaFailed("ffmpeg did not say how the picture moves, so it can't be stabilised.", stderr=stderr)
        return moved

    def draw(self, reel: Reel, op: Op, given: Given) -> Reel:
        # Smoothed over about a third of a second to each side. Where its one zoom is not enough, edges are kept as they
        # were before, rather than black.
        options = {"optzoom": 1, "crop": "keep"} if self.crop else {"optzoom": 0, "crop": "black", "optalgo": "gauss"}
        return reel.settled(op.before).exactly().filtered(
            "vidstabtransform", input=given.own(op, ".trf"), smoothing=max(5, round(op.before.rate / 3)),
            interpol="bicubic", **options,
        )
