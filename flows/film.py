"""The way that every recipe goes, from a source to its finished files; each flow says only what it asks for."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from prefect import get_run_logger
from prefect.runtime import flow_run

from flows.decide import ask_person, can_ask
from reelflow.compile import Known, compile_recipe, whole_span
from reelflow.delivery import Delivery, split_output
from reelflow.destination import Destination, refuse_existing
from reelflow.errors import ReelflowError, SubmitUnknown
from reelflow.job.attempts import buy_until_done
from reelflow.job.entry import Paid
from reelflow.job.submission import Bought
from reelflow.job.wire import Wish
from reelflow.media.drawing import Take
from reelflow.media.media_step import Given
from reelflow.media.probe import Probe
from reelflow.model_step import ModelStep
from reelflow.models import Kind
from reelflow.plan import Job, OutputForm, Pictures, Plan
from reelflow.preflight import check_models, check_total, read_limit
from reelflow.receipt import Receipt, find_receipt
from reelflow.recipe import Recipe
from reelflow.report import Report, RunStatus, describe_film
from reelflow.sources import is_address, show_source, source_stem
from tasks import quiet
from tasks.facts import note, reporting
from tasks.folded import is_folded
from tasks.job import Price, fetch_result, job_slot, poll_job, resolve_model, submit_job
from tasks.media import (
    find_source,
    finish_media,
    look_for_scenes,
    picture_film,
    prepare_media,
    probe_source,
    probe_step_files,
    take_result,
)
from tasks.page import publish_page
from tasks.phase import timing
from tasks.receipt import deliver_files, digest_ask, keep_receipt
from tasks.report import publish_plan, publish_report
from tasks.run import Run, open_run
from tasks.stop import cancelled_in_order

quiet.install()


@dataclass(frozen=True, slots=True)
class Order:
    """What a person sets besides the recipe: where the files go, and what they may cost (USD).

    `poster` is where a small picture of the first output goes, for a page that shows many runs.
    """

    output: str | None = None
    overwrite: bool = False
    max_cost_usd: float | None = None
    estimate: bool = False
    refresh: bool = False
    poster: Path | None = None


def name_run() -> str:
    """A flow run's name that says what runs: the job, the source, the beginning of the prompt."""
    asked = flow_run.parameters
    source = str(asked.get("source") or asked.get("image") or "")
    prompt = str(asked.get("prompt") or "")
    shown = f"{prompt[:40].strip()}…" if len(prompt) > 40 else prompt
    return " · ".join(filter(None, (f"{flow_run.flow_name} {source_stem(source)}", shown)))


async def make_films(recipe: Recipe, source: str, order: Order) -> dict[str, Any]:
    """Probe, plan, then phase by phase: prepare, buy, wait, fetch, finish, report: the whole path of a recipe.

    Raises the errors of `reelflow.errors`; whatever was known by then is in the report that is published.
    """
    return await cancelled_in_order(make_within(recipe, source, order))


