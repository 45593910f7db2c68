"""A run that is over, as a page is written from it: a plan, its report, and real files."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from reelflow.compile import Known, compile_recipe
from reelflow.errors import ReelflowError
from reelflow.job.entry import Paid
from reelflow.media.probe import Probe, probe
from reelflow.models import ModelTable
from reelflow.page.failed_page import write_failed_page
from reelflow.page.run_page import write_run_page
from reelflow.plan import Plan
from reelflow.recipe import Recipe, make_step, make_trim, plain_recipe
from reelflow.report import Report, RunStatus


@dataclass(frozen=True)
class Over:
    """A run that is over, in a folder of its own."""

    folder: Path
    recipe: Recipe
    plan: Plan
    report: Report
    film: Probe
    ffmpeg: Path

    async def write(self, *, report: Report | None = None, source: Path | None = None) -> str:
        """Its page's text; written beside the result."""
        told = report or self.report
        page = await write_run_page(
            self.recipe, self.plan, told, self.film, self.folder / "out.html",
            source=source or self.folder / "in.mp4", ffmpeg=self.ffmpeg)
        return page.read_text()

    def write_failed(self, error: ReelflowError, *, last_words: str = "", **more: Any) -> Path:
        """The page of the same run, had it ended with this error while it waited for its job."""
        error.where = "wait job_1"
        told = replace(self.report, output=None, outputs=(), poster=None, **more).with_error(error)
        return write_failed_page(
            self.recipe, self.plan, told, self.folder / "out.failed.html", last_words=last_words)


async def run_over(films: Path, folder: Path, ffmpeg: Path, **asked: Any) -> Over:
    """A restyle of the second to the ninth second of a film, in `folder`."""
    for name in ("in.mp4", "out.mp4"):
        (folder / name).symlink_to(films / name)
    recipe = plain_recipe(
        "restyle", make_step("restyle", **{"prompt": "film noir, <b>hard</b> shadows", "seed": 7} | asked),
        trim=make_trim(1.0, 9.0, None))
    plan = compile_recipe(recipe, await probe(folder / "in.mp4"), Known(ModelTable.standard(), stem="in"))
    report = Report(
        "restyle", RunStatus.COMPLETED, source=str(folder / "in.mp4"), output=folder / "out.mp4",
        outputs=(folder / "out.mp4",), model="lucy-restyle-2", resolved_model="lucy-restyle-2", job_ids=("job_1",),
        paid=Paid.NOW, billed_seconds=8.0, cost_usd=Decimal("0.08"), stand_in=True, warnings=("It was dark.",),
        phases={"prepare": 1.0, "wait": 4.0}, commands={"finish": [["ffmpeg", "-i", "a 'quoted' name.mp4"]]},
    )
    return Over(folder, recipe, plan, report, await probe(folder / "out.mp4"), ffmpeg)
