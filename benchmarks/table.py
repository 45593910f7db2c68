"""Outcomes as tables for the terminal and for `results/table.md`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.benchmark import Outcome, Result

_HEAD = ("benchmark", "what", "median", "least … most", "rounds", "must", "")


def as_text(outcomes: Iterable[Outcome]) -> str:
    """One line for each row."""
    return _aligned([_HEAD, *(row for outcome in outcomes for row in _rows(outcome))])


def as_markdown(outcomes: Iterable[dict[str, Any]]) -> str:
    """The same from written results, for a page."""
    lines = ["| " + " | ".join(_HEAD) + " |", "|---" * len(_HEAD) + "|"]
    for outcome in outcomes:
        for found in outcome["results"]:
            cells = (outcome["name"], *_cells(Result(**found), warmed_up=outcome["warmed_up"]))
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def checks_as_text(outcomes: Iterable[Outcome]) -> str:
    """What every side has handed over, below each other."""
    parts = []
    for outcome in outcomes:
        if outcome.checks:
            names = list(outcome.checks[0])
            rows = [tuple(str(check.get(name)) for name in names) for check in outcome.checks]
            parts.append(f"{outcome.name}: what came out\n{_aligned([tuple(names), *rows])}")
    return "\n\n".join(parts)


def _rows(outcome: Outcome) -> list[tuple[str, ...]]:
    return [(outcome.name, *_cells(result, warmed_up=outcome.warmed_up)) for result in outcome.results]


def _cells(result: Result, *, warmed_up: bool) -> tuple[str, ...]:
    unit = f" {result.unit}" if result.unit not in ("", "x") else result.unit
    must = "" if result.limit is None else f"{'≥' if result.is_least else '≤'} {result.limit:g}{unit}"
    said = {True: "yes", False: "MISSED", None: ""}[result.reached]
    return (result.what, f"{result.median:.3g}{unit}", f"{result.least:.3g} … {result.most:.3g}",
            f"{len(result.rounds)}{'' if warmed_up else ', cold'}", must, said)


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
                     for row in rows)
