"""Everything that a run's page shows, worked out from the plan and the report; pure."""

from __future__ import annotations

import datetime as dt
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from reelflow.amounts import UNPUBLISHED, spell_usd
from reelflow.media.probe import Probe
from reelflow.media.strip import Strip
from reelflow.page.card import Card
from reelflow.page.changes import changes_of
from reelflow.page.link import link_to
from reelflow.plan import Job, Output, OutputForm, Plan
from reelflow.recipe import Recipe
from reelflow.recipe_file import write_text
from reelflow.report import STANDIN_NOTE, Report, describe_film


@dataclass(frozen=True, slots=True)
class Side:
    """One side of the comparison: `href` is None where the file is not kept; `still` is a JPEG in its place."""

    name: str
    is_film: bool
    href: str | None
    still: bytes | None
    about: str
    codec: str


@dataclass(frozen=True, slots=True)
class InStep:
    """How the source's time follows from the result's: `offset + speed * seconds`, both from the files' starts."""

    offset: float
    speed: float


@dataclass(frozen=True, slots=True)
class Bar:
    """One phase: its seconds, and its part (0 to 100) of the longest one's."""

    name: str
    seconds: float
    part: float


@dataclass(frozen=True, slots=True)
class File:
    """One file that came out."""

    name: str
    href: str
    form: str
    about: str
    size: str


Rows = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class RunPage:
    """A run's page, ready to be written: `card` is how it is shown among others."""

    card: Card
    before: Side
    after: Side
    width: int
    height: int
    fps: float
    has_sound: bool
    in_step: InStep | None
    strip: Strip
    figures: Rows
    jobs: tuple[Rows, ...]
    warnings: tuple[str, ...]
    changes: tuple[str, ...]
    bars: tuple[Bar, ...]
    files: tuple[File, ...]
    facts: Rows
    lineage: Rows
    recipe: str
    again: str
    commands: tuple[tuple[str, tuple[str, ...]], ...]
    stand_in: str


def page_facts(
    recipe: Recipe, plan: Plan, report: Report, film: Probe | None, strip: Strip, *, page: Path, source: Path | None,
    made_at: dt.datetime,
) -> RunPage:
    """The page of a run that is over. `film` is its first output, read (None: an animation or a sheet); `source` is
    where the source lies (None: it was fetched for the run and is gone).
    """
    first = plan.finish.outputs[0]
    is_film = first.form is OutputForm.FILM
    name = report.outputs[0].name
    before = Side(
        _last(report.source or plan.source.path.name), not plan.source.is_picture,
        None if source is None else link_to(source, page), strip.before, describe_film(plan.source), plan.source.codec,
    )
    after = Side(
        name, is_film, link_to(report.outputs[0], page), strip.after,
        describe_film(film) if film is not None else _about(first), film.codec if film is not None else "",
    )
    return RunPage(
        card=_card(plan, report, page, made_at), before=before, after=after, width=first.size.width,
        height=first.size.height, fps=float(first.rate), has_sound=film is not None and bool(film.sounds),
        in_step=in_step(plan), strip=strip, figures=_figures(plan, report), jobs=tuple(map(job_rows, plan.jobs)),
        warnings=report.warnings, changes=changes_of(plan), bars=bars_of(report.phases),
        files=_files(plan, report, page), facts=_facts(report, recipe), lineage=lineage_rows(report),
        recipe=write_text(recipe), again=run_again(recipe, report), commands=commands_of(report),
        stand_in=STANDIN_NOTE if report.stand_in else "",
    )


def in_step(plan: Plan) -> InStep | None:
    """How source and first output run together; None where they don't (it was reversed, or has no time)."""
    line, first = plan.finish.timeline, plan.finish.outputs[0]
    if line is None or plan.source.is_picture:
        return None
    start = Fraction(first.first) / plan.finish.clip.rate if plan.finish.clip.rate else Fraction(0)
    # A browser counts a file's seconds from its first packet, whatever track that is on.
    return InStep(float(line.at(start)) - plan.source.file_start, float(line.speed))


def moment_before(plan: Plan) -> float:
    """The source's moment that is half-way in the first output, in seconds from its first frame."""
    found = in_step(plan)
    if found is None:
        return plan.source.seconds / 2
    moment = found.offset + found.speed * plan.finish.outputs[0].seconds / 2
    return max(0.0, moment + plan.source.file_start - plan.source.first_time)


def bars_of(phases: dict[str, float]) -> tuple[Bar, ...]:
    """A bar for each phase."""
    longest = max(phases.values(), default=0.0) or 1.0
    return tuple(Bar(name, seconds, round(100 * seconds / longest, 1)) for name, seconds in phases.items())


