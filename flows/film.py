"""The way that every job goes, from a source to a finished film; each flow says only what it asks for."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

from prefect import get_run_logger
from prefect.runtime import flow_run
from prefect.states import Cancelled

from flows.decide import ask_person, can_ask
from reelflow.destination import check_companions, choose_output, refuse_existing
from reelflow.errors import ReelflowError, SubmitUnknown
from reelflow.job.attempts import buy_until_done
from reelflow.job.entry import Paid
from reelflow.job.submission import Bought
from reelflow.job.wire import Wish
from reelflow.plan import Plan
from reelflow.preflight import check_model, check_reference, plan_job, read_limit
from reelflow.receipt import find_receipt
from reelflow.recipe import Recipe
from reelflow.report import Report, RunStatus, describe_film
from reelflow.sources import show_source, source_stem
from tasks import quiet
from tasks.facts import note, reporting
from tasks.job import Price, fetch_result, poll_job, resolve_model, submit_job
from tasks.media import find_source, finish_media, picture_film, prepare_media, probe_source
from tasks.phase import timing
from tasks.receipt import digest_ask, keep_receipt
from tasks.report import publish_plan, publish_report
from tasks.run import Run, open_run
from tasks.stop import cancelled_by_sigterm, is_being_cancelled

quiet.install()


@dataclass(frozen=True, slots=True)
class Order:
    """What a person sets besides the recipe: where the film goes, and what it may cost (USD)."""

    output: str | None = None
    overwrite: bool = False
    max_cost_usd: float | None = None
    estimate: bool = False
    refresh: bool = False


def name_run() -> str:
    """A flow run's name that says what runs: the job, the source, the beginning of the prompt."""
    asked = flow_run.parameters
    source = str(asked.get("source") or asked.get("image") or "")
    prompt = str(asked.get("prompt") or "")
    shown = f"{prompt[:40].strip()}…" if len(prompt) > 40 else prompt
    return " · ".join(filter(None, (f"{flow_run.flow_name} {source_stem(source)}", shown)))


async def make_film(name: str, source: str, recipe: Recipe, order: Order) -> dict[str, Any]:
    """Cut, prepare, buy, wait, fetch, finish, report: the whole path of one film (or picture) through one model.

    Raises the errors of `reelflow.errors`; whatever was known by then is in the report that is published.
    """
    with cancelled_by_sigterm() as stopped:
        try:
            return await _made(name, source, recipe, order)
        except asyncio.CancelledError:
            if not (stopped.is_set() and await is_being_cancelled()):
                raise
            # Prefect takes a state that a flow gives for the run's own; nobody else gets to see it.
            return cast(dict[str, Any], Cancelled(
                message="Stopped; what was bought by then is in the ledger (`reelflow jobs list`)."))


async def _made(name: str, source: str, recipe: Recipe, order: Order) -> dict[str, Any]:
    async with _reported(name, source, recipe), open_run() as run:
        limit = read_limit(order.max_cost_usd)
        check_model(name, recipe, run.settings.model_table[recipe.model])
        resolved = await resolve_model(recipe.model)
        model = run.settings.model_table.resolved_as(recipe.model, resolved)
        check_model(name, recipe, model)
        note(resolved_model=resolved, stand_in=run.client.stand_in)
        path = await find_source(source, picture=model.kind.source == "picture")
        clip = await probe_source(path)
        await check_reference(recipe)
        plan = plan_job(recipe, clip, model)
        note(source_film=describe_film(clip), warnings=plan.warnings, estimated_cost_usd=plan.cost_usd)
        await publish_plan(plan, resolved=resolved)
        if order.estimate:
            return (await publish_report(note(
                status=RunStatus.ESTIMATED, billed_seconds=plan.billed_seconds, cost_usd=plan.cost_usd
            ))).to_dict()

        destination = _destination(run, name, source, path, plan, recipe, order)
        ask = await digest_ask(recipe, path)
        if await _is_made(run, ask, destination, resolved, order):
            pictures = await picture_film(plan, await probe_source(destination))
            report = note(poster=pictures.poster, before_after=pictures.before_after)
            return (await publish_report(report, picture=pictures.before_after)).to_dict()
        prepared = await prepare_media(plan, strict=recipe.strict)
        wish = Wish(
            model, prepared.path, prompt=recipe.prompt, reference_image=recipe.reference_image, seed=recipe.seed,
            resolution=recipe.resolution, enhance_prompt=recipe.enhance_prompt, self_anchor=recipe.self_anchor,
            trajectory=recipe.trajectory,
        )
        price = Price(
            resolved, plan.billed_seconds, plan.cost_usd, refresh=order.refresh,
            limit_usd=limit,
        )
        bought = await buy_until_done(
            run.ledger, partial(_bought, run, wish, price), poll_job, max_attempts=run.settings.max_attempts
        )
        generated = bought.path or await fetch_result(bought, about_seconds=plan.billed_seconds)
        film = await finish_media(plan, recipe, generated, destination)
        made = await probe_source(film.path)
        note(output=film.path, output_film=describe_film(made),
             warnings=(*plan.warnings, *prepared.warnings, *film.warnings),
             commands={"prepare": [list(command) for command in prepared.commands], "finish": [list(film.command)]})
        await keep_receipt(ask, resolved, note(status=RunStatus.COMPLETED))
        pictures = await picture_film(plan, made)
        report = note(poster=pictures.poster, before_after=pictures.before_after)
        return (await publish_report(report, picture=pictures.before_after)).to_dict()


