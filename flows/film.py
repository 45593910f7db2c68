"""The way that every recipe goes, from a source to its finished files; each flow says only what it asks for."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

from flows.failed import reported
from flows.made import Places, Sought, There
from flows.order import Order
from flows.trail import Trail
from flows.works import Works
from reelflow.compile import Known, compile_recipe
from reelflow.errors import BadMedia, OutputTaken
from reelflow.media.command import Takes
from reelflow.media.finish import Finished
from reelflow.media.media_step import Given
from reelflow.media.probe import Probe
from reelflow.media.strip import Strip
from reelflow.model_step import ModelStep
from reelflow.plan import OutputForm, Plan
from reelflow.preflight import check_first, check_models, check_total, read_limit
from reelflow.recipe import Recipe
from reelflow.report import Report, RunStatus, describe_film, joined
from reelflow.sources import is_address, show_source, source_stem
from reelflow.strand import whole_span
from tasks import quiet
from tasks.events import emit_lineage
from tasks.facts import note
from tasks.folded import is_folded
from tasks.job import resolve_model
from tasks.media import (
    find_source,
    finish_media,
    look_for_scenes,
    picture_film,
    poster_film,
    probe_source,
    probe_step_files,
)
from tasks.page import page_beside, publish_page
from tasks.receipt import complete_receipt, deliver_files, digest_ask, find_there, keep_receipt
from tasks.report import publish_plan, publish_report
from tasks.run import Run, current_run, open_run
from tasks.stop import cancelled_in_order

quiet.install()


async def make_films(recipe: Recipe, source: str, order: Order) -> dict[str, Any]:
    """Probe, plan, then phase by phase: prepare, buy, wait, fetch, finish, report: the whole path of a recipe.

    Raises the errors of `reelflow.errors`; whatever was known by then is in the report that is published.
    """
    return await cancelled_in_order(make_within(recipe, source, order))


async def make_within(
    recipe: Recipe, source: str, order: Order, planned: tuple[Plan, Known] | None = None
) -> dict[str, Any]:
    """The same for a part of a run, such as a clip or a preview, which minds its own cancelling, and may have planned
    the part before.
    """
    stem = planned[1].stem if planned else source_stem(source)
    async with reported(recipe, source, stem, order) as ending, open_run() as run:
        limit = read_limit(order.max_cost_usd, run.settings)
        places = Places.of(run, recipe, order)
        recipe = places.destination.named(recipe, source)
        plan, known = planned or await _looked_at(run, recipe, source, stem)
        ending.recipe, ending.plan = recipe, plan
        path = plan.source.path
        note(source_film=describe_film(plan.source), warnings=plan.warnings, estimated_cost_usd=plan.cost_usd,
             resolved_model=joined(job.resolved for job in plan.jobs), stand_in=run.client.stand_in)
        if order.estimate:
            await publish_plan(plan)
            return (await publish_report(note(
                status=RunStatus.ESTIMATED, billed_seconds=plan.seconds, cost_usd=plan.cost_usd
            ))).to_dict()

        _, ask = await asyncio.gather(publish_plan(plan), digest_ask(recipe, path))
        targets = places.targets(source, plan, need_bytes=2 * plan.source.size_bytes)
        sought = Sought(places, ask, targets, plan, order)
        film, shots = None, _room_for_shots(run)
        if (there := await sought.look()) is not There.MADE:
            check_total(plan, limit)
            await check_first(plan, limit, run.settings, refresh=order.refresh)
            trail = Trail(run)
            await trail.begin(source, plan)
            works = Works(run, recipe, plan, known, trail, limit_usd=limit, refresh=order.refresh,
                          shots_in=None if is_folded() else shots)
            plan, takes = await works.done()
            try:
                film = await _finished(sought, plan, works, takes, shots, strict=recipe.strict,
                                       replaces=there is There.REPLACEABLE)
            except OutputTaken:
                if not await sought.were_made_meanwhile():
                    raise
            else:
                emit_lineage(note().lineage)
        if order.poster is not None and plan.finish.outputs[0].form is OutputForm.FILM:
            await _poster(order.poster, film or targets[0], shots)
        await ending.made()
        return (await _shown(recipe, plan, targets[0], shots)).to_dict()


async def _finished(
    sought: Sought, plan: Plan, works: Works, takes: Takes, shots: Path, *, strict: bool, replaces: bool
) -> Probe | None:
    """The first of the files that are made now, put in place, noted, and brought to where they are to lie."""
    delivery, lineage, receipt = sought.places.delivery, note().lineage, None
    made: dict[str, Any] = {"status": RunStatus.COMPLETED, "output": sought.targets[0], "outputs": sought.targets}

    async def kept(finished: Finished, parts: tuple[Path, ...]) -> None:
        nonlocal lineage, receipt
        film = finished.films[0]
        report = note(
            output_film=None if film is None else describe_film(film),
            warnings=tuple(dict.fromkeys((*plan.warnings, *works.warnings, *finished.warnings))),
            commands={**works.commands, "finish": [list(command) for command in finished.commands]})
        if delivery is None:
            receipt, lineage = await keep_receipt(sought.ask, plan, replace(report, **made), parts)

    with_pictures = not is_folded() or sought.order.poster is not None
    finished = await finish_media(
        plan, takes, Given(plan.files, current_run().scratch / "steps"), sought.targets, strict=strict,
        shots_in=shots if with_pictures else None, replaces=replaces, on_whole=kept)
    if delivery is not None and not replaces and (there := await find_there(delivery, sought.targets)) is not None:
        raise OutputTaken(f"The output {there} has been written by another run meanwhile: choose another name.",
                          field="output")
    report = note(lineage=lineage, **made)
    if receipt is not None:
        await complete_receipt(receipt, report)
    if delivery is not None:
        note(uploaded=await deliver_files(sought.ask, plan, report, delivery), output=None, outputs=())
    return finished.films[0]


def _room_for_shots(run: Run) -> Path:
    """Where the passes of this run leave pictures of what goes through their hands."""
    folder = run.scratch / "shots"
    folder.mkdir(exist_ok=True)
    return folder


async def _poster(poster: Path, film: Probe | Path, shots: Path) -> None:
    """Note a small picture of the first output: made anew where the film (a probe) was, kept where that was there."""
    path = film if isinstance(film, Path) else film.path
    if isinstance(film, Path) and (poster.exists() or not path.exists()):
        note(poster=poster if poster.exists() else None)
        return
    note(poster=await poster_film(film, poster, shots))


async def plan_films(
    recipe: Recipe, source: str, *, stem: str = "", order: Order | None = None
) -> tuple[Plan, Known]:
    """The plan of a recipe on a source, and what it rests on; nothing is bought. Raises as `make_films`.

    Outputs are named after `stem`, or after the source; `order` says where they will go, if they are to be made.
    """
    stem = stem or source_stem(source)
    async with reported(recipe, source, stem, order), open_run() as run:
        return await _looked_at(run, recipe, source, stem)


async def _looked_at(run: Run, recipe: Recipe, source: str, stem: str) -> tuple[Plan, Known]:
    check_models(recipe, run.settings.model_table)
    path = await find_source(source, picture=recipe.takes_picture)
    try:
        clip = await probe_source(path)
    except BadMedia as bad:
        if not is_address(source):
            raise
        # What was brought here is gone with the run, and a person knows its address.
        raise BadMedia(bad.message.replace(str(path), show_source(source))) from bad
    known = await _known(run, recipe, stem)
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


async def _shown(recipe: Recipe, plan: Plan, target: Path, shots: Path) -> Report:
    """The report, published with the run's page, and a picture of before and after where the first file has one.

    Files that were uploaded go with the scratch folder, and so would what is written beside them.
    """
    if is_folded() or note().uploaded or not target.exists():
        return await publish_report(note())
    if plan.finish.outputs[0].form not in (OutputForm.FILM, OutputForm.PICTURE):
        return await _told(recipe, plan)
    film = await probe_source(target)
    pictures = await picture_film(plan, film, shots)
    note(poster=pictures.poster, before_after=pictures.before_after)
    return await _told(recipe, plan, film, pictures.strip)


async def _told(recipe: Recipe, plan: Plan, film: Probe | None = None, strip: Strip | None = None) -> Report:
    """The report, published while the run's page is written, and once more where that can't be."""
    report = note(page=page_beside(note()))
    await asyncio.gather(
        publish_page(recipe, plan, film, strip), publish_report(report, picture=report.before_after))
    return note() if note().page else await publish_report(note(), picture=report.before_after)
