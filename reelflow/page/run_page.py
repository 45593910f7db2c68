"""The page of one run: one HTML file beside its output."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from reelflow.media.probe import Probe
from reelflow.media.strip import Strip, make_strip
from reelflow.page.facts import moment_before, page_facts
from reelflow.page.template import render
from reelflow.plan import Plan
from reelflow.recipe import Recipe
from reelflow.report import Report
from reelflow.whole import written_whole


async def write_run_page(
    recipe: Recipe, plan: Plan, report: Report, film: Probe | None, destination: Path, *, source: Path | None,
    ffmpeg: Path, strip: Strip | None = None,
) -> Path:
    """Write the page of a run that is over. `film` is its first output, read (None: an animation or a sheet); `source`
    is where the source stays (None: it was fetched for the run alone); `strip` are its pictures, if they are made.

    Raises:
        MediaFailed, MediaTimeout: the pictures for it could not be made.
    """
    made_at = dt.datetime.now(dt.UTC)
    if strip is None:
        strip = await make_strip(plan.source, film, at_before=moment_before(plan), ffmpeg=ffmpeg)
    page = page_facts(recipe, plan, report, film, strip, page=destination, source=source, made_at=made_at)
    text = render("run.html.j2", page=page, made_at=f"{made_at:%-d %B %Y, %H:%M} UTC")
    with written_whole(destination) as part:
        part.write_text(text, "utf-8")
    return destination
