"""`text`: words on the picture."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from reelflow.choices import Length, read_length
from reelflow.errors import BadInput
from reelflow.media import filters
from reelflow.media.clip import Clip
from reelflow.media.geometry import Size
from reelflow.media.graph import open_own_picture
from reelflow.media.laid_over import LaidOver
from reelflow.media.lettering import Lettering, read_colour
from reelflow.media.media_step import Given, Op
from reelflow.media.probe import Probe
from reelflow.media.reel import Reel
from reelflow.step import Need

_MARGIN = 0.05  # of the shorter side: what screens cut off
_WIDEST = 0.9  # of the picture's width


def _colour(value: str) -> str:
    read_colour(value)
    return value


class Text(LaidOver):
    """Words on the picture, in as many lines as they need."""

    name = "text"
    short = "text"

    text: str = Field(
        min_length=1, max_length=2000, description="A line break begins a new line; long lines are wrapped.")
    position: Literal[
        "top", "middle", "bottom", "top-left", "top-right", "bottom-left", "bottom-right"] = "bottom"
    size: Length = Field("6%", description="How high a line is: pixels, or a part of the picture's height.")
    colour: Annotated[str, AfterValidator(_colour)] = Field("white", description="#rrggbb, or a name such as gold.")
    background: Literal["shadow", "box", "none"] = Field("shadow", description="What makes it readable.")
    font: Path | None = Field(
        None, description="A TrueType or OpenType file; Source Sans (Latin, Greek, Cyrillic) if left away.")
    fade: float = Field(0.0, ge=0, le=60, description="Seconds over which it appears and goes.")

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.text.strip():
            raise ValueError("the text is empty")
        return self

    def title(self) -> str:
        said = " ".join(self.text.split())
        return f"text “{said if len(said) <= 24 else f'{said[:23].rstrip()}…'}”"

    def needs(self) -> tuple[Need, ...]:
        return () if self.font is None else (Need(self.font, "font", "font"),)

    def lettering(self, size: Size) -> Lettering:
        """The words as they are drawn on a picture of `size`."""
        across = self.position.rpartition("-")[2]
        return Lettering(
            self.text, max(8, read_length(self.size, size.height)), round(size.width * _WIDEST),
            colour=self.colour, background=self.background, font=self.font,
            align=across if across in ("left", "right") else "center",
        )

    def _fade_frames(self, clip: Clip) -> int:
        return round(Fraction(str(self.fade)) * clip.rate)

    def after(self, clip: Clip, files: Mapping[Path, Probe]) -> Clip:
        first, last = self.span(clip)
        if clip.is_picture and self.fade:
            raise BadInput("A picture has no time: leave fade away.", field="fade")
        if 2 * self._fade_frames(clip) > last - first:
            raise BadInput(f"The text is seen for {float((last - first) / clip.rate):g} s: it can't appear and go over "
                           f"{self.fade:g} s each.", field="fade")
        if self.font is None:
            self._check_room(clip)
        return clip

    def _check_room(self, clip: Clip) -> None:
        made = self.lettering(clip.size).measure()
        if made.height > clip.size.height or made.width > clip.size.width:
            raise BadInput(f"The text does not fit: it would be {made} pixels large on a picture of {clip.size}. "
                           "Shorten it, or give a smaller size.", field="size")

    def paint(self, op: Op, given: Given) -> None:
        self._check_room(op.before)
        self.lettering(op.before.size).write(given.own(op, ".png"))

    def draw(self, reel: Reel, op: Op, given: Given) -> Reel:
        clip, span, fade = op.before, self.span(op.before), self._fade_frames(op.before)
        over = filters.as_overlay(open_own_picture(given.own(op, ".png")))
        if fade:
            over = filters.held(over, clip.rate, clip.frames)
            over = over.filter("fade", type="in", start_frame=span[0], nb_frames=fade, alpha=1)
            over = over.filter("fade", type="out", start_frame=span[1] - fade, nb_frames=fade, alpha=1)
        x, y = self._place(clip.size)
        return self.laid_over(reel.settled(clip), over, x, y, clip)

    def _place(self, size: Size) -> tuple[str, str]:
        """Where the words lie, as expressions of their size; on even numbers, so that colours lie as they should."""
        margin = 2 * round(min(size.width, size.height) * _MARGIN / 2)
        up, _, across = self.position.partition("-")
        x = {"left": f"{margin}", "right": f"W-w-{margin}"}.get(across, "2*trunc((W-w)/4)")
        y = {"top": f"{margin}", "bottom": f"H-h-{margin}"}.get(up, "2*trunc((H-h)/4)")
        return x, y
