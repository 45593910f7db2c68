"""Where a finished film comes from: source, prepared, generated, finished, each by its content."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Stage(StrEnum):
    """How far on its way a file is."""

    SOURCE = "source"
    REFERENCE = "reference"  # a picture that a model goes by
    PREPARED = "prepared"  # as it is sent to a model
    GENERATED = "generated"  # as it comes from one
    FINISHED = "finished"


@dataclass(frozen=True, slots=True)
class Made:
    """One file on the way: its name (a generated one's is its job's), its SHA-256 in hex, and the digests of what it
    was made of. `lies_at` is a path or an address, where people look for it; what only the store keeps has none.
    """

    stage: Stage
    name: str
    digest: str
    made_of: tuple[str, ...] = ()
    lies_at: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"stage": self.stage.value, "name": self.name, "digest": self.digest, "made_of": list(self.made_of),
                "lies_at": self.lies_at}

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Made:
        """One that was told as JSON. Raises KeyError, TypeError, ValueError."""
        lies_at = told.get("lies_at")
        return cls(Stage(told["stage"]), str(told["name"]), str(told["digest"]), tuple(map(str, told["made_of"])),
                   None if lies_at is None else str(lies_at))


def in_order(made: Sequence[Made]) -> tuple[Made, ...]:
    """Each file once, behind what it was made of."""
    told: dict[tuple[Stage, str, str], Made] = {}

    def tell(one: Made) -> None:
        named = one.stage, one.name, one.digest
        if named in told:
            return
        for other in made:
            if other.digest in one.made_of and other.digest != one.digest:
                tell(other)
        told[named] = one

    for one in made:
        tell(one)
    return tuple(told.values())


def ends_of(made: Sequence[Made]) -> tuple[str, ...]:
    """The digests of what a finished file is made of: the source, and what came from models and went to no other."""
    used = {digest for one in made for digest in one.made_of}
    return tuple(dict.fromkeys(one.digest for one in made if one.stage is Stage.SOURCE or (
        one.stage is Stage.GENERATED and one.digest not in used)))
