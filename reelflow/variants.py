"""`variants`: several ways from here, side by side in one picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from reelflow.media.geometry import Size, even
from reelflow.step import Step

if TYPE_CHECKING:
    from reelflow.recipe import Entry

_LABEL_SHARE = 0.07  # of a cell's height


class Variants(Step):
    """The clip goes several ways (`of`: each a step, or a list of steps), and what comes out is laid side by side."""

    name = "variants"
    short = "of"

    of: tuple[
        Annotated[tuple[Entry, ...], BeforeValidator(lambda way: way if isinstance(way, list | tuple) else [way])], ...
    ] = Field(min_length=1, max_length=16, description="The ways: each a step, or a list of steps.")
    layout: Literal["row", "column", "grid"] = "row"
    source: bool = Field(False, description="Whether what it was before stands first.")
    labels: tuple[str, ...] | None = Field(None, description="A line below each picture.")
    width: int | None = Field(
        None, ge=64, le=8192, description="Pixels across the whole; about the clip's own width if left away.")

    @model_validator(mode="after")
    def _a_label_each(self) -> Self:
        if self.labels is not None and len(self.labels) != self.count:
            raise ValueError(f"there are {len(self.labels)} labels for {self.count} pictures: give one for each")
        return self

    def title(self) -> str:
        return f"{len(self.of)} variants side by side"

    @property
    def count(self) -> int:
        """How many pictures lie side by side."""
        return len(self.of) + self.source

    def ways(self) -> tuple[tuple[Step, ...], ...]:
        """The steps of each way."""
        return tuple(tuple(entry.step for entry in way) for way in self.of)

    def columns(self) -> int:
        """How many lie in a row."""
        if self.layout == "grid":
            return next(columns for columns in range(1, 17) if columns * columns >= self.count)
        return self.count if self.layout == "row" else 1

    def cell(self, size: Size) -> Size:
        """How large a picture of `size` is shown."""
        across = even((self.width or size.width) / self.columns() - 0.5)
        return Size(across, even(across * size.height / size.width))

    def below(self, cell: Size) -> int:
        """The height of the line below each picture, in pixels; 0 without labels."""
        return even(max(24, cell.height * _LABEL_SHARE)) if self.labels else 0
