"""Many clips in one flow run: looked at and priced as a whole, then made side by side, each told as it ends.

Everything is shared: settings, the queue's client, the ledger, the store. A clip is one task run; a subflow for each
would take Prefect's SQLite server down.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.runtime import flow_run

from flows.film import make_within, plan_films
from flows.looked import Looked, check_names, check_sum, estimated, publish_looked, state_of
from flows.made import were_made
from flows.order import Many, Order
from flows.results import Results
from reelflow.batch import BatchClip
from reelflow.destination import check_folder
from reelflow.errors import (
    ClipsFailed,
    KeyRefused,
    QueueBusy,
    QueueFault,
    QueueUnreachable,
    ReelflowError,
)
from reelflow.manifest import POSTERS, Line, Tally, line_of, opened_manifest
from reelflow.plan import sum_usd
from reelflow.preflight import read_limit
from reelflow.report import Report, RunStatus
from reelflow.sources import is_address, show_source
from tasks import quiet
from tasks.facts import Latest, reporting
from tasks.folded import folding
from tasks.phase import phase
from tasks.run import Run, open_run, sharing
from tasks.summary import Summary, growing

quiet.install()

OnEnd = Callable[[BatchClip, Line, ReelflowError | None], Awaitable[None]]
"""Told of each clip that has ended, its line in the manifest, and the error that it ended with. Must not raise."""


async def make_many(
    clips: Iterable[BatchClip], order: Order, many: Many, manifest: Path, *, title: str, on_end: OnEnd | None = None
) -> dict[str, Any]:
    """Make all clips into `order.output`, a folder or a prefix; the manifest, and an index page with this title, lie
    beside them.

    Gives what is to be told of the whole.

    Raises:
        BadInput: the folder of the manifest can't be written to, or has no room.
        OverBudget: all of it would cost more than it may; nothing was bought.
        ClipsFailed: the others are made, and the manifest says which failed and why, unless it can't be written.
    """
    order = replace(order, output=f"{(order.output or '').rstrip('/')}/")
    await asyncio.to_thread(check_folder, manifest.parent)
    clips = tuple(clips)
    with opened_manifest(manifest) as opened:
        results = Results(opened, str(order.output), title, len(clips), estimated=order.estimate)
        async with open_run(many.settings()) as run, results.kept_up():
            return await _Works(run, clips, order, many, manifest.parent / POSTERS, results, on_end).done()


@dataclass(slots=True)
class _Works:
    run: Run
    clips: tuple[BatchClip, ...]
    order: Order
    many: Many
    posters: Path
    results: Results
    on_end: OnEnd | None
    summary: Summary = field(init=False)
    counted: set[str] = field(default_factory=set)
    staged_bytes: int = 0
    halted: str = ""
    is_away: bool = False

    def __post_init__(self) -> None:
        self.summary = Summary(Tally(len(self.clips)), page=self.results.page)

    async def done(self) -> dict[str, Any]:
        looked = await self._look()
        check_names(looked)
        to_make = [one for one in looked if not one.was_made]
        cost = sum_usd(one.plan.cost_usd for one in to_make)
        await publish_looked(to_make, clips=len(self.clips), bad=self.summary.tally.bad,
                             made_before=len(looked) - len(to_make), results=self._shown)
        check_sum(to_make, read_limit(self.order.max_cost_usd, self.run.settings))
        # Where no clip is at fault the run before has told more of each than is known now.
        if not (self.is_away and await self.results.tell_of_run_before()):
            self.results.go_on()
        self.halted = self.halted or self.results.trouble
        told = self._told(len(to_make), cost)
        if self.order.estimate:
            for one in looked:
                self._write(estimated(one))
            # Of one that was halted nobody knows what it would cost.
            return self._ended(told) if self.halted else {**told, "status": RunStatus.ESTIMATED.value}
        async with growing(self.summary), phase("clips", of=f"{len(looked)} clips") as running:
            begun, tally = time.monotonic(), self.summary.tally
            tally.to_make = len(to_make)

            async def make(one: Looked) -> None:
                await self._make(one)
                tally.worked += not one.was_made
                running.move(tally.ended / len(self.clips), tally.told_under_way(time.monotonic() - begun))

            await self._side_by_side(looked, make, self.many.window)
        return self._ended({**told, **self._told(len(to_make), cost)})

    async def _look(self) -> list[Looked]:
        """Every clip, looked at and planned; those that can't be used have failed by then."""
        found: list[Looked] = []
        async with phase("look", of=f"{len(self.clips)} clips") as running:
            async def look(clip: BatchClip) -> None:
                async with self._clip(clip) as _:
                    found.append(await self._looked_at(clip))
                seen = len(found) + self.summary.tally.ended
                running.move(seen / len(self.clips), f"{seen} of {len(self.clips)}")

            await self._side_by_side(self.clips, look, min(self.many.window, 2 * (os.cpu_count() or 2)))
        return sorted(found, key=lambda one: one.clip.number)

    async def _looked_at(self, clip: BatchClip) -> Looked:
        with folding(), sharing(self.run, _scratch(clip)):
            try:
                plan, known = await plan_films(clip.recipe, clip.source, stem=clip.name, order=self.order)
            except (QueueUnreachable, QueueBusy, QueueFault) as away:
                # It was only asked for a name, more than once, and has not answered: no other clip fares better.
                self.halted, self.is_away = away.message, True
                raise
            was_made = await were_made(clip.recipe, clip.source, plan, self.order)
        # What was brought here stays here while there is room, and is brought once more where there was none.
        staged = plan.source.size_bytes if is_address(clip.source) else 0
        keeps = self.staged_bytes + staged <= self.run.settings.max_source_bytes
        if keeps:
            self.staged_bytes += staged
        else:
            shutil.rmtree(self.run.scratch / _scratch(clip), ignore_errors=True)
        return Looked(clip, plan, known, was_made, keeps, None if staged else state_of(plan.source.path))

    async def _make(self, one: Looked) -> None:
        clip = one.clip

        async def making() -> dict[str, Any]:
            with folding(), sharing(self.run, _scratch(clip)):
                planned = (one.plan, one.known)
                # It may be hours since it was looked at.
                if one.is_changed or not one.is_staged:
                    planned = await plan_films(clip.recipe, clip.source, stem=clip.name, order=self.order)
                poster = self.posters / f"{clip.name}.jpg"
                return await make_within(clip.recipe, clip.source, replace(self.order, poster=poster), planned)

        try:
            async with self._clip(clip) as begun:
                await make_clip(clip.name, making)
                await self._end(clip, begun.latest.report, begun.took)
        finally:
            shutil.rmtree(self.run.scratch / _scratch(clip), ignore_errors=True)

    @contextlib.asynccontextmanager
    async def _clip(self, clip: BatchClip) -> AsyncIterator[_Begun]:
        """Whatever befalls a clip befalls it alone, and is told."""
        report = Report(clip.recipe.name, RunStatus.FAILED, source=show_source(clip.source), flow_run_id=flow_run.id)
        with reporting(report, beside=self.counted) as latest:
            begun = _Begun(latest, time.monotonic())
            try:
                yield begun
            except asyncio.CancelledError:
                self._write(line_of(
                    replace(latest.report, status=RunStatus.INTERRUPTED, error="Stopped."), clip.name, took=begun.took))
                raise
            except ReelflowError as error:
                if isinstance(error, KeyRefused):
                    self.halted, self.is_away = error.message, True
                await self._end(clip, latest.report.with_error(error), begun.took, error)
            except Exception as error:  # a fault of ours must not take the other clips with it
                get_run_logger().exception("Something unforeseen went wrong with %s.", clip.name)
                told = f"Something unforeseen went wrong ({type(error).__name__}: {error}); the run's log says more."
                await self._end(
                    clip, replace(latest.report, status=RunStatus.FAILED, error=told), begun.took, ReelflowError(told))

    async def _end(
        self, clip: BatchClip, report: Report, took: float, error: ReelflowError | None = None
    ) -> None:
        line = line_of(report, clip.name, took=took)
        self._write(line)
        self.summary.add(line)
        self._halt_if_enough()
        if self.on_end is not None:
            await self.on_end(clip, line, error)

    def _write(self, line: Line) -> None:
        self.results.add(line)
        self.halted = self.halted or self.results.trouble

    def _halt_if_enough(self) -> None:
        most, bad = self.many.max_failures, self.summary.tally.bad
        if most is not None and bad >= most and not self.halted:
            self.halted = f"{bad} clips have failed, and no more may (max_failures)."

    async def _side_by_side(
        self, items: Iterable[Any], work: Callable[[Any], Awaitable[None]], width: int
    ) -> None:
        """Do the work on all items, so many at a time; none is begun once the batch has been halted."""
        waiting = iter(items)

        async def go_on() -> None:
            for item in waiting:
                if self.halted:
                    return
                await work(item)

        async with asyncio.TaskGroup() as group:
            for _ in range(max(1, width)):
                group.create_task(go_on())

    @property
    def _shown(self) -> str:
        """Where the results go, as it may be shown."""
        return show_source(str(self.order.output))

    def _told(self, to_make: int, cost: Decimal | None) -> dict[str, Any]:
        tally = self.summary.tally
        return {
            "status": RunStatus.COMPLETED.value, "output": self._shown, "manifest": self.results.manifest,
            "page": self.results.page, "clips": len(self.clips), "to_make": to_make, "completed": tally.completed,
            "failed": tally.failed, "undecided": tally.undecided, "not_begun": len(self.clips) - tally.ended,
            "billed_seconds": round(tally.billed_seconds, 3),
            "cost_usd": None if tally.cost_usd is None else round(tally.cost_usd, 4),
            "estimated_cost_usd": None if cost is None else float(round(cost, 4)),
            "stand_in": self.run.client.stand_in, "flow_run_id": flow_run.id, "error": None,
        }

    def _ended(self, told: dict[str, Any]) -> dict[str, Any]:
        tally = self.summary.tally
        if not (tally.bad or told["not_begun"] or self.halted):
            return told
        why = f" {self.halted}" if self.halted else ""
        rest = f", and {told['not_begun']} were not begun" if told["not_begun"] else ""
        again = "Run the same again without refresh" if self.order.refresh else "Run the same again"
        says = "stays as the run before left it" if self.results.are_held else "says which and why"
        message = f"{tally.told()}{rest}: {told['manifest']} {says}.{why} {again} to make what is missing."
        status = RunStatus.UNDECIDED if tally.undecided and not tally.failed else RunStatus.FAILED
        raise ClipsFailed(message, summary={**told, "status": status.value, "error": message})


@dataclass(frozen=True, slots=True)
class _Begun:
    latest: Latest
    at: float

    @property
    def took(self) -> float:
        return time.monotonic() - self.at


@task(task_run_name="{clip}", cache_policy=NO_CACHE, persist_result=False)
async def make_clip(clip: str, making: Callable[[], Awaitable[dict[str, Any]]]) -> dict[str, Any]:
    """One clip, from its source to its finished files."""
    return await making()


def _scratch(clip: BatchClip) -> str:
    return f"clip-{clip.number}"
