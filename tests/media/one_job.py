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
from reelflow.plan import FromJob, Plan
from reelflow.recipe import make_step, make_trim, plain_recipe

_STEPS = {"edit": "edit", "clip": "edit", "restyle": "restyle", "tryon": "tryon", "motion": "motion", "image": "image"}


def plan_of(source: Probe, model: Model, **asked: Any) -> Plan:
    """The plan of one job with this model; `asked` are its step's fields, and start, end, duration and strict."""
    name = _STEPS[model.kind.value]
    trim = make_trim(asked.pop("start", None), asked.pop("end", None), asked.pop("duration", None))
    strict = asked.pop("strict", False)
    if name == "motion":
        asked = {"preset": "arc"} | asked
    step = make_step(name, **{"model": model.name, "prompt": "x"} | asked)
    recipe = plain_recipe(name, step, trim=trim, strict=strict, is_film=name != "image")
    known = Known(ModelTable.standard().with_rows({model.name: model}), stem=source.path.stem)
    return compile_recipe(recipe, source, known)


def with_pieces(plan: Plan, pieces: tuple[Piece, ...]) -> Plan:
    """The same plan, its film cut so."""
    job = plan.jobs[0]
    return replace(plan, jobs=(replace(job, prepare=replace(job.prepare, pieces=pieces)),))


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
    quality: Any = None, smooth: bool = False, sound_track: int | None = None, strict: bool = False,
    on_progress: Any = None,
) -> Done:
    """The finished file from what the model returned."""
    take, said = await read_take(plan.feed(1), generated)
    return await _finished(plan, {1: take}, said, destination, codec, quality, smooth, sound_track, ffmpeg=ffmpeg,
                           timeout=timeout, strict=strict, on_progress=on_progress)


async def finish_pieces(
    plan: Plan, generated: list[Path], destination: Path, *, ffmpeg: Path, timeout: float
) -> Done:
    """The finished film from what the model returned for each piece."""
    take, said = await join_takes(plan.feed(1), plan.jobs[0].prepare.pieces, generated, destination.parent / "joined",
                                  ffmpeg=ffmpeg, timeout=timeout)
    return await _finished(plan, {1: take}, said, destination, None, None, False, None, ffmpeg=ffmpeg, timeout=timeout)


async def _finished(
    plan: Plan, takes: Any, said: tuple[str, ...], destination: Path, codec: Any, quality: Any, smooth: bool,
    sound_track: int | None, **how: Any,
) -> Done:
    phase = plan.finish
    output = replace(phase.outputs[0], name=destination.name, codec=codec, quality=quality or "good")
    sounds, feed = phase.sounds, phase.pictures.feed
    if sound_track is not None and sounds is not None:
        sounds = replace(sounds, tracks=(sounds.tracks[sound_track - 1],))
    if smooth and isinstance(feed, FromJob):
        phase = replace(phase, pictures=replace(phase.pictures, feed=replace(feed, smooth=True)))
    phase = replace(phase, outputs=(output,), sounds=sounds)
    ended = await finish_phase(phase, takes, given(destination.parent), [destination], source=plan.source, **how)
    made = await probe(destination)
    return Done(destination, made.frames, float(output.seconds), made.shown.width, made.shown.height, output.rate,
                said + ended.warnings, ended.commands[-1])
