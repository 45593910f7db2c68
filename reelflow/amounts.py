"""Seconds and USD as people read them."""

from __future__ import annotations

from decimal import Decimal

UNPUBLISHED = "unknown: not published"
"""The price of what the price list doesn't have."""


def spell_seconds(seconds: float) -> str:
    """A time as people say it: 90 s, 12 min 3 s, 2 h 5 min."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def spell_usd(cost: Decimal | float | None, *, unknown: str = "unknown") -> str:
    """A price to a hundredth of a cent, and what is said where it is `unknown`."""
    return unknown if cost is None else f"{cost:.4f} USD"
