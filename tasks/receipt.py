"""Receipts as tasks: what is asked, and that it was made."""

from __future__ import annotations

import asyncio
from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from reelflow.plan import Plan
from reelflow.receipt import Receipt, ask_of, write_receipt
from reelflow.recipe import Recipe
from reelflow.report import Report
from reelflow.store import digest_of
from tasks.run import current_run


@task(task_run_name="digest {source.name}", cache_policy=NO_CACHE)
async def digest_ask(recipe: Recipe, source: Path) -> str:
    """What is asked, as one digest over the bytes of all files that go in, and the recipe."""
    return await asyncio.to_thread(ask_of, recipe, source, queue=current_run().client.identity)


@task(task_run_name="keep the receipt", cache_policy=NO_CACHE)
async def keep_receipt(ask: str, plan: Plan, report: Report) -> None:
    """Note that the finished files are what was asked for, so that asking again finds them."""
    digests = [await asyncio.to_thread(digest_of, path) for path in report.outputs]
    resolved = tuple(job.resolved for job in plan.jobs)
    receipt = Receipt(ask, report.outputs, tuple(digests), resolved, report.to_dict())
    await write_receipt(current_run().settings.work_dir, receipt)