async def _bought(run: Run, wish: Wish, price: Price) -> Bought:
    """The wish, bought; where a reply was lost and a person can be asked, as that person decides."""
    while True:
        try:
            return await submit_job(wish, price)
        except SubmitUnknown as unknown:
            if not can_ask(run):
                raise
            await publish_report(note().with_error(unknown))
            await ask_person(run, unknown)


async def _is_made(run: Run, ask: str, destination: Path, resolved: str, order: Order) -> bool:
    """Whether the very film that is asked for lies at the destination already; what was told of it is noted.

    Raises BadInput where something else lies there that may not be replaced.
    """
    if not destination.exists():
        return False
    receipt = await find_receipt(run.settings.work_dir, ask, destination)
    is_ours = receipt is not None and receipt.resolved == resolved
    if not is_ours and not order.overwrite:
        raise refuse_existing(destination)
    if receipt is None or not is_ours or order.refresh:
        return False
    get_run_logger().info("%s is this very film, made before; nothing is left to do.", destination)
    told = receipt.report
    note(
        status=RunStatus.COMPLETED, paid=Paid.KEPT, output=destination,
        output_film=told.get("output_film"), job_ids=tuple(told.get("job_ids", ())),
        warnings=tuple(told.get("warnings", ())),
    )
    return True


@contextlib.asynccontextmanager
async def _reported(name: str, source: str, recipe: Recipe) -> AsyncIterator[None]:
    """However the job ends, what is known of it is published; a run that is cancelled has no time for that."""
    start = Report(
        name, RunStatus.FAILED, source=show_source(source), model=recipe.model, prompt=recipe.prompt, seed=recipe.seed,
        flow_run_id=flow_run.id, flow_run_name=flow_run.name,
    )
    with reporting(start) as latest, timing() as times:
        note(**{key: getattr(start, key) for key in ("model", "prompt", "seed", "flow_run_id", "flow_run_name")},
             phases=times)
        try:
            yield
        except ReelflowError as error:
            latest.report = latest.report.with_error(error)
            try:
                await publish_report(latest.report)
            except Exception:  # whatever the API says, the job's own error is the one to tell
                get_run_logger().warning("The report could not be shown in the Prefect UI.", exc_info=True)
            raise


def _destination(run: Run, name: str, source: str, path: Path, plan: Plan, recipe: Recipe, order: Order) -> Path:
    is_film = plan.model.kind.result == "film"
    default = f"{source_stem(source)}-{name}"
    target = choose_output(
        order.output, folder=run.settings.work_dir / "films" / (flow_run.id or name), name=default, is_film=is_film,
        overwrite=True, codec=recipe.codec, source=path, need_bytes=2 * plan.source.size_bytes,
    )
    check_companions(target, is_film=is_film, overwrite=order.overwrite, source=path)
    return target
