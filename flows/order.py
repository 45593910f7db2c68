"""What a person sets besides the recipe."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Order:
    """Where the files of a run go, and what they may cost (USD)."""

    output: str | None = None
    overwrite: bool = False
    max_cost_usd: float | None = None
    estimate: bool = False
    refresh: bool = False