async def make_within(
    recipe: Recipe, source: str, order: Order, planned: tuple[Plan, Known] | None = None
) -> dict[str, Any]:
    """The same for a clip of a larger run, which minds its own cancelling, and may have planned the clip before."""
    async with _reported(recipe, source), open_run() as run:
        limit = read_limit(order.max_cost_usd)
        destination, delivery = _places(run, recipe, order)
        recipe = destination.named(recipe, source)
        plan, known = planned or await _looked_at(run, recipe, source, source_stem(source))
        path = plan.source.path
        note(source_film=describe_film(plan.source), warnings=plan.warnings, estimated_cost_usd=plan.cost_usd,
             resolved_model=_joined(job.resolved for job in plan.jobs), stand_in=run.client.stand_in)
        check_total(plan, limit)
        await publish_plan(plan)
        if order.estimate:
            return (await publish_report(note(
                status=RunStatus.ESTIMATED, billed_seconds=plan.seconds, cost_usd=plan.cost_usd
            ))).to_dict()

        targets = destination.targets(plan, path, need_bytes=2 * plan.source.size_bytes)
        ask, film = await digest_ask(recipe, path), None
        if not await _are_made(run, ask, targets, plan, order, delivery):
            works = _Works(run, recipe, plan, known, limit_usd=limit, refresh=order.refresh)
            plan, takes = await works.done()
            given = Given(plan.files, run.scratch / "steps")
            finished = await finish_media(plan, takes, given, targets, strict=recipe.strict)
            film = finished.films[0]
            note(output=targets[0], outputs=targets,
                 warnings=tuple(dict.fromkeys((*plan.warnings, *works.warnings, *finished.warnings))),
                 commands={**works.commands, "finish": [list(command) for command in finished.commands]})
            if film is not None:
                note(output_film=describe_film(film))
            report = note(status=RunStatus.COMPLETED)
            if delivery is None:
                await keep_receipt(ask, plan, report)
            else:
                note(uploaded=await deliver_files(ask, plan, report, delivery), output=None, outputs=())
        if order.poster is not None and plan.finish.outputs[0].form is OutputForm.FILM:
            await _poster(order.poster, film or targets[0])
        return (await _shown(recipe, plan, targets[0])).to_dict()


async def _poster(poster: Path, film: Probe | Path) -> None:
    """Note a small picture of the first output: made anew where the film (a probe) was, kept where that was there."""
    path = film if isinstance(film, Path) else film.path
    if isinstance(film, Path) and (poster.exists() or not path.exists()):
        note(poster=poster if poster.exists() else None)
        return
    note(poster=await poster_film(film, poster))


def _places(run: Run, recipe: Recipe, order: Order) -> tuple[Destination, Delivery | None]:
    """Where the files are made, and the address that they are brought to where they don't stay there."""
    if order.output and is_address(order.output):
        prefix, name = split_output(order.output)
        folder = run.scratch / "results"
        return Destination(folder, str(folder / name) if name else "", order.overwrite), Delivery(prefix, folder)
    folder = run.settings.work_dir / "films" / (flow_run.id or recipe.name)
    return Destination(folder, order.output or "", order.overwrite), None


async def were_made(recipe: Recipe, plan: Plan, order: Order) -> bool:
    """Whether the very files that a plan makes lie there already, so that making them again costs nothing."""
    async with open_run() as run:
        destination, delivery = _places(run, recipe, order)
        targets = destination.targets(plan, plan.source.path, need_bytes=0)
        if order.refresh or await _first_there(targets, delivery) is None:
            return False
        return await _find_receipt(run, await digest_ask(recipe, plan.source.path), targets, plan, delivery) is not None


async def _first_there(targets: tuple[Path, ...], delivery: Delivery | None) -> Path | str | None:
    if delivery is not None:
        return await delivery.find_existing(targets)
    return next((target for target in targets if target.exists()), None)


async def _find_receipt(
    run: Run, ask: str, targets: tuple[Path, ...], plan: Plan, delivery: Delivery | None
) -> Receipt | None:
    """The receipt of what is asked for, if the models' names still stand for the same."""
    if delivery is not None:
        receipt = await delivery.find_receipt(ask, targets)
    else:
        receipt = await find_receipt(run.settings.work_dir, ask, targets)
    is_ours = receipt is not None and receipt.resolved == tuple(job.resolved for job in plan.jobs)
    return receipt if is_ours else None


async def plan_films(recipe: Recipe, source: str, *, stem: str = "") -> tuple[Plan, Known]:
    """The plan of a recipe on a source, and what it rests on; nothing is bought. Raises as `make_films`.

    Outputs are named after `stem`, or after the source.
    """
    async with _reported(recipe, source), open_run() as run:
        return await _looked_at(run, recipe, source, stem or source_stem(source))


async def _looked_at(run: Run, recipe: Recipe, source: str, stem: str) -> tuple[Plan, Known]:
    check_models(recipe, run.settings.model_table)
    path = await find_source(source, picture=recipe.takes_picture)
    clip, known = await probe_source(path), await _known(run, recipe, stem)
    return await _planned(recipe, clip, known), known


