"""What all steps of a recipe have in common, and the one table of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from reelflow.home import expanded

STEPS: dict[str, type[Step]] = {}
"""Every step by its name in a recipe; a step enters itself where its class has a `name`."""


@dataclass(frozen=True, slots=True)
class Need:
    """A file that a step reads: what kind it has to be, and the field that names it."""

    path: Path
    kind: Literal["picture", "film", "sound", "lut", "font"]
    field: str


class Step(BaseModel):
    """One step of a recipe: its fields are what a person writes behind its name.

    `short` is the field that a lone value stands for (`- speed: 2`), `bare` whether a step may stand without fields.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: ClassVar[str] = ""
    short: ClassVar[str | None] = None
    bare: ClassVar[bool] = False

    @classmethod
    def __pydantic_init_subclass__(cls, **more: Any) -> None:
        super().__pydantic_init_subclass__(**more)
        if "name" in vars(cls):
            STEPS[cls.name] = cls

    @classmethod
    def about(cls) -> str:
        """What the step is, in its own first sentence."""
        return " ".join((cls.__doc__ or "").split()).partition(". ")[0].rstrip(".") + "."

    def title(self) -> str:
        """The step in a word or three, for the name of a task run."""
        return self.name

    def needs(self) -> tuple[Need, ...]:
        """The files that the step reads besides what it is given, and what they have to be."""
        return ()

    def files(self) -> tuple[Path, ...]:
        """The paths of the files that the step reads."""
        return tuple(need.path for need in self.needs())

    def in_folder(self, folder: Path) -> Step:
        """The same step, its files read from `folder` where they are not absolute."""
        moved = {
            field: _moved(value, folder) for field in type(self).model_fields
            if _has_paths(value := getattr(self, field))
        }
        return self.model_copy(update=moved) if moved else self


def _has_paths(value: Any) -> bool:
    return isinstance(value, Path) or (isinstance(value, tuple) and any(isinstance(one, Path) for one in value))


def _moved(value: Any, folder: Path) -> Any:
    if isinstance(value, tuple):
        return tuple(_moved(one, folder) for one in value)
    return (folder / expanded(value)).absolute() if isinstance(value, Path) else value
