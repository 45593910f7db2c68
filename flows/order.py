"""What a person sets besides the recipe."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

from reelflow.errors import BadInput
from reelflow.settings import Settings, read_settings


@dataclass(frozen=True, slots=True)
class Order:
    """Where the files of a run go, and what they may cost (USD).

    `poster` is where a small picture of the first output goes, for a page that shows many runs.
    """

    output: str | None = None
    overwrite: bool = False
    max_cost_usd: float | None = None
    estimate: bool = False
    refresh: bool = False
    poster: Path | None = None


@dataclass(frozen=True, slots=True)
class Many:
    """How many clips are worked on at once, how many jobs they have on the queue, how many may fail (None: all)."""

    window: int = 8
    jobs_at_once: int | None = None
    max_failures: int | None = None

    def check(self) -> None:
        """Refuse numbers below 1. Raises BadInput."""
        for one in fields(self):
            number = getattr(self, one.name)
            if number is not None and number < 1:
                raise BadInput(f"{one.name} must be 1 or more, and is {number}.", field=one.name)

    def settings(self) -> Settings:
        """The settings of such a run."""
        settings = read_settings()
        jobs = self.jobs_at_once or settings.jobs_at_once
        return settings.model_copy(update={
            "jobs_at_once": jobs, "max_connections": max(settings.max_connections, jobs + 4)})
