"""The page of a run that failed: what was sent, what went wrong where, what to do, and how to run it again."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

from reelflow.page.card import Card
from reelflow.page.facts import Bar, Rows, bars_of, commands_of, job_rows, lineage_rows, run_again
from reelflow.page.template import render
from reelflow.plan import Plan
from reelflow.recipe import Recipe
from reelflow.recipe_file import write_text
from reelflow.report import STANDIN_QUEUE, Report, RunStatus
from reelflow.whole import written_whole

_HEADLINES = {RunStatus.UNDECIDED: "A reply was lost", RunStatus.REFUSED: "The run was refused"}
_WHILE = {
    "look": "looking at {of}", "prepare": "preparing {of}", "upload": "sending to {of}", "wait": "waiting for the job",
    "fetch": "fetching the result", "join": "joining the pieces", "finish": "finishing {of}",
}


@dataclass(frozen=True, slots=True)
class FailedPage:
    """A failed run's page, ready to be written: `card` is how it is shown among others.

    `was_sent` says whether a model was asked at all, `last_words` are ffmpeg's, where it was ffmpeg that failed.
    """

    card: Card
    headline: str
    to_do: str
    source_film: str
    was_sent: bool
    figures: Rows
    jobs: tuple[Rows, ...]
    notes: tuple[str, ...]
    bars: tuple[Bar, ...]
    facts: Rows
    lineage: Rows
    last_words: str
    recipe: str
    again: str
    commands: tuple[tuple[str, tuple[str, ...]], ...]
    stand_in: str


def write_failed_page(
    recipe: Recipe, plan: Plan | None, report: Report, destination: Path, *, last_words: str = ""
) -> Path:
    """Write the page of a run that has failed. `plan` is None where it did not come so far. Raises OSError."""
    made_at = dt.datetime.now(dt.UTC)
    page = failed_facts(recipe, plan, report, title=destination.name.removesuffix(".failed.html"), made_at=made_at,
                        last_words=last_words)
    destination.parent.mkdir(parents=True, exist_ok=True)
    text = render("failed.html.j2", page=page, made_at=f"{made_at:%-d %B %Y, %H:%M} UTC")
    with written_whole(destination) as part:
        part.write_text(text, "utf-8")
    return destination


def failed_facts(
    recipe: Recipe, plan: Plan | None, report: Report, *, title: str, made_at: dt.datetime, last_words: str = ""
) -> FailedPage:
    """Everything that the page shows; pure."""
    jobs = plan.jobs if plan is not None else ()
    return FailedPage(
        card=Card(
            title=title, state=report.status.value, source=report.source or "", asked=report.prompt or "",
            recipe=report.flow, models=tuple(dict.fromkeys(job.resolved for job in jobs)),
            billed_seconds=report.billed_seconds,
            cost_usd=None if report.cost_usd is None else float(report.cost_usd), took=sum(report.phases.values()),
            stand_in=report.stand_in, made_at=made_at.isoformat(timespec="seconds"), error=report.error or "",
        ),
        headline=_headline(report), to_do=report.to_do or "", source_film=report.source_film or "",
        was_sent=bool(report.job_ids or report.ledger_key), figures=_figures(report),
        jobs=tuple(map(job_rows, jobs)), notes=report.warnings, bars=bars_of(report.phases), facts=_facts(report),
        lineage=lineage_rows(report),
        last_words=last_words, recipe=write_text(recipe), again=run_again(recipe, report),
        commands=commands_of(report), stand_in=f"Queue: {STANDIN_QUEUE}." if report.stand_in else "",
    )


def _headline(report: Report) -> str:
    """What went wrong and while what was done, in a few words."""
    what = _HEADLINES.get(report.status, "The run failed")
    phase, _, of = (report.failed_in or "").partition(" ")
    if phase in _WHILE and of:
        return f"{what} while {_WHILE[phase].format(of=of)}"
    return f"{what} ({report.failed_in})" if report.failed_in else what


def _figures(report: Report) -> Rows:
    rows = []
    if report.status is RunStatus.UNDECIDED and report.in_doubt_usd != 0:
        most = "" if report.in_doubt_usd is None else f", for up to {report.in_doubt_usd:.4f} USD"
        rows.append(("in doubt", f"a job may have been bought{most}"))
    if report.cost_usd is None:
        rows.append(("unknown", "spent: the price is not published"))
    elif report.cost_usd:
        rows.append((f"{report.cost_usd:.4f} USD", "by the price list, not billed" if report.stand_in else "spent"))
    else:
        rows.append(("0 USD", "spent by this run"))
    if report.job_ids:
        rows.append((str(len(report.job_ids)), "job" if len(report.job_ids) == 1 else "jobs"))
    if report.phases:
        rows.append((f"{sum(report.phases.values()):.1f} s", "of work and waiting"))
    return tuple(rows)


def _facts(report: Report) -> Rows:
    rows = [
        ("source", report.source or ""), ("source film", report.source_film or ""),
        ("failed in", report.failed_in or ""), ("job", ", ".join(report.job_ids)),
        ("wish", report.ledger_key or ""), ("price", report.price()),
        ("flow run", " · ".join(filter(None, (report.flow_run_name, report.flow_run_id)))),
        ("log", str(report.log or "")),
    ]
    return tuple((name, value) for name, value in rows if value)