async def _known(run: Run, recipe: Recipe, stem: str) -> Known:
    """What the plan has to know besides the source: the files of the steps, and what the models' names stand for."""
    names = dict.fromkeys(step.model for step in recipe.all_steps() if isinstance(step, ModelStep))
    resolved = {name: await resolve_model(name) for name in names}
    needs_files = any(step.files() for step in recipe.all_steps())
    files = await probe_step_files(recipe) if needs_files else {}
    return Known(run.settings.model_table, files, resolved, stem=stem)


async def _planned(recipe: Recipe, clip: Probe, known: Known) -> Plan:
    """The plan; where a film goes out in pieces, cut where its scenes change."""
    plan = compile_recipe(recipe, clip, known)
    if clip.is_picture or not any(len(job.prepare.pieces) > 1 for job in plan.jobs):
        return plan
    return compile_recipe(recipe, clip, replace(known, scenes=await look_for_scenes(clip, whole_span(clip))))


async def _shown(recipe: Recipe, plan: Plan, target: Path) -> Report:
    """The report, published with the run's page, and a picture of before and after where the first file has one.

    Files that were uploaded go with the scratch folder, and so would what is written beside them.
    """
    if is_folded() or note().uploaded or not target.exists():
        return await publish_report(note())
    if plan.finish.outputs[0].form not in (OutputForm.FILM, OutputForm.PICTURE):
        return await publish_report(await publish_page(recipe, plan, None))
    film = await probe_source(target)
    pictures = await picture_film(plan, film)
    note(poster=pictures.poster, before_after=pictures.before_after)
    return await publish_report(await publish_page(recipe, plan, film), picture=pictures.before_after)


class _Works:
    """The jobs of a plan, each done once its own pictures are there, side by side where they may be."""

    def __init__(
        self, run: Run, recipe: Recipe, plan: Plan, known: Known, *, limit_usd: Decimal | None, refresh: bool
    ) -> None:
        self._run, self._recipe, self._plan, self._known = run, recipe, plan, known
        self._limit_usd, self._refresh = limit_usd, refresh
        self._takes: dict[int, asyncio.Task[Take]] = {}
        self.warnings: list[str] = []
        self.commands: dict[str, list[list[str]]] = {}

    async def done(self) -> tuple[Plan, dict[int, Take]]:
        """The plan as it is at last (a film that a model makes may be longer than foreseen), and every job's result."""
        try:
            takes = await self._takes_of(self._plan.finish.pictures)
            return self._plan, takes
        finally:
            for task in self._takes.values():
                task.cancel()
            await asyncio.gather(*self._takes.values(), return_exceptions=True)

    async def _takes_of(self, pictures: Pictures) -> dict[int, Take]:
        """What the jobs behind these pictures returned, by their number."""
        numbers = list(dict.fromkeys(feed.job for feed in pictures.feeds()))
        for number in numbers:
            if number not in self._takes:
                self._takes[number] = asyncio.create_task(self._take(number))
        # All are waited for, so that what is paid for is brought home although another one failed.
        ended = await asyncio.gather(*(self._takes[number] for number in numbers), return_exceptions=True)
        for result in ended:
            if isinstance(result, BaseException):
                raise result
        return {number: self._takes[number].result() for number in numbers}

    async def _take(self, number: int) -> Take:
        # An earlier job may change how long this one's film is, so that its plan is looked at only now.
        takes = await self._takes_of(self._plan.jobs[number - 1].prepare.pictures)
        job = self._plan.jobs[number - 1]
        ready = await prepare_media(job, takes, Given(self._plan.files, self._run.scratch / "steps"),
                                    strict=self._recipe.strict)
        self.warnings += ready.warnings
        self.commands[f"prepare {job.place}"] = [list(command) for command in ready.commands]
        lengths = [piece.frames / job.prepare.rate for piece in job.prepare.pieces] or [job.seconds]
        ended = await asyncio.gather(
            *(self._bring(job, path, seconds, index if len(lengths) > 1 else None)
              for index, (path, seconds) in enumerate(zip(ready.paths, lengths, strict=True), 1)),
            return_exceptions=True,
        )
        for result in ended:
            if isinstance(result, BaseException):
                raise result
        generated = tuple(path for path in ended if isinstance(path, Path))
        if job.model.kind is Kind.MOTION:
            await self._look_again(job, generated[0])
        take, said = await take_result(job, self._plan, generated, strict=self._recipe.strict)
        self.warnings += said
        return take

    async def _bring(self, job: Job, sent: Path, seconds: float, piece: int | None) -> Path:
        """One wish, bought, waited for and fetched."""
        run = self._run
        title = f"{job.place} {job.step.name}" + (f", piece {piece}" if piece is not None else "")
        cost = job.model.price(seconds, resolution=job.step.wish(job.model, sent).resolution)
        wish = job.step.wish(job.model, sent)
        price = Price(job.resolved, seconds, cost, refresh=self._refresh, limit_usd=self._limit_usd)
        async with job_slot(run):
            bought = await buy_until_done(
                run.ledger, partial(_bought, run, wish, price, title), partial(poll_job, title=title),
                max_attempts=run.settings.max_attempts,
            )
            about = seconds if job.model.kind.result == "film" else 0.0
            return bought.path or await fetch_result(bought, about_seconds=about, title=title)

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


