"""The facts of one run, and how they are told: as JSON for programs, as a table and as markdown for people."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reelflow.advice import what_to_do
from reelflow.amounts import UNPUBLISHED, spell_usd
from reelflow.errors import (
    Declined,
    FetchFailed,
    JobFailed,
    JobOverdue,
    ReelflowError,
    Refused,
    SubmitUnknown,
    Unapproved,
)
from reelflow.job.entry import Paid
from reelflow.lineage import Made
from reelflow.measure import Measure
from reelflow.plan import FromFilm

if TYPE_CHECKING:
    from reelflow.media.probe import Probe
    from reelflow.plan import Plan

STANDIN_QUEUE = "reelflow's stand-in queue, which renders with ffmpeg; not Decart's models"
STANDIN_NOTE = "Rendered by reelflow's stand-in queue with ffmpeg, not by Decart's models; nothing was billed."


class RunStatus(StrEnum):
    """How a run ended."""

    COMPLETED = "completed"
    FAILED = "failed"
    REFUSED = "refused"  # bad input or a limit: nothing was sent
    UNDECIDED = "undecided"  # a job may have been bought: a person decides
    INTERRUPTED = "interrupted"
    ESTIMATED = "estimated"  # planned and priced only, as asked


@dataclass(frozen=True, slots=True)
class Report:
    """One run: what went in, what was bought, what came out.

    Sizes are "WxH" in pixels, rates frames per second, seconds floats, money Decimal USD (None: price unknown).
    A run that failed says in which phase (`failed_in`) and what a person does next (`to_do`); its page tells that too.
    `log` is where its full log lies, if it has one of its own.
    `paid` says when what was used was paid (None: nothing is); `billed_seconds` and `cost_usd` are what this run
    bought, 0 where it bought nothing, `in_doubt_usd` what forms without a reply may have cost, `estimated_cost_usd`
    what was planned, and `refreshes` says that the run was to buy anew what is kept. `ledger_key` is the wish's;
    `phases` maps each phase to the seconds it took, `lineage` tells what was made of what, `measures` what the metrics
    count. `uploaded` are the addresses of results that went to another machine.
    """

    flow: str
    status: RunStatus
    source: str | None = None
    output: Path | None = None
    outputs: tuple[Path, ...] = ()
    uploaded: tuple[str, ...] = ()
    poster: Path | None = None
    before_after: Path | None = None
    page: Path | None = None
    model: str | None = None
    resolved_model: str | None = None
    prompt: str | None = None
    seed: int | None = None
    job_ids: tuple[str, ...] = ()
    paid: Paid | None = None
    ledger_key: str | None = None
    billed_seconds: float = 0.0
    cost_usd: Decimal | None = Decimal(0)
    in_doubt_usd: Decimal | None = Decimal(0)
    estimated_cost_usd: Decimal | None = None
    stand_in: bool = False
    source_film: str | None = None
    output_film: str | None = None
    refreshes: bool = False
    warnings: tuple[str, ...] = ()
    phases: dict[str, float] = field(default_factory=dict)
    commands: dict[str, list[list[str]]] = field(default_factory=dict)
    lineage: tuple[Made, ...] = ()
    measures: tuple[Measure, ...] = ()
    flow_run_id: str | None = None
    flow_run_name: str | None = None
    error: str | None = None
    failed_in: str | None = None
    to_do: str | None = None
    log: Path | None = None

    def with_error(self, error: ReelflowError) -> Report:
        """The same run, ended by `error`."""
        status, key, jobs = RunStatus.FAILED, self.ledger_key, self.job_ids
        has_bought = self.paid in (Paid.NOW, Paid.EARLIER)
        # "Refused" promises that nothing was bought: what goes wrong after that is a failure, unless a person wants it.
        if isinstance(error, Declined) or (isinstance(error, Refused) and not has_bought):
            status = RunStatus.REFUSED
        elif isinstance(error, Unapproved):
            status = RunStatus.UNDECIDED
        elif isinstance(error, SubmitUnknown):
            status, key = RunStatus.UNDECIDED, error.key
        if isinstance(error, SubmitUnknown | JobFailed | JobOverdue | FetchFailed) and error.job_id:
            jobs = tuple(dict.fromkeys((*jobs, error.job_id)))
        to_do = what_to_do(error, has_bought=has_bought, refreshes=self.refreshes)
        return replace(self, status=status, error=error.message, failed_in=error.where or self.failed_in, to_do=to_do,
                       ledger_key=key, job_ids=jobs)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; money as numbers with four decimals, paths as text."""
        shown = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        for name, value in shown.items():
            if isinstance(value, Path):
                shown[name] = str(value)
            elif isinstance(value, Decimal):
                shown[name] = float(round(value, 4))
            elif isinstance(value, tuple):
                shown[name] = [_plain_value(one) for one in value]
            elif isinstance(value, StrEnum):
                shown[name] = value.value
        shown["phases"] = {name: round(seconds, 3) for name, seconds in self.phases.items()}
        return shown

    def to_json(self) -> str:
        """One JSON object on one line."""
        return json.dumps(self.to_dict(), ensure_ascii=False)

    def rows(self) -> list[tuple[str, str]]:
        """The facts that a person wants to see, each with its name."""
        model = self.model or ""
        if self.resolved_model and self.resolved_model != self.model:
            model += f" (now {self.resolved_model})"
        made = self.uploaded or tuple(map(str, self.outputs or filter(None, (self.output,))))
        facts = [] if not self.error else [
            ("error", self.error), ("failed in", self.failed_in or ""), ("to do", self.to_do or "")]
        facts += [
            ("source", " · ".join(filter(None, (self.source, self.source_film)))),
            ("model", model),
            ("prompt", self.prompt or ""),
            ("seed", "" if self.seed is None else str(self.seed)),
            ("job", ", ".join(self.job_ids)),
            ("generated", f"{self.billed_seconds:.2f} s" if self.billed_seconds else ""),
            ("price", self.price()),
            ("output", " · ".join(filter(None, (next(iter(made), ""), self.output_film)))),
            *(("", other) for other in made[1:]),
            ("page", str(self.page or "")),
            ("poster", str(self.poster or "")),
            ("before and after", str(self.before_after or "")),
            ("queue", "" if not self.stand_in else STANDIN_NOTE if self.output else STANDIN_QUEUE),
            ("took", f"{sum(self.phases.values()):.1f} s of work and waiting" if self.phases else ""),
        ]
        facts += [("note", warning) for warning in self.warnings]
        if self.error:
            facts.append(("log", str(self.log or "")))
        return [(name, value) for name, value in facts if value]

    def price(self) -> str:
        """The price in words."""
        if self.paid is Paid.KEPT:
            return "nothing: the result was already paid for and kept"
        if self.paid is Paid.EARLIER:
            return f"nothing now: job {self.job_ids[-1]} was paid for earlier"
        if self.paid is None and self.status is not RunStatus.ESTIMATED:
            return ""
        if self.cost_usd is None:
            return "unknown: this model's price is not published"
        return f"{self.cost_usd:.4f} USD" + (" by the price list (stand-in: not billed)" if self.stand_in else "")

    def markdown(self, *, picture: str | None = None) -> str:
        """A page for the Prefect UI; `picture` is a small picture as a `data:` address."""
        lines = [f"## {self.flow}: {self.status.value}", ""]
        if picture:
            lines += [f"![before and after]({picture})", ""]
        # A list, since a table in the UI cuts a long path off.
        lines += [f"- **{name}:** {plain(value)}" for name, value in self.rows()]
        if self.phases:
            told = " · ".join(f"{name} {seconds:.1f} s" for name, seconds in self.phases.items())
            lines += ["", f"Phases: {told}"]
        return "\n".join(lines)


