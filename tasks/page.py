"""The run's page as a task."""

from __future__ import annotations

import asyncio
from pathlib import Path

from prefect import get_run_logger
from prefect.cache_policies import NO_CACHE

from reelflow.destination import companions
from reelflow.errors import ReelflowError
from reelflow.media.probe import Probe
from reelflow.media.strip import Strip
from reelflow.page.failed_page import write_failed_page
from reelflow.page.run_page import write_run_page
from reelflow.page.template import is_ours
from reelflow.plan import Plan
from reelflow.recipe import Recipe
from reelflow.report import Report
from tasks.facts import note
from tasks.folded import task
from tasks.run import current_run


def page_beside(report: Report) -> Path:
    """Where the page of a run lies: beside its first output."""
    return companions(report.outputs[0], is_film=False)["page"]


@task(task_run_name="write the page", cache_policy=NO_CACHE, timeout_seconds=600)
async def publish_page(recipe: Recipe, plan: Plan, film: Probe | None, strip: Strip | None = None) -> Report:
    """Write the page of a run beside its first output, which is read as `film`, with the pictures of `strip`.

    The film is there by now: a page that can't be written is told, and no reason for the run to fail.
    """
    run, report = current_run(), note()
    page = page_beside(report)
    if not report.commands and page.exists():
        # The films were here already, and so is the page of the run that made them.
        return note(page=page)
    source = None if plan.source.path.is_relative_to(run.scratch) else plan.source.path
    try:
        return note(page=await write_run_page(recipe, plan, report, film, page, source=source, ffmpeg=run.ffmpeg,
                                              strip=strip))
    except (ReelflowError, OSError) as error:
        get_run_logger().warning("The run's page could not be written: %s", error)
        return note(page=None)


@task(task_run_name="write the page", cache_policy=NO_CACHE)
async def publish_failure(
    recipe: Recipe, plan: Plan | None, report: Report, pages: tuple[Path, ...], *, last_words: str = ""
) -> Report:
    """Write the page of a run that has failed, at the first of these places where it can be written."""
    for page in pages:
        try:
            if page.exists() and not is_ours(page):
                continue
            return note(page=await asyncio.to_thread(
                write_failed_page, recipe, plan, report, page, last_words=last_words))
        except (ReelflowError, OSError) as error:
            get_run_logger().warning("The failed run's page could not be written: %s", error)
    return report
