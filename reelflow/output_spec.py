"""The files that come out, as a recipe asks for them."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from reelflow.choices import Codec, FrameRate, FrameSize, Quality, Time, check_span

_MODEL = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Part(BaseModel):
    """A part of the finished film, in its own seconds."""

    model_config = _MODEL

    start: Time = 0.0
    end: Time | None = None
    duration: Time | None = None

    @model_validator(mode="after")
    def _one_end(self) -> Self:
        check_span(self.start, self.end, self.duration)
        return self


class Sheet(BaseModel):
    """A contact sheet: pictures of the film in rows."""

    model_config = _MODEL

    columns: int = Field(4, ge=1, le=12)
    rows: int = Field(3, ge=1, le=12)


class OutputSpec(BaseModel):
    """One file that comes out; the end of its name says what it is.

    mp4, mov, mkv and webm are films; webp and gif move without sound; png and jpg are a picture of the moment `at`, or
    with `sheet` a contact sheet. In `path`, {stem} is the source's name and {name} the recipe's.
    """

    model_config = _MODEL

    path: str = Field(min_length=1, description="A name below the output folder, such as {stem}-noir.mp4.")
    size: Literal["source", "model"] | FrameSize | None = Field(
        None, description="source, model, 1920x1080, 1080p, square, … As the last step left it if not said.")
    width: int | None = Field(None, ge=16, le=8192, description="Pixels; the height follows.")
    fit: Literal["pad", "crop", "stretch", "blur"] = "pad"
    clip: Part | None = Field(None, description="Only a part of it.")
    at: Literal["middle", "last"] | Time = Field("middle", description="For a picture: its moment in the film.")
    sheet: Sheet | None = None
    fps: FrameRate | None = Field(None, description="Frames per second; the film's own if not said (webp, gif: 12).")
    codec: Codec | None = Field(None, description="What its container usually holds (H.264 in MP4) if not said.")
    quality: Quality = Quality.GOOD
    sound: bool = True
    wipe: bool = Field(False, description="Whether it wipes over the source, to and fro: before and after in one film.")

    @field_validator("path")
    @classmethod
    def _below(cls, value: str) -> str:
        path = PurePosixPath(value)
        if path.is_absolute() or ".." in path.parts or value.endswith("/") or "\\" in value or "\0" in value:
            raise ValueError(f"{value!r} does not lie below the output folder: write a name such as {{stem}}-noir.mp4")
        try:
            made = value.format(stem="x", name="x")
        except (KeyError, IndexError, ValueError, AttributeError):
            raise ValueError(f"{value!r} is not a template: {{stem}} and {{name}} are what can be put in") from None
        if not made.strip(". /"):
            raise ValueError(f"{value!r} is not a name")
        return value

    @model_validator(mode="after")
    def _one_size(self) -> Self:
        if self.size is not None and self.width is not None:
            raise ValueError("give the size or the width, not both")
        return self

    def name(self, *, stem: str, recipe: str) -> str:
        """Its path below the output folder."""
        return self.path.format(stem=stem, name=recipe)
