"""`resize`: another size, or another shape."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from reelflow.choices import Fit, FrameSize, read_size
from reelflow.media.clip import Clip
from reelflow.media.geometry import Size, even, fit_into
from reelflow.media.graph import split_up, together
from reelflow.media.media_step import Given, MediaStep, Op
from reelflow.media.probe import Probe
from reelflow.media.reel import Reel


class Resize(MediaStep):
    """Another size: a whole frame (`size`), or a `width` or a `height` to which the other side follows."""

    name = "resize"
    short = "size"

    size: FrameSize | None = Field(None, description="1920x1080, or 1080p, 720p, square, vertical (9:16) and the like.")
    width: int | None = Field(None, ge=16, le=8192, description="Pixels; the height follows.")
    height: int | None = Field(None, ge=16, le=8192, description="Pixels; the width follows.")
    fit: Literal["pad", "crop", "stretch", "blur"] = Field(
        "pad", description="How it gets into another shape: black beside it, cut, stretched, or blurred beside it.")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        given = [name for name in ("size", "width", "height") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError("give one of size, width and height")
        return self

    def title(self) -> str:
        return f"resize to {self.size or (f'{self.width} wide' if self.width else f'{self.height} high')}"

    def target(self, size: Size) -> Size:
        """The size that a picture of `size` gets."""
        if self.width is not None:
            return Size(even(self.width), even(self.width * size.height / size.width))
        if self.height is not None:
            return Size(even(self.height * size.width / size.height), even(self.height))
        return Size(*read_size(self.size or "", upright=size.height > size.width))

    def after(self, clip: Clip, files: Mapping[Path, Probe]) -> Clip:
        return clip.sized(self.target(clip.size))

    def draw(self, reel: Reel, op: Op, given: Given) -> Reel:
        return fitted(reel, op.before, op.after.size, self.fit)


def fitted(reel: Reel, clip: Clip, after: Size, fit: str) -> Reel:
    """The pictures of a clip in a frame of the size `after`."""
    before = clip.size
    if fit != "blur":
        stored = reel.taken.size
        return reel.placed(fit_into(stored, before, after, Fit(fit)), stored, clip.rate, clip.frames)
    geometry = fit_into(before, before, after, Fit.PAD)
    if not geometry.is_padded:
        return reel.to(after, clip.rate, clip.frames)
    reel = reel.settled(clip)
    sharp, blurred = split_up(reel.stream, 2)
    cover = fit_into(before, before, after, Fit.CROP).taken
    # Blurred small and then made large: as soft, at a tenth of the work.
    small = Size(even(after.width / 8), even(after.height / 8))
    behind = blurred.filter("crop", cover.width, cover.height, cover.x, cover.y, exact=1).filter(
        "scale", small.width, small.height, flags="area").filter("gblur", sigma=4).filter(
        "scale", after.width, after.height, flags="bicubic").filter("eq", brightness=-0.08)
    front = sharp.filter("scale", geometry.placed.width, geometry.placed.height, flags="lanczos+accurate_rnd")
    stream = together([behind, front], "overlay", x=geometry.placed.x, y=geometry.placed.y, format="yuv420")
    return reel.resized(stream, after)