def joined(words: Iterable[str | None]) -> str | None:
    """What several steps have of the same kind, in their order; None where no step has any."""
    return " → ".join(word for word in words if word) or None


def describe_film(film: Probe) -> str:
    """A film or a picture in a few words: size, rate, length, sound."""
    if film.is_picture:
        return f"{film.shown} picture"
    rate = f"{float(film.rate):.5g} fps" + (" (varying)" if film.varies else "")
    sounds = {0: "no sound", 1: "with sound"}.get(len(film.sounds), f"{len(film.sounds)} sound tracks")
    return f"{film.shown}, {rate}, {film.seconds:.2f} s, {sounds}"


def film_rows(film: Probe) -> list[tuple[str, str]]:
    """Everything that a probe found, each fact with its name, for a person."""
    shown = f"{film.shown}"
    if (film.width, film.height) != (film.shown.width, film.shown.height) or film.turn or film.mirrored:
        shown += f" (stored as {film.width}x{film.height}"
        shown += f", pixels {film.sample_aspect}" if film.sample_aspect != 1 else ""
        shown += f", turned {film.turn}°" if film.turn else ""
        shown += ", mirrored)" if film.mirrored else ")"
    colour = film.colour
    named = [part for part in (colour.matrix, colour.range, colour.transfer, colour.primaries) if part]
    rows = [
        ("file", f"{film.path} ({film.size_bytes / 1e6:.2f} MB, {film.format})"),
        ("picture", f"{shown}, {film.codec} {film.pixels}"),
        ("colour", (f"HDR ({colour.hdr}) " if colour.hdr else "") + (", ".join(named) or "not tagged")),
    ]
    if not film.is_picture:
        rate = f"{film.rate} = {float(film.rate):.5g} frames per second"
        rows += [
            ("rate", rate + (", varying" if film.varies else "") + (", interlaced" if film.interlaced else "")),
            ("span", f"{film.frames} frames, {film.seconds:.3f} s, first at {film.first_time:.3f} s"),
        ]
    for sound in film.sounds:
        words = [sound.codec, f"{sound.sample_rate} Hz", sound.layout, sound.language or "", sound.title or ""]
        span = f"{sound.start:.3f} to {sound.end:.3f} s"
        rows.append((f"sound {sound.index + 1}", ", ".join([*filter(None, words), span])))
    for subtitle in film.subtitles:
        words = [subtitle.codec, subtitle.language or "", subtitle.title or ""]
        rows.append((f"subtitles {subtitle.index + 1}", ", ".join(filter(None, words))))
    if film.chapters:
        rows.append(("chapters", str(len(film.chapters))))
    return rows + [("damage", what) for what in film.damage]


