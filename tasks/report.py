"""What a run tells the Prefect UI: its plan and price before, its facts and pictures after."""

from __future__ import annotations

import base64
import contextlib
from pathlib import Path

from prefect.artifacts import acreate_markdown_artifact, acreate_table_artifact
from prefect.cache_policies import NO_CACHE

from reelflow.plan import Plan
from reelflow.report import Report, plan_rows
from tasks.facts import note
from tasks.folded import is_folded, task
from tasks.phase import shown, shown_late

# An artifact's event carries the whole artifact, so a picture in it has to be small.
MAX_PICTURE_BYTES = 120_000


@task(task_run_name="publish the plan", cache_policy=NO_CACHE)
async def publish_plan(plan: Plan) -> None:
    """Show what will be done and what it will cost, before anything is bought; nothing waits for it to be there."""
    if is_folded():
        return
    await shown_late(acreate_table_artifact(
        [{"": name, "planned": value} for name, value in plan_rows(plan)], key="plan",
        description=f"Plan: {plan.name}, {plan.purchases} {'job' if plan.purchases == 1 else 'jobs'}, "
                    f"{plan.seconds:.2f} s",
    ), what="The plan")


@task(task_run_name="publish the report", cache_policy=NO_CACHE)
async def publish_report(report: Report, *, picture: Path | None = None) -> Report:
    """Show how the run ended: a page with its facts, and the picture before and after."""
    if not is_folded():
        await shown(acreate_markdown_artifact(
            report.markdown(picture=_as_data(picture)), key="film",
            description=f"{report.flow}: {report.status.value}",
        ), what="The page of the film")
    return note()


def _as_data(picture: Path | None) -> str | None:
    """A small JPEG as a `data:` address, which the UI renders without reaching for a file."""
    with contextlib.suppress(OSError):
        if picture is not None and picture.stat().st_size <= MAX_PICTURE_BYTES:
            return "data:image/jpeg;base64," + base64.b64encode(picture.read_bytes()).decode("ascii")
    return None
