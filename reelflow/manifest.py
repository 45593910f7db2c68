"""`manifest.jsonl`: what became of each clip of a batch, a line for each as it is finished, for programs."""

from __future__ import annotations

import contextlib
import datetime as dt
import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reelflow.errors import BadInput
from reelflow.report import Report, RunStatus, spell_seconds

POSTERS = "posters"
"""The folder beside a manifest that holds a small picture of each clip."""

BAD = (RunStatus.FAILED, RunStatus.REFUSED, RunStatus.UNDECIDED)


@dataclass(frozen=True, slots=True)
class Line:
    """What became of one clip: `took` is in seconds, `paid` says when it was paid (None: nothing was, by this run).

    `poster` is a small picture of its first output, from the manifest's folder on, `page` the page that says why it
    failed (None: there is none).
    """

    source: str
    name: str
    status: str
    outputs: tuple[str, ...]
    job_ids: tuple[str, ...]
    billed_seconds: float
    cost_usd: float | None
    paid: str | None
    ledger_key: str | None
    warnings: tuple[str, ...]
    error: str | None
    took: float
    ended_at: str
    flow_run_id: str | None
    model: str | None
    prompt: str | None
    stand_in: bool
    poster: str | None
    page: str | None = None

    @property
    def is_bad(self) -> bool:
        """Whether the clip has failed, was refused, or waits for a person's decision."""
        return self.status in BAD

    def to_dict(self) -> dict[str, Any]:
        """Plain values, in the order in which they are told."""
        return {name: list(value) if isinstance(value := getattr(self, name), tuple) else value
                for name in self.__slots__}


def line_of(report: Report, name: str, *, took: float) -> Line:
    """A clip's line from its report."""
    told = report.to_dict()
    made = report.uploaded or tuple(map(str, report.outputs))
    return Line(
        source=report.source or "", name=name, status=told["status"],
        outputs=made if report.status is RunStatus.COMPLETED else (), job_ids=report.job_ids,
        billed_seconds=round(report.billed_seconds, 3), cost_usd=told["cost_usd"], paid=told["paid"],
        ledger_key=report.ledger_key, warnings=report.warnings, error=report.error, took=round(took, 3),
        ended_at=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"), flow_run_id=report.flow_run_id,
        model=report.resolved_model or report.model, prompt=report.prompt, stand_in=report.stand_in,
        poster=None if report.poster is None else f"{POSTERS}/{report.poster.name}", page=told["page"],
    )


class Manifest:
    """A manifest that is being written; an earlier run's until it is begun anew, since each tells of every clip."""

    def __init__(self, path: Path, opened: int) -> None:
        self.path, self._opened = path, opened
        self.lines = 0

    def begin(self) -> None:
        """Leave nothing of an earlier run."""
        os.ftruncate(self._opened, 0)

    def add(self, line: Line) -> None:
        """Write a line, at once and as a whole: neither who is killed behind it nor a full disk leaves half of one."""
        raw = (json.dumps(line.to_dict(), ensure_ascii=False) + "\n").encode()
        before = os.fstat(self._opened).st_size
        try:
            while raw:
                raw = raw[os.write(self._opened, raw):]
        except OSError:
            os.ftruncate(self._opened, before)
            raise
        self.lines += 1


@contextlib.contextmanager
def opened_manifest(path: Path) -> Iterator[Manifest]:
    """The manifest at `path`, for one run at a time; it stays as it was until it is begun.

    Raises BadInput where another run is writing it.
    """
    opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BadInput(f"Another batch is working in {path.parent}: wait for its end, or choose another output.",
                           field="output") from None
        yield Manifest(path, opened)
        os.fsync(opened)
    finally:
        os.close(opened)


def read_manifest(path: Path) -> tuple[dict[str, Any], ...]:
    """The lines of a manifest. Raises BadInput where it can't be read."""
    try:
        # Not `splitlines`: a prompt may hold a sign, such as U+2028, that it takes for the end of a line.
        return tuple(json.loads(line) for line in path.read_text("utf-8").split("\n") if line)
    except (OSError, ValueError) as error:
        raise BadInput(f"The manifest {path} can't be read: {error}.", field="manifest") from None


@dataclass(slots=True)
class Tally:
    """How far a batch is: counts of clips, billed seconds, and USD (None once a price is not known).

    `to_make` are the clips that are neither there already nor unusable, `worked` those of them that are over by now.
    """

    clips: int
    to_make: int = 0
    worked: int = 0
    completed: int = 0
    failed: int = 0
    undecided: int = 0
    billed_seconds: float = 0.0
    cost_usd: float | None = 0.0

    @property
    def bad(self) -> int:
        """How many did not come to an end as they should."""
        return self.failed + self.undecided

    @property
    def ended(self) -> int:
        """How many have ended, well or not."""
        return self.completed + self.bad

    def count(self, line: Line) -> None:
        """Count a clip that has ended."""
        if line.status == RunStatus.COMPLETED:
            self.completed += 1
        elif line.status == RunStatus.UNDECIDED:
            self.undecided += 1
        elif line.is_bad:
            self.failed += 1
        self.billed_seconds += line.billed_seconds
        if line.cost_usd is None or self.cost_usd is None:
            self.cost_usd = None
        else:
            self.cost_usd += line.cost_usd

    def told_under_way(self, seconds: float) -> str:
        """The counts, the price so far, the rate and the time left, after so many seconds of making clips."""
        told = [self.told(), "price unknown" if self.cost_usd is None else f"{self.cost_usd:.4f} USD"]
        if self.worked and seconds > 0:
            told.append(f"{60 * self.worked / seconds:.3g} clips a minute")
        if 0 < self.worked < self.to_make:
            told.append(f"about {spell_seconds(seconds / self.worked * (self.to_make - self.worked))} left")
        return ", ".join(told)

    def told(self) -> str:
        """The counts in words."""
        bad = [f"{self.failed} failed"] if self.failed else []
        bad += [f"{self.undecided} to be decided"] if self.undecided else []
        return ", ".join([f"{self.completed} of {self.clips} completed", *bad])
