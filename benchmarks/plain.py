"""The path of one clip over the plain library, without Prefect: what a program of one's own would do with reelflow."""

from __future__ import annotations

from pathlib import Path

from reelflow.compile import Known, compile_recipe
from reelflow.job.buy import buy
from reelflow.job.collect import collect
from reelflow.media.command import Shot
from reelflow.media.finish import finish
from reelflow.media.media_step import Given
from reelflow.media.prepare import prepare
from reelflow.media.probe import probe
from reelflow.media.segment import read_take
from reelflow.media.strip import make_strip
from reelflow.page.facts import moment_before
from reelflow.recipe import Recipe, make_step, plain_recipe
from tasks.run import Run


def edit_recipe(model: str, prompt: str) -> Recipe:
    """The recipe of a plain edit."""
    return plain_recipe("edit", make_step("edit", model=model, prompt=prompt))


async def edit(
    run: Run, source: Path, target: Path, *, model: str, prompt: str, pictures: bool = False
) -> None:
    """Probe, plan, prepare, buy, wait, fetch, finish; with `pictures` also those that a run makes: a poster, before and
    after, the strip of its page.
    """
    clip, timeout = await probe(source), run.settings.ffmpeg_timeout
    plan = compile_recipe(edit_recipe(model, prompt), clip, Known(run.settings.model_table, stem=target.stem))
    (job,) = plan.jobs
    given, shots = Given(plan.files, run.scratch / "steps"), None
    if pictures:
        shots = run.scratch / f"{target.stem}-shots"
        shots.mkdir()
    async with run.encoding:
        ready = await prepare(job.prepare, {}, given, run.scratch / f"{target.stem}-sent.mp4", ffmpeg=run.ffmpeg,
                              timeout=timeout, shot=None if shots is None else Shot(moment_before(plan), shots))
    async with run.jobs:
        bought = await buy(
            run.ledger, run.client, run.store, job.step.wish(job.model, ready.path), seconds=job.seconds,
            cost=job.cost_usd, resolved=job.resolved,
        )
        collected = await collect(run.ledger, run.client, run.store, bought, check=_seconds_of,
                                  poll_seconds=run.settings.poll_seconds)
    take, _ = await read_take(plan.feed(job.number), collected.path)
    async with run.encoding:
        await finish(plan.finish, {job.number: take}, given, [target], source=clip, ffmpeg=run.ffmpeg,
                     timeout=timeout, shots_in=shots)
    if shots is not None:
        made = await probe(target)
        await make_strip(clip, made, at_before=moment_before(plan), ffmpeg=run.ffmpeg, left=shots,
                         poster=target.with_suffix(".jpg"), pair=target.with_suffix(".before-after.jpg"))


async def _seconds_of(path: Path) -> float:
    return (await probe(path)).seconds
