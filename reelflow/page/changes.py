"""What happened to a film on the way to a model and back, in sentences; pure."""

from __future__ import annotations

from fractions import Fraction
from pathlib import PurePosixPath

from reelflow.plan import FromFilm, How, Job, OutputForm, Plan


def changes_of(plan: Plan) -> tuple[str, ...]:
    """What was cut, padded and resampled, and what the steps in between did, each a sentence."""
    made: list[str] = []
    for job in plan.jobs:
        made += _sent(job, crops=plan.feed(job.number).crops)
    made += _steps(plan)
    made += _finished(plan)
    return tuple(dict.fromkeys(made))


def _sent(job: Job, *, crops: bool) -> list[str]:
    prepare, geometry, name = job.prepare, job.prepare.geometry, job.model.name
    made = []
    feed = prepare.pictures.feed
    rate = None
    if isinstance(feed, FromFilm):
        rate = feed.span.rate
        if feed.span.trimmed:
            begin = feed.span.begin - feed.film.first_time
            made.append(f"Cut: only {begin:.3f} to {begin + feed.span.seconds:.3f} s of the source's "
                        f"{feed.film.seconds:.3f} s were used.")
    if prepare.how is How.COPY:
        made.append(f"Sent to {name} without an encode: its pictures were right as they are.")
    elif prepare.how is How.AS_IT_IS:
        made.append(f"Sent to {name} as the model before had made it.")
    if geometry.is_padded:
        bars = "were cut away again" if crops else "are part of what came back"
        made.append(f"Padded: fitted as {geometry.placed.size} into {name}'s frame of {geometry.frame}; the bars "
                    f"{bars}.")
    elif geometry.taken.size != prepare.stored:
        made.append(f"Cropped: {geometry.taken.size} of {prepare.stored} were used, to fill {name}'s frame of "
                    f"{geometry.frame}.")
    elif geometry.frame != prepare.stored:
        made.append(f"Scaled: from {prepare.stored} to {name}'s frame of {geometry.frame}.")
    if prepare.rate and rate is not None and rate != prepare.rate:
        made.append(f"Resampled: from {_rate(rate)} to {name}'s {prepare.rate} frames a second ({prepare.frames} "
                    "frames).")
    if len(prepare.pieces) > 1:
        made.append(f"Sent to {name} in {len(prepare.pieces)} pieces, and joined.")
    return made


def _steps(plan: Plan) -> list[str]:
    told = [op.step.title() for phase in plan.phases() for op in phase.pictures.all_ops()]
    told += [op.step.title() for op in (plan.finish.sounds.ops if plan.finish.sounds else ())]
    return [f"Steps of film work: {', '.join(dict.fromkeys(told))}."] if told else []


def _finished(plan: Plan) -> list[str]:
    made, clip = [], plan.finish.clip
    for output in plan.finish.outputs:
        name = PurePosixPath(output.name).name
        if output.over is not None:
            made.append(f"{name} wipes over the source, to and fro.")
        elif output.copies:
            made.append(f"{name} has the source's pictures as they were.")
        elif output.form is OutputForm.FILM and output.rate:
            made.append(f"Finished: {name} as {output.size} at {_rate(output.rate)} frames a second, {output.frames} "
                        f"frames{'' if output.frames == clip.frames else ' of its own'}.")
    return made


def _rate(rate: Fraction) -> str:
    return f"{float(rate):.5g}"