def plan_rows(plan: Plan) -> list[tuple[str, str]]:
    """What will be done and what it will cost, each fact with its name."""
    rows = []
    for job in plan.jobs:
        prepare, geometry = job.prepare, job.prepare.geometry
        fitted = f"{geometry.frame}" + (f", the picture {geometry.placed.size} in it" if geometry.is_padded else "")
        model = job.model.name if job.resolved == job.model.name else f"{job.model.name} (now {job.resolved})"
        rows += [("model", model), ("sent", fitted)]
        if isinstance(prepare.pictures.feed, FromFilm):
            span = prepare.pictures.feed.span
            end = span.begin + span.seconds
            rows.append(("span", f"{span.begin:.3f} to {end:.3f} s, {span.frames} frames" + (
                "" if span.trimmed else " (all)")))
        if prepare.rate:
            pieces = f", in {len(prepare.pieces)} pieces" if len(prepare.pieces) > 1 else ""
            rows.append(("sent at", f"{prepare.rate} fps, {prepare.frames} frames{pieces}"))
    if plan.seconds:
        rows.append(("generated", f"{plan.seconds:.2f} s"))
    price = spell_usd(plan.cost_usd, unknown=UNPUBLISHED)
    rows.append(("price", price))
    for output in plan.finish.outputs:
        rate = f", {float(output.rate):.5g} fps" if output.rate else ""
        rows.append(("finished as", f"{output.name}: {output.size}{rate}"))
    return rows


def _plain_value(one: Any) -> Any:
    if isinstance(one, Made | Measure):
        return one.to_dict()
    return str(one) if isinstance(one, Path) else one


def plain(text: str) -> str:
    """Text as it stands, in markdown: no tag, link or heading may come out of a prompt or a file name."""
    escaped = "".join(f"\\{mark}" if mark in "\\`*_{}[]()#+!|~" else mark for mark in text)
    return escaped.replace("&", "&amp;").replace("<", "&lt;").replace("\n", " ")
