"""`crop`: a part of the picture."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from reelflow.choices import Length, read_length
from reelflow.errors import BadInput
from reelflow.media.clip import Clip
from reelflow.media.geometry import Box, Size, even, even_down
from reelflow.media.media_step import Given, MediaStep, Op
from reelflow.media.probe import Probe
from reelflow.media.reel import Reel

_SHAPE = re.compile(r"(\d{1,4})\s*[:/]\s*(\d{1,4})")


def _shape(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and value > 60:
        # YAML takes 9:16 without quotes for nine minutes and sixteen seconds.
        value = "{}:{}".format(*divmod(value, 60))
    match = _SHAPE.fullmatch(str(value).strip())
    if match is None or not 1 / 10 <= int(match[1]) / (int(match[2]) or 1) <= 10:
        raise ValueError(f"{value!r} is not a shape: write width and height such as 9:16, at most 10 times as long")
    return f"{match[1]}:{match[2]}"


class Crop(MediaStep):
    """A part of the picture: the largest of a shape (`aspect`), or one of a `width` and `height`; from its middle if
    `x` and `y` do not say otherwise.
    """

    name = "crop"
    short = "aspect"

    aspect: Annotated[
        str, BeforeValidator(_shape),
        WithJsonSchema({"type": "string", "pattern": r"^\d+:\d+$", "examples": ["9:16", "1:1"]}),
    ] | None = Field(None, description="The shape that is left, such as 9:16 or 1:1.")
    width: Length | None = Field(None, description="Pixels, or a part of the picture's width (50%).")
    height: Length | None = Field(None, description="Pixels, or a part of the picture's height (50%).")
    x: Length | None = Field(None, description="How far from the left; in the middle if left away.")
    y: Length | None = Field(None, description="How far from the top; in the middle if left away.")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.aspect is None) == (self.width is None and self.height is None):
            raise ValueError("give the aspect, or the width and height")
        return self

    def title(self) -> str:
        return f"crop to {self.aspect or f'{_said(self.width)} x {_said(self.height)}'}"

    def box(self, size: Size) -> Box:
        """The part of a picture of `size` that is left. Raises BadInput where it isn't within it."""
        if self.aspect is not None:
            across, down = map(int, self.aspect.split(":"))
            scale = min(size.width / across, size.height / down)
            width, height = min(size.width, even(across * scale)), min(size.height, even(down * scale))
        else:
            width = size.width if self.width is None else even(read_length(self.width, size.width))
            height = size.height if self.height is None else even(read_length(self.height, size.height))
        x = even_down((size.width - width) / 2) if self.x is None else even_down(read_length(self.x, size.width))
        y = even_down((size.height - height) / 2) if self.y is None else even_down(read_length(self.y, size.height))
        if width < 16 or height < 16:
            raise BadInput(f"A part of {width}x{height} pixels would be left of the picture: at least 16x16 must be.",
                           field="width" if width < 16 else "height")
        if x + width > size.width or y + height > size.height:
            raise BadInput(
                f"The part of {width}x{height} pixels at {x},{y} lies outside the picture, which is {size}.",
                field="width" if x + width > size.width else "height",
            )
        return Box(x, y, width, height)

    def after(self, clip: Clip, files: Mapping[Path, Probe]) -> Clip:
        return clip.sized(self.box(clip.size).size)

    def draw(self, reel: Reel, op: Op, given: Given) -> Reel:
        box = self.box(op.before.size)
        if reel.taken.size != op.before.size:
            reel = reel.settled(op.before)
        taken = Box(reel.taken.x + box.x, reel.taken.y + box.y, box.width, box.height)
        return replace(reel, taken=taken, shown=box.size)


def _said(length: str | None) -> str:
    return "all" if length is None else length
