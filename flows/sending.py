"""The films of one job on their way: each is sent as soon as it is there, bought, waited for and fetched."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from flows.trail import Trail
from reelflow.errors import SubmitUnknown
from reelflow.job.attempts import buy_until_done
from reelflow.job.entry import Paid
from reelflow.job.submission import Bought
from reelflow.measure import Found, Measure, What
from reelflow.plan import Job
from tasks.facts import note_measure
from tasks.job import Price, fetch_result, job_slot, poll_job, submit_job
from tasks.log import about
from tasks.run import Run

_FOUND = {Paid.NOW: Found.MISS, Paid.EARLIER: Found.TAKEN_UP, Paid.KEPT: Found.HIT}


class Sending:
    """One film, or the pieces of one, sent while the rest is still prepared: inside, say where each lies.

    Once one of them can't be had there will be no whole film now, and what has not gone out does not go out any more.
    What was bought by then is brought home all the same, unless the run itself is stopped.
    """

    def __init__(self, run: Run, job: Job, trail: Trail, *, limit_usd: Decimal | None, refresh: bool) -> None:
        self._run, self._job, self._trail = run, job, trail
        self._limit_usd, self._refresh = limit_usd, refresh
        self._is_hopeless = False

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._there: list[asyncio.Future[Path]] = [loop.create_future() for _ in self._job.lengths]
        self._brought = [asyncio.create_task(self._bring(place)) for place in range(len(self._there))]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            return
        self._is_hopeless = True
        for future in self._there:
            future.cancel()
        if isinstance(error, asyncio.CancelledError):
            for task in self._brought:
                task.cancel()
        ended = await asyncio.gather(*self._brought, return_exceptions=True)
        lost = next((one for one in ended if isinstance(one, SubmitUnknown)), None)
        if lost is not None and isinstance(error, Exception):
            raise lost from error

    def tell(self, place: int, path: Path) -> None:
        """Say where a film lies, by its place in the order (from 0); what was told already stays."""
        if not self._there[place].done():
            self._there[place].set_result(path)

    async def ended(self) -> list[Path | BaseException]:
        """What became of each film, once all are told of and over; those that did not go out any more are left away,
        since they say nothing of what went wrong.
        """
        ended = await asyncio.gather(*self._brought, return_exceptions=True)
        return [one for one in ended if not (self._is_hopeless and isinstance(one, asyncio.CancelledError))]

    async def _bring(self, place: int) -> Path:
        try:
            return await self._brought_of(place, await self._there[place])
        except BaseException:
            self._is_hopeless = True
            raise

    async def _brought_of(self, place: int, sent: Path) -> Path:
        run, job, seconds = self._run, self._job, self._job.lengths[place]
        title = f"{job.place} {job.step.name}" + (f", piece {place + 1}" if len(self._there) > 1 else "")
        price = Price(job.resolved, seconds, job.price(seconds), refresh=self._refresh, limit_usd=self._limit_usd)
        wish = job.step.wish(job.model, sent)
        made_of = await self._trail.sent(job, sent)
        async with job_slot(run):
            if self._is_hopeless:
                raise asyncio.CancelledError
            bought = await buy_until_done(
                run.ledger, partial(submit_job, wish, price, title=title), partial(_done, title=title),
                max_attempts=run.settings.max_attempts,
            )
            note_measure(Measure(What.LOOK_UP, "result", found=_FOUND[bought.paid]))
            expected = seconds if job.model.kind.result == "film" else 0.0
            with about(job=bought.job_id):
                path = bought.path or await fetch_result(
                    bought, about_seconds=expected, rate=job.model.fps or 0, title=title)
        self._trail.came(job, made_of, path, bought.job_id)
        return path


async def _done(bought: Bought, *, title: str) -> None:
    with about(job=bought.job_id):
        await poll_job(bought, title=title)
