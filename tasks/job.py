"""The queue as tasks: resolve the model, submit the job, poll it, fetch its result. The rules are the ledger's."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

from prefect import get_run_logger
from prefect.cache_policies import NO_CACHE
from prefect.concurrency.asyncio import ConcurrencySlotAcquisitionError, concurrency
from prefect.runtime import flow_run

from reelflow.errors import (
    BadInput,
    BadResult,
    JobFailed,
    JobOverdue,
    QueueBusy,
    QueueFault,
    QueueRefused,
    QueueUnreachable,
    ReelflowError,
    SubmitUnknown,
)
from reelflow.job.buy import buy
from reelflow.job.collect import await_job, fetch_job
from reelflow.job.entry import Limits, Paid, Standing, State
from reelflow.job.form import OnBytes
from reelflow.job.submission import Bought
from reelflow.job.wire import JobStatus, JobStatusResponse, Wish
from reelflow.measure import Measure, What
from reelflow.media.probe import probe
from reelflow.models import ModelTable
from tasks.events import emit_job
from tasks.facts import note, note_kept, note_measure, note_standing
from tasks.folded import task
from tasks.phase import Phase, phase
from tasks.run import Run, current_run

# A worker that is killed gives its slots back after so long.
LEASE_SECONDS = 60.0
# A film of a few frames may come back with so many more and still be matched (media/matching.py).
_MORE_FRAMES = 8
_NOT_LISTED = (404, 405, 422)


@dataclass(frozen=True, slots=True)
class Price:
    """What a wish will cost, and may: the model as resolved, billed seconds, USD (None: unknown), the run's limit."""

    resolved: str
    seconds: float
    cost_usd: Decimal | None
    limit_usd: Decimal | None = None
    refresh: bool = False


@contextlib.asynccontextmanager
async def job_slot(run: Run) -> AsyncIterator[None]:
    """A slot for a job from its submission to its result: of this run's own, and of those that all runs share.

    Raises:
        BadInput: slots are to be shared, and Prefect has no such limit.
    """
    async with run.jobs:
        if not run.settings.share_jobs:
            yield
            return
        try:
            # A lease that can't be renewed must not end the waiting for what is paid.
            async with concurrency(run.settings.jobs_limit, strict=True, lease_duration=LEASE_SECONDS,
                                   raise_on_lease_renewal_failure=False):
                yield
        except ConcurrencySlotAcquisitionError as error:
            raise BadInput(
                f"No slot of Prefect's limit {run.settings.jobs_limit} can be had ({error}): run `reelflow setup` with "
                "the key that the workers have, or set REELFLOW_SHARE_JOBS=false.", field="REELFLOW_SHARE_JOBS",
            ) from None


# All clips of a batch wait for what a name stands for, and an estimate does: whoever wants longer than this is refused.
_LONGEST_PAUSE = 30.0


@task(task_run_name="resolve {name}", cache_policy=NO_CACHE)
async def resolve_model(name: str) -> str:
    """Ask what a model's name stands for now; shows early whether the queue is there and takes the key.

    It is asked once in a run, of however many clips: it's one answer for all of them, and so is that there is none.
    """
    run = current_run()
    async with run.naming:
        if name not in run.names:
            try:
                run.names[name] = await _resolve(run, name)
            except ReelflowError as error:
                run.names[name] = error
    found = run.names[name]
    if isinstance(found, ReelflowError):
        raise found.with_traceback(None)
    return found


async def _resolve(run: Run, name: str) -> str:
    for pause in (0.5, 2.0, None):
        try:
            return await run.client.resolve(name)
        except (QueueBusy, QueueFault) as trouble:
            # A connection that breaks, or a busy queue, says nothing yet, and asking costs nothing.
            seconds = max(pause or 0.0, trouble.retry_after or 0.0)
            if pause is not None and seconds <= _LONGEST_PAUSE:
                get_run_logger().warning("%s Asking again in %.1f s.", trouble.message, seconds)
                await asyncio.sleep(seconds)
            elif isinstance(trouble, QueueFault) and trouble.status is None:
                raise QueueUnreachable(f"{trouble.message} Check DECART_BASE_URL and the network.") from None
            else:
                raise
        except QueueRefused as refusal:
            # A model's own name stands for itself where the queue does not list it (a preview), or lists none.
            # An alias does not, and not with a row of its own either: what it stood for yesterday was another wish.
            is_alias = name in {**run.settings.model_table.aliases, **ModelTable.standard().aliases}
            if is_alias or refusal.status not in _NOT_LISTED:
                raise
            return name
    raise AssertionError("the last try ends the loop")


