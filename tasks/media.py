"""Film work as tasks: find the source, probe it, prepare it for the model, finish what came back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State

from reelflow.destination import companions
from reelflow.errors import SourceFault
from reelflow.job.boundary import Boundary, reached
from reelflow.media.finish import Finished, finish
from reelflow.media.picture import write_before_after, write_poster
from reelflow.media.prepare import Prepared, prepare
from reelflow.media.probe import Probe, probe
from reelflow.media.run import Progress
from reelflow.plan import Plan
from reelflow.recipe import Recipe
from reelflow.sources import stage_source
from tasks.phase import Phase, phase
from tasks.run import current_run


async def _may_pass(_task: Any, _run: Any, state: State[Any]) -> bool:
    """Whether what went wrong with a source may be gone in a moment."""
    return isinstance(await state.aresult(raise_on_failure=False), SourceFault)


@task(
    task_run_name="find the source", cache_policy=NO_CACHE, timeout_seconds=4 * 3600, retries=2, retry_delay_seconds=2,
    retry_condition_fn=_may_pass,
)
async def find_source(source: str, *, picture: bool = False) -> Path:
    """Bring the source onto this machine where it isn't, and say where it lies."""
    run = current_run()
    return await stage_source(
        source, run.scratch, work_dir=run.settings.work_dir, ffmpeg=run.ffmpeg, picture=picture,
        max_bytes=run.settings.max_source_bytes, allow_private=run.settings.private_sources,
    )


@task(task_run_name="probe {path.name}", cache_policy=NO_CACHE, timeout_seconds=120)
async def probe_source(path: Path) -> Probe:
    """Find out what the plan has to know of a file."""
    return await probe(path)


@task(task_run_name="prepare {plan.source.path.name} for {plan.model.name}", cache_policy=NO_CACHE)
async def prepare_media(plan: Plan, *, strict: bool = False) -> Prepared:
    """Make the film (or picture) that is sent: one ffmpeg pass."""
    run = current_run()
    suffix = ".png" if plan.prepare.span is None else ".mp4"
    async with phase("prepare", of=plan.source.path.name) as running:
        return await prepare(
            plan, run.scratch / f"prepared{suffix}", ffmpeg=run.ffmpeg, timeout=run.settings.ffmpeg_timeout,
            on_progress=_follow(running, plan.prepare.frames), strict=strict,
        )


@task(task_run_name="finish {destination.name}", cache_policy=NO_CACHE)
async def finish_media(plan: Plan, recipe: Recipe, generated: Path, destination: Path) -> Finished:
    """Make the film (or picture) that is handed over: one ffmpeg pass."""
    run = current_run()
    async with phase("finish", of=destination.name) as running:
        follow = _follow(running, plan.finish.frames)

        def tell(progress: Progress) -> None:
            reached(Boundary.IN_FINISH)
            follow(progress)

        return await finish(
            plan, generated, destination, ffmpeg=run.ffmpeg, timeout=run.settings.ffmpeg_timeout, on_progress=tell,
            codec=recipe.codec, quality=recipe.quality, smooth=recipe.rate is Rate.SMOOTH,
            sound_track=recipe.sound_track, strict=recipe.strict,
        )


@dataclass(frozen=True, slots=True)
class Pictures:
    """The pictures beside a finished film: its poster (None for a picture), and before and after."""

    poster: Path | None
    before_after: Path


@task(task_run_name="picture {film.path.name}", cache_policy=NO_CACHE, timeout_seconds=300)
async def picture_film(plan: Plan, film: Probe) -> Pictures:
    """Take a poster and lay one moment of source and result side by side, beside the finished film."""
    ffmpeg, is_film = current_run().ffmpeg, plan.model.kind.result == "film"
    beside = companions(film.path, is_film=is_film)
    middle = film.seconds / 2
    begin = plan.prepare.span.begin - plan.source.first_time if plan.prepare.span is not None else 0.0
    before_after = await write_before_after(
        plan.source, film, beside["before_after"], ffmpeg=ffmpeg, at_source=begin + middle, at_result=middle
    )
    if not is_film:
        return Pictures(None, before_after)
    return Pictures(await write_poster(film, beside["poster"], ffmpeg=ffmpeg, at=middle), before_after)


def _follow(running: Phase, frames: int | None) -> Callable[[Progress], None]:
    def tell(progress: Progress) -> None:
        speed = f", {progress.speed:.1f}x" if progress.speed else ""
        of = f" of {frames}" if frames else ""
        running.move(progress.frame / frames if frames else None, f"frame {progress.frame}{of}{speed}")

    return tell
