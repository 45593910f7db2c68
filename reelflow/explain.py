"""A plan as a person reads it: phases, commands, jobs, seconds and price, before anything is done."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from reelflow.amounts import UNPUBLISHED, spell_usd
from reelflow.media.analysis import passes
from reelflow.media.command import Target, finish_arguments, prepare_arguments, remux_arguments
from reelflow.media.drawing import Take
from reelflow.media.geometry import Box
from reelflow.media.media_step import Given, Op
from reelflow.media.probe import Colour, Probe
from reelflow.media.segment_command import cut_arguments
from reelflow.plan import Finish, FromFilm, FromJob, How, Job, OutputForm, Plan

_ROOM = Path("/room")


@dataclass(frozen=True, slots=True)
class Told:
    """One phase or job: its title, facts with their names, and its ffmpeg command (() where it needs none)."""

    title: str
    facts: tuple[tuple[str, str], ...]
    command: tuple[str, ...] = ()

    @property
    def shown(self) -> str:
        """The command as a shell takes it."""
        return shlex.join(["ffmpeg", *self.command]) if self.command else ""


def explain(plan: Plan) -> tuple[Told, ...]:
    """Every phase and every job of a plan, in the order in which they are done.

    What a job will return is taken to come as it should, under the name `job-N.mp4`.
    """
    takes = {job.number: _expected(plan.feed(job.number)) for job in plan.jobs}
    given = Given(plan.files, _ROOM)
    told: list[Told] = []
    for job in plan.jobs:
        told += [_prepared(job, takes, given), _bought(job)]
    return (*told, _finished(plan.finish, takes, given))


def _prepared(job: Job, takes: dict[int, Take], given: Given) -> Told:
    phase, target = job.prepare, Path("/sent", f"job-{job.number}{'.png' if job.prepare.is_picture else '.mp4'}")
    facts = [("frame", str(phase.geometry.frame))]
    if phase.geometry.is_padded:
        facts.append(("picture in it", str(phase.geometry.placed.size)))
    if phase.rate:
        facts.append(("frames", f"{phase.frames} at {phase.rate} a second"))
    if len(phase.pieces) > 1:
        facts.append(("pieces", ", ".join(str(piece.frames) for piece in phase.pieces) + " frames"))
    facts += _analyses(passes(phase.pictures, None))
    feed = phase.pictures.feed
    if phase.how is How.AS_IT_IS:
        return Told(f"{job.place} {phase.title}", (*facts, ("skipped", "the film is sent as the last model made it")))
    if phase.how is How.COPY and isinstance(feed, FromFilm):
        command = remux_arguments(feed.film, target)
    elif len(phase.pieces) > 1:
        cuts = sorted({edge for piece in phase.pieces for edge in (piece.first, piece.end)})[1:-1]
        command = cut_arguments(phase, takes, given, cuts, Path("/sent"))
    else:
        command = prepare_arguments(phase, takes, given, target, suffix=target.suffix)
    return Told(f"{job.place} {phase.title}", tuple(facts), tuple(command))


def _bought(job: Job) -> Told:
    facts = [("model", job.model.name if job.resolved == job.model.name else f"{job.model.name} (now {job.resolved})")]
    if job.step.prompt:
        facts.append(("prompt", job.step.prompt))
    if len(job.prepare.pieces) > 1:
        facts.append(("jobs", str(len(job.prepare.pieces))))
    if job.seconds:
        facts.append(("seconds", f"{job.seconds:.2f}"))
    facts.append(("price", spell_usd(job.cost_usd, unknown=UNPUBLISHED)))
    return Told(f"{job.place} {job.step.title()}", tuple(facts))


def _finished(phase: Finish, takes: dict[int, Take], given: Given) -> Told:
    facts = []
    for output in phase.outputs:
        moves = output.form in (OutputForm.FILM, OutputForm.ANIMATION)
        rate = f", {output.frames} frames at {float(output.rate):.5g} a second" if moves else ""
        facts.append((output.name, f"{output.size}{rate}"))
    facts += _analyses(passes(phase.pictures, phase.sounds))
    targets = tuple(Target(output, Path("/out", output.name)) for output in phase.outputs)
    return Told(phase.title, tuple(facts), tuple(finish_arguments(phase, takes, given, targets)))


def _analyses(ops: Sequence[Op]) -> list[tuple[str, str]]:
    return [("measured before", ", ".join(op.step.title() for op in ops))] if ops else []


def _expected(feed: FromJob) -> Take:
    """What a job returns where all goes as it should."""
    frame = feed.geometry.frame
    placed = feed.geometry.placed if feed.crops else Box(0, 0, frame.width, frame.height)
    is_picture = feed.rate == 0
    result = Probe(
        path=Path("/results", f"job-{feed.job}{'.png' if is_picture else '.mp4'}"), size_bytes=0,
        format="png" if is_picture else "mov,mp4,m4a,3gp,3g2,mj2", is_picture=is_picture,
        codec="png" if is_picture else "h264", pixels="RGB" if is_picture else "yuv420p", bits=8, width=frame.width,
        height=frame.height, sample_aspect=Fraction(1), turn=0, mirrored=False,
        colour=Colour("bt709", "tv", "bt709", "bt709"), rate=feed.rate, frames=feed.sent,
    )
    return Take(result, placed, 1 / feed.rate if feed.rate else Fraction(1))
