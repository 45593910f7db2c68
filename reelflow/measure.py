"""What a run measures of itself for those who run many: kept in its report and its receipt, counted by the metrics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class What(StrEnum):
    """What was measured."""

    QUEUE_WAIT = "queue_wait"  # seconds from a job's submission until the queue was seen to work on it; of a model
    ENCODE = "encode"  # seconds of film that ffmpeg wrote, and the seconds that it took; of a phase
    LOOK_UP = "look_up"  # whether what was needed was there already; of a kind of file


class Found(StrEnum):
    """How a look for what may be there already ended."""

    HIT = "hit"
    MISS = "miss"
    TAKEN_UP = "taken_up"  # a job that was bought before, whose result is still to be fetched


@dataclass(frozen=True, slots=True)
class Measure:
    """One measurement: `of` is what it belongs to, `value` and `took` are seconds; `found` is for a look-up alone."""

    what: What
    of: str
    value: float = 0.0
    took: float = 0.0
    found: Found | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**asdict(self), "what": self.what.value, "found": None if self.found is None else self.found.value}

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Measure:
        """One that was told as JSON. Raises KeyError, TypeError, ValueError."""
        found = told.get("found")
        return cls(What(told["what"]), str(told["of"]), float(told.get("value", 0)), float(told.get("took", 0)),
                   None if found is None else Found(found))
