"""The ledger's rows as values: what was wished, on what terms, what was bought and what it cost."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum


class State(StrEnum):
    """Where a wish stands, and each purchase that was made for it."""

    INTENDED = "intended"  # about to be bought; nothing has been sent
    SENT = "sent"  # the form may be on its way, or there, and no answer has been written down
    ACCEPTED = "accepted"  # bought; the job's id is known
    COMPLETED = "completed"  # the result lies in the store
    FAILED = "failed"  # the queue says that the job failed
    EXPIRED = "expired"  # the deadline for it is over, or the queue does not know it any more
    UNKNOWN = "unknown"  # may have been bought: the reply was lost, and a person decides
    REFUSED = "refused"  # nothing was bought: the queue said no, was not reached, or the run stopped before
    ABANDONED = "abandoned"  # a person gave it up


@dataclass(frozen=True, slots=True)
class Intent:
    """A wish as the ledger keeps it: its key, what it is made of, its seconds and its price (None: not known)."""

    key: str
    queue: str
    base_url: str
    stand_in: bool
    model: str
    resolved: str
    result: str
    source_digest: str
    reference_digest: str | None
    parameters: str
    seconds: float
    cost: Decimal | None


@dataclass(frozen=True, slots=True)
class Entry(Intent):
    """A wish's row: its intent, where it stands, and what came of it. `attempts` counts what may have been paid.

    `granted` counts the purchases that were allowed beyond the usual ones; a person did so last at `granted_at`.
    """

    state: State
    purchase: str | None
    job_id: str | None
    holder: str | None
    beat: int
    granted: int
    granted_at: dt.datetime | None
    flow_run_id: str | None
    output_digest: str | None
    output_bytes: int | None
    output_seconds: float | None
    output_cost: Decimal | None
    note: str
    created_at: dt.datetime
    changed_at: dt.datetime
    attempts: int

    @property
    def suffix(self) -> str:
        """The suffix of its result's file."""
        return ".png" if self.result == "picture" else ".mp4"

    def has_attempts_left(self, max_attempts: int) -> bool:
        """Whether a job may be bought in place of one that failed or is overdue; what a person granted counts extra."""
        return self.attempts < max_attempts + self.granted


@dataclass(frozen=True, slots=True)
class Purchase:
    """One POST that was meant to be made for a wish; `cost` is the estimate, `output_cost` the actual, in USD.

    Of what it came to, `output_digest` is the SHA-256, `output_bytes` the size and `output_seconds` the length.
    """

    id: str
    key: str
    queue: str
    state: State
    stand_in: bool
    flow_run_id: str | None
    job_id: str | None
    seconds: float
    cost: Decimal | None
    output_seconds: float | None
    output_cost: Decimal | None
    output_digest: str | None
    output_bytes: int | None
    intended_at: dt.datetime
    sent_at: dt.datetime | None
    accepted_at: dt.datetime | None
    ended_at: dt.datetime | None
    model: str


@dataclass(frozen=True, slots=True)
class Standing:
    """What a run knows of a purchase at a moment; `job_id` may be known before the ledger could take it (`sent`)."""

    key: str
    purchase: str
    state: State
    job_id: str | None = None


class Paid(StrEnum):
    """When what a run uses was paid."""

    NOW = "now"  # by this run, be it before it was tried again
    EARLIER = "earlier"  # by another run; its job is waited for or fetched
    KEPT = "kept"  # by another run; its result is here already


@dataclass(frozen=True, slots=True)
class Limits:
    """USD that may be spent: by one run, and on one UTC day by all runs of this ledger. None: no limit."""

    per_run: Decimal | None = None
    per_day: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms a run may buy; `dead` is a holder that it has seen to be gone, and the beat it stopped at.

    `older_will_do` says that what an earlier purchase came to is as good, where the last one came to nothing.
    """

    limits: Limits = Limits()
    max_attempts: int = 1
    resubmit_unknown: bool = False
    refresh: bool = False
    older_will_do: bool = True
    flow_run_id: str | None = None
    dead: tuple[str | None, int] | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """A wish's row, and the purchase that the caller, and nobody else, is now to make (None: there is none to make)."""

    entry: Entry
    purchase: str | None


@dataclass(frozen=True, slots=True)
class Spend:
    """What purchases cost in USD: `usd` for what was delivered or accepted, `uncertain_usd` for what may not be billed
    (failed, overdue, unknown, given up), `seconds` of both, and how many have a price that nobody knows.
    """

    jobs: int
    seconds: float
    usd: Decimal
    uncertain_usd: Decimal
    unpriced: int


def spend_of(bought: Iterable[Purchase]) -> Spend:
    """The sum over purchases; those that came to nothing are left out."""
    certain = (State.ACCEPTED, State.COMPLETED)
    paid = [one for one in bought if one.state not in (State.REFUSED, State.INTENDED)]
    costs = [(one.state in certain, one.cost if one.output_cost is None else one.output_cost) for one in paid]
    return Spend(
        jobs=len(paid),
        seconds=sum(one.seconds if one.output_seconds is None else one.output_seconds for one in paid),
        usd=sum((cost for sure, cost in costs if sure and cost is not None), Decimal(0)),
        uncertain_usd=sum((cost for sure, cost in costs if not sure and cost is not None), Decimal(0)),
        unpriced=sum(cost is None for _, cost in costs),
    )
