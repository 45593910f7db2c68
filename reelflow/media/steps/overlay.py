"""`overlay`: a picture, such as a logo, laid over the film."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field

from reelflow.choices import Length, read_length
from reelflow.errors import BadInput
from reelflow.media import filters
from reelflow.media.clip import Clip
from reelflow.media.geometry import Box, even, even_down
from reelflow.media.graph import open_picture
from reelflow.media.laid_over import LaidOver
from reelflow.media.media_step import Given, Op
from reelflow.media.probe import Probe
from reelflow.media.reel import Reel
from reelflow.step import Need


class Overlay(LaidOver):
    """A picture laid over the film, with its transparency: a logo in a corner."""

    name = "overlay"
    short = "image"

    image: Path = Field(description="A PNG, WebP or JPEG.")
    corner: Literal["top-left", "top-right", "bottom-left", "bottom-right", "centre"] = "bottom-right"
    width: Length = Field("15%", description="Pixels, or a part of the film's width; the height follows.")
    margin: Length = Field("3%", description="How far from the edges: pixels, or a part of the film's shorter side.")
    opacity: float = Field(1.0, ge=0, le=1, description="0 (not to be seen) to 1 (as it is).")

    def title(self) -> str:
        return f"overlay {self.image.name}"

    def needs(self) -> tuple[Need, ...]:
        return (Need(self.image, "picture", "image"),)

    def box(self, clip: Clip, picture: Probe) -> Box:
        """Where the picture lies on a clip. Raises BadInput where it does not fit."""
        size, shown = clip.size, picture.shown
        width = even(read_length(self.width, size.width))
        height = even(width * shown.height / shown.width)
        margin = 0 if self.corner == "centre" else even_down(read_length(self.margin, min(size.width, size.height)))
        if width + margin > size.width or height + margin > size.height:
            raise BadInput(f"{self.image.name} does not fit: it would be {width}x{height} pixels large, {margin} from "
                           f"the edge, on a picture of {size}. Give a smaller width.", field="width")
        if self.corner == "centre":
            return Box(even_down((size.width - width) / 2), even_down((size.height - height) / 2), width, height)
        x = margin if "left" in self.corner else size.width - width - margin
        y = margin if "top" in self.corner else size.height - height - margin
        return Box(x, y, width, height)

    def after(self, clip: Clip, files: Mapping[Path, Probe]) -> Clip:
        self.box(clip, files[self.image])
        self.span(clip)
        return clip

    def draw(self, reel: Reel, op: Op, given: Given) -> Reel:
        picture = given.files[self.image]
        box = self.box(op.before, picture)
        stream = filters.turn_upright(open_picture(picture), picture.turn, picture.mirrored)
        stream = filters.as_overlay(filters.resized_with_alpha(stream, box.size), self.opacity)
        return self.laid_over(reel.settled(op.before), stream, box.x, box.y, op.before)
