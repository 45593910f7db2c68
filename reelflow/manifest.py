"""`manifest.jsonl`: what became of each clip of a batch, a line for each as it is finished, for programs."""

from __future__ import annotations

import contextlib
import datetime as dt
import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator

from reelflow.amounts import spell_seconds, spell_usd
from reelflow.errors import BadInput
from reelflow.report import Report, RunStatus

POSTERS = "posters"
"""The folder beside a manifest that holds a small picture of each clip."""

BAD = (RunStatus.FAILED, RunStatus.REFUSED, RunStatus.UNDECIDED)


class Line(BaseModel):
    """What became of one clip: `took` is in seconds, `paid` says when it was paid (None: nothing was, by this run).

    `cost_usd` is None where the price is unknown. `poster` is a small picture of its first output, from the manifest's
    folder on, `page` the page that says why it failed (None: there is none). Outputs are absolute, or from that folder
    on. A line that somebody else wrote may leave away what isn't known, and have other fields beside these.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    source: str
    name: str = ""
    status: str
    outputs: tuple[str, ...] = ()
    job_ids: tuple[str, ...] = ()
    billed_seconds: float = 0.0
    cost_usd: float | None = 0.0
    paid: str | None = None
    ledger_key: str | None = None
    warnings: tuple[str, ...] = ()
    error: str | None = None
    took: float = 0.0
    ended_at: str | None = None
    flow_run_id: str | None = None
    model: str | None = None
    prompt: str | None = None
    stand_in: bool = False
    poster: str | None = None
    page: str | None = None

    @field_validator("outputs", "job_ids", "warnings", "billed_seconds", "took", mode="before")
    @classmethod
    def _null_is_nothing(cls, given: object, about: ValidationInfo) -> object:
        return cls.model_fields[str(about.field_name)].default if given is None else given

    @property
    def is_bad(self) -> bool:
        """Whether the clip has failed, was refused, or waits for a person's decision."""
        return self.status in BAD


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
        raw = f"{line.model_dump_json()}\n".encode()
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


def read_manifest(path: Path) -> tuple[Line, ...]:
    """The lines of a manifest, without a last one that is being written.

    Raises:
        BadInput: it can't be read, or a line is no JSON object of a clip.
    """
    try:
        # Not `splitlines`: a prompt may hold a sign, such as U+2028, that it takes for the end of a line.
        written = path.read_text("utf-8").removesuffix("\n").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"The manifest {path} can't be read: {error}.", field="manifest") from None
    lines = []
    for number, line in enumerate(written, 1):
        if not line.strip():
            continue
        try:
            lines.append(Line.model_validate_json(line))
        except ValidationError as error:
            if number == len(written):
                break
            why = error.errors(include_url=False)[0]
            told = f"{'.'.join(map(str, why['loc']))}: {why['msg']}" if why["loc"] else "it is no JSON object"
            raise BadInput(f"Line {number} of {path} can't be used: {told}.", field="manifest") from None
    return tuple(lines)


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
        told = [self.told(), spell_usd(self.cost_usd, unknown="price unknown")]
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