def _card(plan: Plan, report: Report, page: Path, made_at: dt.datetime) -> Card:
    first, output = plan.finish.outputs[0], report.outputs[0]
    poster = report.poster or (output if first.form is not OutputForm.FILM else None)
    asked = " → ".join(job.step.prompt for job in plan.jobs if job.step.prompt)
    return Card(
        title=output.name, state=report.status.value, source=report.source or "", asked=asked,
        recipe=report.flow, models=tuple(dict.fromkeys(job.resolved for job in plan.jobs)), page=page.name,
        poster=None if poster is None else link_to(poster, page), billed_seconds=report.billed_seconds,
        cost_usd=None if report.cost_usd is None else float(report.cost_usd), took=sum(report.phases.values()),
        stand_in=report.stand_in, made_at=made_at.isoformat(timespec="seconds"),
    )


def _figures(plan: Plan, report: Report) -> Rows:
    first = plan.finish.outputs[0]
    length = f"{first.seconds:.2f} s" if first.seconds else str(first.size)
    rows = [(length, "of film" if first.seconds else "picture")]
    if plan.jobs:
        jobs = len(report.job_ids) or plan.purchases
        rows.append((str(jobs), "job" if jobs == 1 else "jobs"))
        price, note = _price(report)
        rows.append((price, note))
    if report.phases:
        rows.append((f"{sum(report.phases.values()):.1f} s", "of work and waiting"))
    return tuple(rows)


def _price(report: Report) -> tuple[str, str]:
    if report.cost_usd is None:
        return "unknown", "price: not published"
    told = report.price()
    if not report.cost_usd and report.paid is not None:
        return "0 USD", told.partition(": ")[2] or told
    return f"{report.cost_usd:.4f} USD", "by the price list, not billed" if report.stand_in else "billed"


def job_rows(job: Job) -> Rows:
    """What is asked of a model, and what is sent to it."""
    step, prepare = job.step, job.prepare
    model = job.model.name if job.resolved == job.model.name else f"{job.model.name} (now {job.resolved})"
    frames = f", {prepare.frames} frames at {prepare.rate} a second" if prepare.rate else ""
    rows = [
        ("step", f"{job.place} {step.name}"), ("model", model), ("prompt", step.prompt or ""),
        ("picture to go by", step.reference_image.name if step.reference_image else ""),
        ("seed", "" if step.seed is None else str(step.seed)),
        ("sent", f"{prepare.geometry.frame}{frames}"),
        ("generated", f"{job.seconds:.2f} s" if job.seconds else ""),
        ("price", spell_usd(job.cost_usd, unknown=UNPUBLISHED)),
    ]
    return tuple((name, value) for name, value in rows if value)


def _files(plan: Plan, report: Report, page: Path) -> tuple[File, ...]:
    made = [
        File(path.name, link_to(path, page), output.form.value, _about(output), _bytes(path))
        for output, path in zip(plan.finish.outputs, report.outputs, strict=True)
    ]
    beside = (("poster", report.poster), ("before and after", report.before_after))
    made += [File(path.name, link_to(path, page), "picture", what, _bytes(path))
             for what, path in beside if path is not None]
    return tuple(made)


def _about(output: Output) -> str:
    words: Sequence[str] = [output.form.value, *(["wiping over the source"] if output.over else []), str(output.size)]
    if output.rate and output.form is not OutputForm.SHEET:
        words = [*words, f"{float(output.rate):.5g} fps", f"{output.seconds:.2f} s"]
    return ", ".join(words)


def _last(source: str) -> str:
    """The last part of a path or an address."""
    return source.rstrip("/").rpartition("/")[2] or source


def _bytes(path: Path) -> str:
    size = path.stat().st_size
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB"


def _facts(report: Report, recipe: Recipe) -> Rows:
    rows = [
        ("source", report.source or ""), ("source film", report.source_film or ""),
        ("result", str(report.output or "")), ("result film", report.output_film or ""),
        ("recipe", f"{recipe.name}: {recipe.about}" if recipe.about else recipe.name),
        ("job", ", ".join(report.job_ids)), ("wish", report.ledger_key or ""), ("price", report.price()),
        ("flow run", " · ".join(filter(None, (report.flow_run_name, report.flow_run_id)))),
    ]
    return tuple((name, value) for name, value in rows if value)


def lineage_rows(report: Report) -> Rows:
    """What was made of what, each by the digest of its bytes."""
    return tuple((one.stage.value, f"{one.name} · {one.digest}") for one in report.lineage)


def commands_of(report: Report) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The command lines of each phase, as a shell takes them."""
    return tuple((title, tuple(shlex.join(one) for one in commands))
                 for title, commands in report.commands.items() if commands)


def run_again(recipe: Recipe, report: Report) -> str:
    """The command that runs the recipe again."""
    source = report.source or "SOURCE"
    return shlex.join(["reelflow", "recipe", "run", f"{recipe.name}.yaml", source])
