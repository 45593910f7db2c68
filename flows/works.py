"""The jobs of a plan: prepared, bought, waited for and fetched, side by side where they may be."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from functools import partial
from pathlib import Path

from prefect.runtime import flow_run

from flows.decide import ask_person, can_ask
from flows.trail import Trail
from reelflow.compile import Known, compile_recipe
from reelflow.errors import Refused, SubmitUnknown
from reelflow.job.attempts import buy_until_done
from reelflow.job.decision import check_not_given_up
from reelflow.job.entry import Paid
from reelflow.job.submission import Bought
from reelflow.measure import Found, Measure, What
from reelflow.media.command import Shot
from reelflow.media.drawing import Take
from reelflow.media.media_step import Given
from reelflow.models import Kind
from reelflow.page.facts import moment_before
from reelflow.plan import FromFilm, Job, Pictures, Plan
from reelflow.recipe import Recipe
from tasks.facts import note, note_measure
from tasks.job import Price, fetch_result, job_slot, poll_job, submit_job
from tasks.log import about
from tasks.media import prepare_media, probe_source, take_result
from tasks.report import publish_report
from tasks.run import Run

_FOUND = {Paid.NOW: Found.MISS, Paid.EARLIER: Found.TAKEN_UP, Paid.KEPT: Found.HIT}


class Works:
    """The jobs of a plan, each done once its own pictures are there, side by side where they may be."""

    def __init__(
        self, run: Run, recipe: Recipe, plan: Plan, known: Known, trail: Trail, *, limit_usd: Decimal | None,
        refresh: bool, shots_in: Path | None = None,
    ) -> None:
        """Pictures of the source are left in the folder `shots_in` where a pass comes by them."""
        self._run, self._recipe, self._plan, self._known = run, recipe, plan, known
        self._trail, self._limit_usd, self._refresh = trail, limit_usd, refresh
        self._shots_in = shots_in
        self._takes: dict[int, asyncio.Task[Take]] = {}
        self.warnings: list[str] = []
        self.commands: dict[str, list[list[str]]] = {}

    async def done(self) -> tuple[Plan, dict[int, Take]]:
        """The plan as it is at last (a film that a model makes may be longer than foreseen), and every job's result.

        Where a reply was lost and a person can be asked, it goes on as that person decides.
        """
        while True:
            try:
                if can_ask(self._run):
                    # Before anything of it is sent: the one piece that was given up may be the last.
                    await check_not_given_up(self._run.ledger, flow_run.id)
                takes = await self._takes_of(self._plan.finish.pictures)
                return self._plan, takes
            except SubmitUnknown as unknown:
                if not can_ask(self._run):
                    raise
                lost = unknown
            finally:
                for task in self._takes.values():
                    task.cancel()
                await asyncio.gather(*self._takes.values(), return_exceptions=True)
                self._takes = {}
            # Asked only now that nothing else of this run goes on. Prefect ends each task of a run that is suspended:
            # what other pieces have bought would not be fetched. And a process that polls on shows signs of life behind
            # the state, so that the run would be taken for dead when it ends.
            await publish_report(note().with_error(lost))
            await ask_person(self._run, lost)

    async def _takes_of(self, pictures: Pictures) -> dict[int, Take]:
        """What the jobs behind these pictures returned, by their number."""
        numbers = list(dict.fromkeys(feed.job for feed in pictures.feeds()))
        for number in numbers:
            if number not in self._takes:
                self._takes[number] = asyncio.create_task(self._take(number))
        # All are waited for, so that what is paid for is brought home although another one failed.
        ended = await asyncio.gather(*(self._takes[number] for number in numbers), return_exceptions=True)
        _raise_gravest(ended)
        return {number: self._takes[number].result() for number in numbers}

    async def _take(self, number: int) -> Take:
        # An earlier job may change how long this one's film is, so that its plan is looked at only now.
        takes = await self._takes_of(self._plan.jobs[number - 1].prepare.pictures)
        job = self._plan.jobs[number - 1]
        ended = await self._prepared_and_brought(job, takes)
        _raise_gravest(ended)
        generated = tuple(path for path in ended if isinstance(path, Path))
        if job.model.kind is Kind.MOTION:
            await self._look_again(job, generated[0])
        take, said = await take_result(job, self._plan, generated, strict=self._recipe.strict)
        self.warnings += said
        return take

    async def _prepared_and_brought(self, job: Job, takes: dict[int, Take]) -> list[Path | BaseException]:
        """What the job's films became, or what went wrong with each; pieces are sent while the rest is prepared."""
        lengths = job.lengths
        sent, failed = [asyncio.get_running_loop().create_future() for _ in lengths], asyncio.Event()
        bringing = [
            asyncio.create_task(self._bring_when_there(job, path, seconds, index if len(lengths) > 1 else None,
                                                       failed))
            for index, (path, seconds) in enumerate(zip(sent, lengths, strict=True), 1)
        ]
        try:
            ready = await prepare_media(
                job, takes, Given(self._plan.files, self._run.scratch / "steps"), strict=self._recipe.strict,
                shot=self._shot(job), tell_piece=lambda place, path: sent[place].set_result(path),
            )
            for future, path in zip(sent, ready.paths, strict=True):
                if not future.done():
                    future.set_result(path)
            self.warnings += ready.warnings
            self.commands[f"prepare {job.place}"] = [list(command) for command in ready.commands]
            # For a run that ends before it is finished.
            note(commands=dict(self.commands), warnings=tuple(dict.fromkeys((*self._plan.warnings, *self.warnings))))
            ended = await asyncio.gather(*bringing, return_exceptions=True)
            # Those that were not sent any more say nothing of what went wrong.
            return [one for one in ended if not (failed.is_set() and isinstance(one, asyncio.CancelledError))]
        except asyncio.CancelledError:
            for task in bringing:
                task.cancel()
            raise
        except Exception as error:
            failed.set()
            for future in sent:
                future.cancel()
            ended = await asyncio.gather(*bringing, return_exceptions=True)
            lost = next((one for one in ended if isinstance(one, SubmitUnknown)), None)
            if lost is not None:
                raise lost from error
            raise
        except BaseException:
            failed.set()
            raise
        finally:
            for future in sent:
                future.cancel()
            # What is bought already is brought home although the rest could not be prepared.
            await asyncio.gather(*bringing, return_exceptions=True)

    async def _bring_when_there(
        self, job: Job, sent: asyncio.Future[Path], seconds: float, piece: int | None, failed: asyncio.Event
    ) -> Path:
        return await self._bring(job, await sent, seconds, piece, failed)

    def _shot(self, job: Job) -> Shot | None:
        """The picture of before, for the first job that reads the source."""
        first = next((one for one in self._plan.jobs if _reads(one, self._plan.source.path)), None)
        if self._shots_in is None or job != first:
            return None
        return Shot(moment_before(self._plan), self._shots_in)

    async def _bring(
        self, job: Job, sent: Path, seconds: float, piece: int | None, failed: asyncio.Event
    ) -> Path:
        """One wish, bought, waited for and fetched; not bought any more once what it is a piece of has `failed`."""
        run = self._run
        title = f"{job.place} {job.step.name}" + (f", piece {piece}" if piece is not None else "")
        wish = job.step.wish(job.model, sent)
        price = Price(job.resolved, seconds, job.price(seconds), refresh=self._refresh, limit_usd=self._limit_usd)
        made_of = await self._trail.sent(job, sent)
        async with job_slot(run):
            if failed.is_set():
                raise asyncio.CancelledError
            try:
                bought = await buy_until_done(
                    run.ledger, partial(submit_job, wish, price, title=title), partial(_done, title=title),
                    max_attempts=run.settings.max_attempts,
                )
            except (SubmitUnknown, Refused) as error:
                # Whoever is asked may give the whole film up, or has: what is not sent yet is not bought for it.
                if isinstance(error, Refused) or can_ask(run):
                    failed.set()
                raise
            note_measure(Measure(What.LOOK_UP, "result", found=_FOUND[bought.paid]))
            expected = seconds if job.model.kind.result == "film" else 0.0
            with about(job=bought.job_id):
                path = bought.path or await fetch_result(
                    bought, about_seconds=expected, rate=job.model.fps or 0, title=title)
        self._trail.came(job, made_of, path, bought.job_id)
        return path

    async def _look_again(self, job: Job, generated: Path) -> None:
        """Plan anew where a model that says how long its film is has made another length than it says."""
        made = (await probe_source(generated)).frames
        feed = self._plan.feed(job.number)
        if made == feed.sent:
            return
        self.warnings.append(f"{job.model.name} returned {made} frames where {feed.sent} were expected; all of them "
                             "are kept.")
        self._known = replace(self._known, made={**self._known.made, job.number: made})
        self._plan = compile_recipe(self._recipe, self._plan.source, self._known)


def _raise_gravest(ended: Iterable[object]) -> None:
    """Of what went wrong, raise what has to be known first: that the run is stopped, that a person has to decide."""
    wrong = [result for result in ended if isinstance(result, BaseException)]
    if wrong:
        raise min(wrong, key=lambda error: (isinstance(error, Exception), not isinstance(error, SubmitUnknown)))


def _reads(job: Job, source: Path) -> bool:
    feed = job.prepare.pictures.feed
    return isinstance(feed, FromFilm) and feed.film.path == source


async def _done(bought: Bought, *, title: str) -> None:
    with about(job=bought.job_id):
        await poll_job(bought, title=title)
