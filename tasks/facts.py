"""The facts of the run that goes on, gathered as they become known, so that a run that ends early still tells them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from reelflow.job.entry import Paid, Standing, State
from reelflow.measure import Measure
from reelflow.plan import sum_usd
from reelflow.report import Report

NOT_BOUGHT = (State.INTENDED, State.SENT, State.UNKNOWN, State.REFUSED)


@dataclass(slots=True)
class Latest:
    """The report as far as it is known, where each purchase stands, which the report counts, which have no reply (with
    what each would cost in USD, None where that isn't known), and which are counted by this report or by one beside it.
    """

    report: Report
    standings: dict[str, Standing] = field(default_factory=dict)
    counted: set[str] = field(default_factory=set)
    lost: dict[str, Decimal | None] = field(default_factory=dict)
    counted_by_any: set[str] = field(default_factory=set)


_latest: ContextVar[Latest | None] = ContextVar("latest_report", default=None)


@contextlib.contextmanager
def reporting(report: Report, *, beside: set[str] | None = None) -> Iterator[Latest]:
    """Gather facts onto `report` inside the block; a block within another gathers onto the outer one's report.

    With `beside` it does not: what is gathered inside is this block's own, as that of others beside it is theirs. These
    are the purchases that any of them counts: what serves several clips is paid once, and one of them counts it.
    """
    outer = _latest.get() if beside is None else None
    if outer is not None:
        yield outer
        return
    latest = Latest(report, counted_by_any=set() if beside is None else beside)
    token = _latest.set(latest)
    try:
        yield latest
    finally:
        _latest.reset(token)


def note(**facts: Any) -> Report:
    """Add facts to the report of the run that goes on, and give it as it is now."""
    latest = _gathering()
    latest.report = replace(latest.report, **facts)
    return latest.report


def note_measure(measure: Measure) -> None:
    """Add what was measured."""
    note(measures=(*_gathering().report.measures, measure))


def note_standing(standing: Standing, *, paid: Paid, seconds: float, cost_usd: Decimal | None) -> Paid:
    """Add where a purchase stands, its job once that is known, and once what it costs, if this run has bought it.

    Gives when it was paid as this report sees it: what a report beside it counts was paid before.
    """
    latest = _gathering()
    latest.standings[standing.purchase] = standing
    known = latest.report
    jobs = (*known.job_ids, standing.job_id) if standing.job_id else known.job_ids
    note(ledger_key=standing.key, job_ids=tuple(dict.fromkeys(jobs)))
    if standing.state is State.UNKNOWN:
        latest.lost[standing.purchase] = cost_usd
        note(in_doubt_usd=sum_usd(latest.lost.values()))
    if standing.state in NOT_BOUGHT:
        return paid
    if standing.purchase in latest.lost:
        del latest.lost[standing.purchase]
        note(in_doubt_usd=sum_usd(latest.lost.values()))
    is_counted = standing.purchase in latest.counted
    if paid is Paid.NOW and not is_counted and standing.purchase in latest.counted_by_any:
        paid = Paid.KEPT if standing.state is State.COMPLETED else Paid.EARLIER
    if paid is Paid.NOW and not is_counted:
        latest.counted.add(standing.purchase)
        latest.counted_by_any.add(standing.purchase)
        spent = None if known.cost_usd is None or cost_usd is None else known.cost_usd + cost_usd
        note(billed_seconds=known.billed_seconds + seconds, cost_usd=spent)
    # Of several jobs the dearest word counts: one that was bought now, then one that was paid for earlier.
    before = known.paid if known.paid is not Paid.KEPT else None
    note(paid=Paid.NOW if latest.counted else before or paid)
    return paid


def note_kept(purchase: str) -> None:
    """Note that what a purchase bought lies in the store, so that a run that is stopped now says so."""
    standings = _gathering().standings
    if purchase in standings:
        standings[purchase] = replace(standings[purchase], state=State.COMPLETED)


def _gathering() -> Latest:
    latest = _latest.get()
    if latest is None:
        raise RuntimeError("Facts are noted outside of reporting()")
    return latest
