"""Metrics for those who run reelflow, as OpenMetrics text: from the ledger, the store and the receipts of runs.

They are read anew each time that they are asked for, so that it does not matter which process did the work.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
    SummaryMetricFamily,
)
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST, generate_latest

from reelflow.job.entry import Entry, Purchase, State, spend_of
from reelflow.job.ledger import Ledger
from reelflow.measure import Measure, What
from reelflow.store import Store, Usage

CONTENT_TYPE = CONTENT_TYPE_LATEST
_BUCKETS = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0)
_WHOSE = ("model", "stand_in")


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """What the receipt of a finished run tells: the seconds of its phases, and what it measured of itself."""

    stand_in: bool
    phases: dict[str, float]
    measures: tuple[Measure, ...]


@dataclass(frozen=True, slots=True)
class Seen:
    """What there is at a moment: the ledger's rows, the store's size, the finished runs whose receipts are kept."""

    wishes: Sequence[Entry]
    purchases: Sequence[Purchase]
    store: Usage
    runs: Sequence[FinishedRun]
    at: dt.datetime


async def look(ledger: Ledger, work_dir: Path) -> Seen:
    """Everything that is counted, as it is now. Raises LedgerFault."""
    return Seen(
        await ledger.entries(), await ledger.purchases(), await Store(work_dir / "store").usage(),
        await asyncio.to_thread(_runs, work_dir / "receipts"), dt.datetime.now(dt.UTC),
    )


def as_text(seen: Seen) -> str:
    """OpenMetrics 1.0 text."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(seen))
    text: bytes = generate_latest(registry)  # type: ignore[no-untyped-call]
    return text.decode("utf-8")


class _Collector:
    """What `prometheus_client` asks for its families."""

    def __init__(self, seen: Seen) -> None:
        self._seen = seen

    def collect(self) -> Iterator[Metric]:
        yield from _of_wishes(self._seen)
        yield from _of_money(self._seen.purchases)
        yield _histogram("reelflow_submit_seconds", "From the form's first byte to the job's id.",
                         self._seen.purchases, "sent_at", "accepted_at")
        yield _histogram("reelflow_job_seconds", "From the job's id to its result, as this side saw it.",
                         self._seen.purchases, "accepted_at", "ended_at")
        yield from _of_work(self._seen)
        yield from _measured(self._seen.runs)


def _of_wishes(seen: Seen) -> Iterator[Metric]:
    wishes = GaugeMetricFamily("reelflow_wishes", "Wishes in the ledger, by where they stand.",
                               labels=("state", *_WHOSE))
    counted = Counter((one.state, *_whose(one)) for one in seen.wishes)
    for (state, *whose), count in sorted(counted.items()):
        wishes.add_metric([state, *whose], count)
    yield wishes
    waiting = [one for one in seen.wishes if one.state is State.UNKNOWN]
    yield GaugeMetricFamily("reelflow_unknown_wishes", "Wishes whose reply was lost: each waits for a person.",
                            value=len(waiting))
    oldest = max(((seen.at - one.changed_at).total_seconds() for one in waiting), default=0.0)
    yield GaugeMetricFamily("reelflow_unknown_oldest_seconds", "How long the oldest of them has been waiting.",
                            value=oldest)


def _of_money(bought: Sequence[Purchase]) -> Iterator[Metric]:
    purchases = CounterMetricFamily("reelflow_purchases", "Forms that may have been billed.", labels=_WHOSE)
    seconds = CounterMetricFamily("reelflow_generated_seconds", "Seconds that models have generated.", labels=_WHOSE)
    spent = CounterMetricFamily("reelflow_spent_usd", "USD for jobs that were completed.", labels=_WHOSE)
    doubt = GaugeMetricFamily("reelflow_uncertain_usd", "USD that may have been billed for nothing.", labels=_WHOSE)
    for whose, group in sorted(_grouped(bought).items()):
        done = spend_of(one for one in group if one.state is State.COMPLETED)
        # Not of a form that is on its way: one that is turned away would be taken back, and a counter never falls.
        purchases.add_metric(whose, spend_of(one for one in group if one.state is not State.SENT).jobs)
        seconds.add_metric(whose, done.seconds)
        spent.add_metric(whose, float(done.usd))
        doubt.add_metric(whose, float(spend_of(group).uncertain_usd))
    yield from (purchases, seconds, spent, doubt)


