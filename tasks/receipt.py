"""Receipts as tasks: what is asked, and that it was made."""

from __future__ import annotations

import asyncio
from pathlib import Path

from prefect.cache_policies import NO_CACHE

from reelflow.delivery import Delivery
from reelflow.plan import Plan
from reelflow.receipt import Receipt, ask_of, write_receipt
from reelflow.recipe import Recipe
from reelflow.report import Report
from reelflow.store import digest_of
from tasks.folded import task
from tasks.run import current_run


@task(task_run_name="digest {source.name}", cache_policy=NO_CACHE)
async def digest_ask(recipe: Recipe, source: Path) -> str:
    """What is asked, as one digest over the bytes of all files that go in, and the recipe."""
    return await asyncio.to_thread(ask_of, recipe, source, queue=current_run().client.identity)


@task(task_run_name="keep the receipt", cache_policy=NO_CACHE)
async def keep_receipt(ask: str, plan: Plan, report: Report) -> None:
    """Note that the finished files are what was asked for, so that asking again finds them."""
    await write_receipt(current_run().settings.work_dir, await _receipt(ask, plan, report))


@task(task_run_name="bring the files to {delivery.prefix}", cache_policy=NO_CACHE, retries=3, retry_delay_seconds=2)
async def deliver_files(ask: str, plan: Plan, report: Report, delivery: Delivery) -> tuple[str, ...]:
    """Bring the finished files to another machine, with a receipt; gives their addresses."""
    return await delivery.bring(await _receipt(ask, plan, report))


async def _receipt(ask: str, plan: Plan, report: Report) -> Receipt:
    digests = [await asyncio.to_thread(digest_of, path) for path in report.outputs]
    resolved = tuple(job.resolved for job in plan.jobs)
    return Receipt(ask, report.outputs, tuple(digests), resolved, report.to_dict())
