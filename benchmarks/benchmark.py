"""What a benchmark is: its sides, run in turn, and the rows of the table that come out of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any

Figures = Mapping[str, float]
"""What one run of a side gave, by the figure's name; seconds, bytes or a number."""

PHASE = "phase: "
"""What the names of those figures begin with that say how long a phase of a run took."""

Side = Callable[[], Figures]
"""Runs one side once."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table: a figure of ours, held against the same figure of another side, or against a limit.

    With `against` the figure is the ratio of the two sides in the same round, and `limit` the most that it may be (with
    `least`, the least); without, the figure stands for itself, in `unit`. A row without a limit is told only.
    """

    what: str
    figure: str
    limit: float | None
    against: str | None = None
    ours: str = "reelflow"
    unit: str = ""
    least: bool = False


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A benchmark that is set up: its sides in the order in which they take turns, ours first.

    `rounds` come after a warm-up; `quick_rounds` are those of a quick look at all benchmarks, which has no time for
    more, nor for a warm-up. `look` is called once after the last round, and gives facts about what both sides have
    handed over.
    """

    name: str
    title: str
    sides: Mapping[str, Side]
    rows: tuple[Row, ...]
    rounds: int = 5
    quick_rounds: int | None = None
    look: Callable[[], list[dict[str, Any]]] | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """A row that is measured: the median over the rounds, the least and the most, and each round's."""

    what: str
    median: float
    least: float
    most: float
    rounds: tuple[float, ...]
    limit: float | None
    reached: bool | None
    unit: str
    is_least: bool


@dataclass(slots=True)
class Outcome:
    """All that a benchmark gave: each side's figures by round, the rows, the checks."""

    name: str
    title: str
    figures: dict[str, list[dict[str, float]]]
    results: list[Result]
    warmed_up: bool
    checks: list[dict[str, Any]] = field(default_factory=list)
    notes: tuple[str, ...] = ()


def run(
    benchmark: Benchmark, *, rounds: int | None = None, quick: bool = False, tell: Callable[[str], None]
) -> Outcome:
    """Warm up, then let the sides take turns, A B A B, so that what slows the machine down slows down both.

    `rounds` is in place of the benchmark's own number. A `quick` run is the benchmark's few rounds without a warm-up,
    where it has such.
    """
    few = benchmark.quick_rounds if quick else None
    if few is None:
        for name, side in benchmark.sides.items():
            tell(f"{benchmark.name}: warming up, {name}")
            side()
    figures: dict[str, list[dict[str, float]]] = {name: [] for name in benchmark.sides}
    for number in range(1, (rounds or few or benchmark.rounds) + 1):
        for name, side in benchmark.sides.items():
            found = dict(side())
            figures[name].append(found)
            told = ", ".join(f"{figure} {value:.4g}" for figure, value in found.items())
            tell(f"{benchmark.name}: round {number}, {name}: {told}")
    checks = benchmark.look() if benchmark.look is not None else []
    return Outcome(benchmark.name, benchmark.title, figures, [_measured(row, figures) for row in benchmark.rows],
                   few is None, checks, benchmark.notes)


def _measured(row: Row, figures: Mapping[str, list[dict[str, float]]]) -> Result:
    values = [found[row.figure] for found in figures[row.ours]]
    if row.against is not None:
        theirs = [found[row.figure] for found in figures[row.against]]
        values = [one / other for one, other in zip(values, theirs, strict=True)]
    middle = median(values)
    reached = None
    if row.limit is not None:
        reached = middle >= row.limit if row.least else middle <= row.limit
    return Result(row.what, middle, min(values), max(values), tuple(values), row.limit, reached,
                  "x" if row.against is not None else row.unit, row.least)
