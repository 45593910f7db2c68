"""Receipts as tasks: what is asked, and that it was made."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from prefect import get_run_logger
from prefect.cache_policies import NO_CACHE

from reelflow.delivery import Delivery
from reelflow.digest import digest_of
from reelflow.lineage import Made, Stage, ends_of, in_order
from reelflow.plan import Plan
from reelflow.receipt import Receipt, ask_of, write_receipt
from reelflow.recipe import Recipe
from reelflow.report import Report
from tasks.facts import note
from tasks.folded import task
from tasks.run import current_run


@task(task_run_name="digest {source.name}", cache_policy=NO_CACHE)
async def digest_ask(recipe: Recipe, source: Path) -> str:
    """What is asked, as one digest over the bytes of all files that go in, and the recipe."""
    return await asyncio.to_thread(ask_of, recipe, source, queue=current_run().client.identity)


@task(task_run_name="keep the receipt", cache_policy=NO_CACHE)
async def keep_receipt(
    ask: str, plan: Plan, report: Report, parts: tuple[Path, ...]
) -> tuple[Receipt, tuple[Made, ...]]:
    """Note that the finished files are what was asked for, so that asking again finds them; gives their lineage too.

    They lie at `parts` still: a run that is killed when they have their names must not be refused by its own film.
    """
    receipt, lineage = await _receipt(ask, plan, report, parts)
    await write_receipt(current_run().settings.work_dir, receipt, in_place=False)
    return receipt, lineage


async def complete_receipt(receipt: Receipt, report: Report) -> None:
    """Have a receipt tell all of the run, now that its files are in place.

    All is made by then: where it can't be written anew, what it tells already will do.
    """
    try:
        await write_receipt(
            current_run().settings.work_dir, replace(receipt, report=report.to_dict()), in_place=True)
    except OSError as error:
        get_run_logger().warning("The receipt could not be completed: %s", error)


@task(task_run_name="look at {delivery.shown}", cache_policy=NO_CACHE, retries=3, retry_delay_seconds=2)
async def find_there(delivery: Delivery, targets: tuple[Path, ...]) -> str | None:
    """The first of the addresses at which something lies."""
    return await delivery.find_existing(targets)


@task(task_run_name="look for the receipt at {delivery.shown}", cache_policy=NO_CACHE, retries=3,
      retry_delay_seconds=2)
async def find_brought(delivery: Delivery, ask: str, targets: tuple[Path, ...]) -> Receipt | None:
    """The receipt for what lies at the addresses, if it is what was asked for."""
    return await delivery.find_receipt(ask, targets)


@task(task_run_name="bring the files to {delivery.shown}", cache_policy=NO_CACHE, retries=3, retry_delay_seconds=2)
async def deliver_files(ask: str, plan: Plan, report: Report, delivery: Delivery) -> tuple[str, ...]:
    """Bring the finished files to another machine, with a receipt; gives their addresses. Their lineage is noted."""
    receipt, lineage = await _receipt(ask, plan, report, report.outputs, delivery)
    note(lineage=lineage)
    return await delivery.bring(receipt)


async def _receipt(
    ask: str, plan: Plan, report: Report, lie_at: tuple[Path, ...], delivery: Delivery | None = None
) -> tuple[Receipt, tuple[Made, ...]]:
    """The receipt of a run's files, and the lineage that ends with them."""
    digests = [await asyncio.to_thread(digest_of, path) for path in lie_at]
    resolved, made_of = tuple(job.resolved for job in plan.jobs), ends_of(report.lineage)
    lie = map(delivery.shown_address if delivery is not None else str, report.outputs)
    finished = [Made(Stage.FINISHED, path.name, digest, made_of, there)
                for path, digest, there in zip(report.outputs, digests, lie, strict=True)]
    lineage = in_order((*report.lineage, *finished))
    told = replace(report, lineage=lineage).to_dict()
    return Receipt(ask, report.outputs, tuple(digests), resolved, told), lineage