async def _bought(run: Run, wish: Wish, price: Price, title: str) -> Bought:
    """The wish, bought; where a reply was lost and a person can be asked, as that person decides."""
    while True:
        try:
            return await submit_job(wish, price, title=title)
        except SubmitUnknown as unknown:
            if not can_ask(run):
                raise
            await publish_report(note().with_error(unknown))
            await ask_person(run, unknown)


async def _are_made(
    run: Run, ask: str, targets: tuple[Path, ...], plan: Plan, order: Order, delivery: Delivery | None
) -> bool:
    """Whether the very files that are asked for lie there already; what was told of them is noted.

    Raises BadInput where something else lies there that may not be replaced.
    """
    there = await _first_there(targets, delivery)
    if there is None:
        return False
    receipt = await _find_receipt(run, ask, targets, plan, delivery)
    if receipt is None and not order.overwrite:
        raise refuse_existing(there)
    if receipt is None or order.refresh:
        return False
    lie = tuple(delivery.address(target) for target in targets) if delivery is not None else ()
    get_run_logger().info("%s was made before, just as it is asked for; nothing is left to do.",
                          ", ".join(lie or map(str, targets)))
    told = receipt.report
    note(
        status=RunStatus.COMPLETED, paid=Paid.KEPT if plan.jobs else None, output=None if lie else targets[0],
        outputs=() if lie else targets, uploaded=lie, output_film=told.get("output_film"),
        job_ids=tuple(told.get("job_ids", ())), warnings=tuple(told.get("warnings", ())),
    )
    return True


@contextlib.asynccontextmanager
async def _reported(recipe: Recipe, source: str) -> AsyncIterator[None]:
    """However the run ends, what is known of it is published; a run that is cancelled has no time for that."""
    steps = [step for step in recipe.all_steps() if isinstance(step, ModelStep)]
    seeds = [step.seed for step in steps if step.seed is not None]
    facts: dict[str, Any] = {
        "model": _joined(step.model for step in steps), "prompt": _joined(step.prompt for step in steps),
        "seed": seeds[0] if seeds else None, "flow_run_id": flow_run.id, "flow_run_name": flow_run.name,
    }
    start = Report(recipe.name, RunStatus.FAILED, source=show_source(source), **facts)
    with reporting(start) as latest, timing() as times:
        note(**facts, phases=times)
        try:
            yield
        except ReelflowError as error:
            latest.report = latest.report.with_error(error)
            try:
                await publish_report(latest.report)
            except Exception:  # whatever the API says, the run's own error is the one to tell
                get_run_logger().warning("The report could not be shown in the Prefect UI.", exc_info=True)
            raise


def _joined(words: Any) -> str | None:
    return " → ".join(word for word in words if word) or None