def _of_work(seen: Seen) -> Iterator[Metric]:
    phases = SummaryMetricFamily("reelflow_phase_seconds", "Time of each phase of finished runs.", labels=("phase",))
    times: dict[str, list[float]] = defaultdict(list)
    for run in seen.runs:
        for name, took in run.phases.items():
            times[name].append(took)
    for name, each in sorted(times.items()):
        phases.add_metric([name], len(each), sum(each))
    yield phases
    yield GaugeMetricFamily("reelflow_store_bytes", "Bytes of results and prepared films that are kept.",
                            value=seen.store.size_bytes)
    yield GaugeMetricFamily("reelflow_store_files", "How many files that is.", value=seen.store.files)


def _measured(runs: Sequence[FinishedRun]) -> Iterator[Metric]:
    waits = HistogramMetricFamily(
        "reelflow_queue_wait_seconds", "From a job's id until the queue was seen to work on it.", labels=_WHOSE)
    film = CounterMetricFamily("reelflow_encoded_film_seconds", "Seconds of film that ffmpeg wrote.", labels=("phase",))
    took = CounterMetricFamily("reelflow_encode_seconds", "Seconds that ffmpeg took for that.", labels=("phase",))
    looks = CounterMetricFamily("reelflow_cache_lookups", "Looks for a film that may be there already.",
                                labels=("kind", "found"))
    waited: dict[tuple[str, ...], list[float]] = defaultdict(list)
    written: dict[str, list[Measure]] = defaultdict(list)
    for run in runs:
        for one in run.measures:
            if one.what is What.QUEUE_WAIT:
                waited[one.of, "true" if run.stand_in else "false"].append(one.value)
            elif one.what is What.ENCODE:
                written[one.of].append(one)
    for whose, values in sorted(waited.items()):
        _add_to(waits, whose, values)
    for phase, each in sorted(written.items()):
        film.add_metric([phase], sum(one.value for one in each))
        took.add_metric([phase], sum(one.took for one in each))
    found = Counter((one.of, str(one.found)) for run in runs for one in run.measures if one.what is What.LOOK_UP)
    for labels, count in sorted(found.items()):
        looks.add_metric(labels, count)
    yield from (waits, film, took, looks)


def _histogram(name: str, about: str, bought: Iterable[Purchase], start: str, end: str) -> Metric:
    made = HistogramMetricFamily(name, about, labels=_WHOSE)
    times: dict[tuple[str, ...], list[float]] = defaultdict(list)
    for one in bought:
        begin, over = getattr(one, start), getattr(one, end)
        # A purchase that failed on the queue, or was given up, says nothing about how long a job takes.
        if begin is not None and over is not None and one.state in (State.ACCEPTED, State.COMPLETED):
            times[_whose(one)].append(max(0.0, (over - begin).total_seconds()))
    for whose, values in sorted(times.items()):
        _add_to(made, whose, values)
    return made


def _add_to(histogram: HistogramMetricFamily, labels: Sequence[str], values: Sequence[float]) -> None:
    below = [(str(bound), sum(value <= bound for value in values)) for bound in _BUCKETS]
    histogram.add_metric(labels, [*below, ("+Inf", len(values))], sum(values))


def _grouped(bought: Iterable[Purchase]) -> dict[tuple[str, ...], list[Purchase]]:
    found: dict[tuple[str, ...], list[Purchase]] = defaultdict(list)
    for one in bought:
        found[_whose(one)].append(one)
    return found


def _whose(row: Entry | Purchase) -> tuple[str, str]:
    return row.model, "true" if row.stand_in else "false"


def _runs(receipts: Path) -> list[FinishedRun]:
    found = []
    for path in receipts.glob("*.json"):
        try:
            told = json.loads(path.read_text("utf-8"))["report"]
            found.append(FinishedRun(
                bool(told.get("stand_in")), {str(name): float(took) for name, took in told["phases"].items()},
                tuple(map(Measure.from_dict, told.get("measures", ())))))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue  # a receipt that is being written, or of another version
    return found
