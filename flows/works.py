"""The jobs of a plan: prepared, bought, waited for and fetched, side by side where they may be."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from prefect.runtime import flow_run

from flows.decide import ask_person, can_ask
from flows.sending import Sending
from flows.trail import Trail
from reelflow.compile import Known, compile_recipe
from reelflow.errors import SubmitUnknown
from reelflow.job.decision import check_not_given_up
from reelflow.media.command import Shot
from reelflow.media.drawing import Take
from reelflow.media.media_step import Given
from reelflow.models import Kind
from reelflow.page.facts import moment_before
from reelflow.plan import FromFilm, Job, Pictures, Plan
from reelflow.recipe import Recipe
from tasks.facts import note
from tasks.media import prepare_media, probe_source, take_result
from tasks.report import publish_report
from tasks.run import Run


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
        async with Sending(self._run, job, self._trail, limit_usd=self._limit_usd, refresh=self._refresh) as sending:
            ready = await prepare_media(
                job, takes, Given(self._plan.files, self._run.scratch / "steps"), strict=self._recipe.strict,
                shot=self._shot(job), tell_piece=sending.tell,
            )
            for place, path in enumerate(ready.paths):
                sending.tell(place, path)
            self.warnings += ready.warnings
            self.commands[f"prepare {job.place}"] = [list(command) for command in ready.commands]
            # For a run that ends before it is finished.
            note(commands=dict(self.commands), warnings=tuple(dict.fromkeys((*self._plan.warnings, *self.warnings))))
            ended = await sending.ended()
        _raise_gravest(ended)
        generated = tuple(path for path in ended if isinstance(path, Path))
        if job.model.kind is Kind.MOTION:
            await self._look_again(job, generated[0])
        take, said = await take_result(job, self._plan, generated, strict=self._recipe.strict)
        self.warnings += said
        return take

    def _shot(self, job: Job) -> Shot | None:
        """The picture of before, for the first job that reads the source."""
        first = next((one for one in self._plan.jobs if _reads(one, self._plan.source.path)), None)
        if self._shots_in is None or job != first:
            return None
        return Shot(moment_before(self._plan), self._shots_in)

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