@task(task_run_name="{title}: submit to {wish.model.name}", cache_policy=NO_CACHE, retries=0, persist_result=False)
async def submit_job(wish: Wish, price: Price, *, title: str) -> Bought:
    """See to it that the wish is bought once. Never retried by Prefect: a second form would be a second paid job."""
    run, logger = current_run(), get_run_logger()
    seconds = 0.0 if wish.model.kind.result == "picture" else price.seconds

    def learn(standing: Standing, paid: Paid = Paid.NOW) -> Paid:
        return note_standing(standing, paid=paid, seconds=seconds, cost_usd=price.cost_usd)

    async with phase("upload", of=wish.model.name) as running:
        def tell(sentence: str) -> None:
            logger.info(sentence)
            running.unmeasured(sentence)

        try:
            bought = await buy(
                run.ledger, run.client, run.store, wish, seconds=price.seconds, cost=price.cost_usd,
                limits=Limits(price.limit_usd, run.settings.max_cost_per_day_usd),
                unknown_policy=run.settings.unknown_policy, max_attempts=run.settings.max_attempts,
                refresh=price.refresh, resolved=price.resolved, flow_run_id=flow_run.id, on_event=tell,
                on_bytes=_count(running), on_standing=learn,
            )
        except SubmitUnknown as unknown:
            if unknown.key and unknown.purchase:
                # One that an earlier run has lost is in doubt for this one too.
                learn(Standing(unknown.key, unknown.purchase, State.UNKNOWN, unknown.job_id))
            if unknown.key:
                await emit_job("unknown", unknown.key, job_id=unknown.job_id)
            raise
    standing = Standing(bought.key, bought.purchase, bought.state, bought.job_id)
    bought = replace(bought, paid=learn(standing, bought.paid))
    note(stand_in=run.client.stand_in)
    logger.info("Job %s for %s (wish %s)", bought.job_id or "(picture)", wish.model.name, bought.key[:12])
    if bought.paid is Paid.NOW:
        await emit_job("submitted", bought.key, job_id=bought.job_id)
        if bought.path is not None:
            await emit_job("completed", bought.key, job_id=bought.job_id)
    return bought


@task(task_run_name="{title}: wait for {bought.job_id}", cache_policy=NO_CACHE)
async def poll_job(bought: Bought, *, title: str) -> None:
    """Wait until the job is completed; a status call that goes wrong is asked again until the deadline."""
    run = current_run()
    async with phase("wait", of=bought.job_id or "") as running:
        began, is_waiting = time.monotonic(), bought.paid is Paid.NOW

        def tell(status: JobStatusResponse) -> None:
            nonlocal is_waiting
            running.unmeasured(status.status)
            if is_waiting and status.status != JobStatus.PENDING:
                is_waiting = False
                note_measure(Measure(What.QUEUE_WAIT, bought.model, time.monotonic() - began))

        running.unmeasured("submitted")
        try:
            await await_job(
                run.ledger, run.client, bought, poll_seconds=run.settings.poll_seconds,
                deadline=run.settings.poll_deadline, on_status_change=tell,
            )
        except (JobFailed, JobOverdue):
            await emit_job("failed", bought.key, job_id=bought.job_id)
            raise


@task(task_run_name="{title}: fetch {bought.job_id}", cache_policy=NO_CACHE)
async def fetch_result(bought: Bought, *, about_seconds: float, rate: int, title: str) -> Path:
    """Bring the result into the store: whole, readable, and about as long as it should be, by its times or by its count
    of frames at `rate` a second; 0 seconds for a picture.
    """
    run = current_run()

    async def check(path: Path) -> float | None:
        async with run.looking:
            film = await probe(path)
        if not about_seconds:
            return film.seconds
        # What can be matched is the finish's to decide, whatever rate it says; this is for what is no result at all.
        frames = about_seconds * rate
        is_far = not about_seconds / 2 <= film.seconds <= about_seconds * 2
        if film.frames == round(frames) or (is_far and frames / 2 <= film.frames <= frames * 2 + _MORE_FRAMES):
            # By the times that it tells itself the ledger would take it for dearer, or cheaper, than it was.
            return film.frames / rate
        if not is_far:
            return film.seconds
        raise BadResult(f"The result of job {bought.job_id} is {film.seconds:.2f} s long where about "
                        f"{about_seconds:.2f} s were expected.")

    async with phase("fetch", of=bought.job_id or "") as running:
        collected = await fetch_job(run.ledger, run.client, run.store, bought, check=check, on_bytes=_count(running))
    note_kept(bought.purchase)
    await emit_job("completed", bought.key, job_id=bought.job_id)
    return collected.path


def _count(running: Phase) -> OnBytes:
    def tell(gone: int, total: int | None) -> None:
        of = f" of {total / 1e6:.1f}" if total else ""
        running.move(gone / total if total else None, f"{gone / 1e6:.1f}{of} MB")

    return tell
