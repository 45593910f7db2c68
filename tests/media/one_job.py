"""A plan of one job, and the two phases around it, as most tests of film work need them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from reelflow.compile import Known, compile_recipe
from reelflow.media.finish import finish as finish_phase
from reelflow.media.media_step import Given
from reelflow.media.pieces import Piece
from reelflow.media.prepare import Prepared
from reelflow.media.prepare import prepare as prepare_phase
from reelflow.media.probe import Probe, probe
from reelflow.media.segment import join_takes, read_take
from reelflow.media.segment import prepare_pieces as prepare_phase_pieces
from reelflow.models import Model, ModelTable
from reelflow.plan import FromFilm, FromJob, Plan, Span
from reelflow.recipe import make_step, make_trim, plain_recipe

_STEPS = {"edit": "edit", "clip": "edit", "restyle": "restyle", "tryon": "tryon", "motion": "motion", "image": "image"}


def plan_of(source: Probe, model: Model, **asked: Any) -> Plan:
    """The plan of one job with this model; `asked` are its step's fields, start, end, duration, sound_track, strict,
    and how many frames the job has `made` where that is known.
    """
    name = _STEPS[model.kind.value]
    trim = make_trim(asked.pop("start", None), asked.pop("end", None), asked.pop("duration", None))
    strict, track = asked.pop("strict", False), asked.pop("sound_track", None)
    made = asked.pop("made", {})
    if name == "motion":
        asked = {"preset": "arc"} | asked
    step = make_step(name, **{"model": model.name, "prompt": "x"} | asked)
    recipe = plain_recipe(name, step, trim=trim, strict=strict, is_film=name != "image", sound_track=track)
    known = Known(ModelTable.standard().with_rows({model.name: model}), stem=source.path.stem, made=made)
    return compile_recipe(recipe, source, known)


def with_pieces(plan: Plan, pieces: tuple[Piece, ...]) -> Plan:
    """The same plan, its film cut so."""
    job = plan.jobs[0]
    return replace(plan, jobs=(replace(job, prepare=replace(job.prepare, pieces=pieces)),))


def span_of(plan: Plan) -> Span:
    """The span of the source that the plan's job is sent."""
    feed = plan.jobs[0].prepare.pictures.feed
    assert isinstance(feed, FromFilm)
    return feed.span


def given(folder: Path) -> Given:
    """What a phase without files of its own is built from."""
    return Given({}, folder / "steps")


async def prepare(plan: Plan, destination: Path, **how: Any) -> Prepared:
    """What is sent of the plan's one job."""
    return await prepare_phase(plan.jobs[0].prepare, {}, given(destination.parent), destination, **how)


async def prepare_pieces(plan: Plan, folder: Path, **how: Any) -> list[Path]:
    """What is sent of it in pieces."""
    made = await prepare_phase_pieces(plan.jobs[0].prepare, {}, given(folder), folder, **how)
    return [one.path for one in made]


@dataclass(frozen=True, slots=True)
class Done:
    """A finished file, measured."""

    path: Path
    frames: int
    seconds: float
    width: int
    height: int
    rate: Fraction
    warnings: tuple[str, ...]
    command: tuple[str, ...]


async def finish(
    plan: Plan, generated: Path, destination: Path, *, ffmpeg: Path, timeout: float, codec: Any = None,
    quality: Any = None, smooth: bool = False, strict: bool = False, on_progress: Any = None,
    shots_in: Path | None = None,
) -> Done:
    """The finished file from what the model returned."""
    take, said = await read_take(plan.feed(1), generated, strict=strict)
    return await _finished(plan, {1: take}, said, destination, codec, quality, smooth, ffmpeg=ffmpeg,
                           timeout=timeout, strict=strict, on_progress=on_progress, shots_in=shots_in)


async def finish_pieces(
    plan: Plan, generated: list[Path], destination: Path, *, ffmpeg: Path, timeout: float, codec: Any = None,
) -> Done:
    """The finished film from what the model returned for each piece."""
    take, said = await join_takes(plan.feed(1), plan.jobs[0].prepare.pieces, generated, destination.parent / "joined",
                                  ffmpeg=ffmpeg, timeout=timeout)
    return await _finished(plan, {1: take}, said, destination, codec, None, False, ffmpeg=ffmpeg, timeout=timeout)


async def _finished(
    plan: Plan, takes: Any, said: tuple[str, ...], destination: Path, codec: Any, quality: Any, smooth: bool,
    **how: Any,
) -> Done:
    phase = plan.finish
    output = replace(phase.outputs[0], name=destination.name, codec=codec, quality=quality or "good")
    feed = phase.pictures.feed
    if smooth and isinstance(feed, FromJob):
        phase = replace(phase, pictures=replace(phase.pictures, feed=replace(feed, smooth=True)))
    phase = replace(phase, outputs=(output,))
    ended = await finish_phase(phase, takes, given(destination.parent), [destination], source=plan.source, **how)
    made = await probe(destination)
    return Done(destination, made.frames, float(output.seconds), made.shown.width, made.shown.height, output.rate,
                said + ended.warnings, ended.commands[-1])
