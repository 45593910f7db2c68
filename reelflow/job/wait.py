"""Waiting for a job: asking how it stands, no faster than allowed, until it ends or the deadline is over.

Nothing that a status call says or fails to say ends a job before its deadline, but for the queue's own completed and
failed, and refusals (such as 404) that stay the same for a while.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import random
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from reelflow.errors import JobLost, JobOverdue, KeyRefused, QueueBusy, QueueFault, QueueRefused
from reelflow.job.boundary import Boundary, reached
from reelflow.job.pace import Pace, Turn
from reelflow.job.wire import JobStatus, JobStatusResponse

if TYPE_CHECKING:
    from reelflow.job.client import QueueClient

logger = logging.getLogger(__name__)

OnStatusChange = Callable[[JobStatusResponse], Awaitable[None] | None]
"""Told of each status that differs from the one before; may be async."""

_KNOWN = frozenset(status.value for status in JobStatus)
_FIRST_ASK = 0.5
_MAX_BACKOFF = 15.0


async def wait_for_job(
    client: QueueClient,
    job_id: str,
    *,
    poll_seconds: float = 2.0,
    deadline: float = 720.0,
    believe_after: float = 60.0,
    pace: Pace | None = None,
    on_status_change: OnStatusChange | None = None,
) -> JobStatusResponse:
    """Wait until a job is completed or failed, and give its last status.

    `poll_seconds` is the least time between two status calls, `deadline` what the whole wait may take, `believe_after`
    how long the queue has to go on refusing (404: it does not know the job) before that is taken for the truth. `pace`
    tells how long jobs like it take, where it was submitted only just now.

    Raises:
        JobOverdue: the deadline is over; the queue may still finish and bill the job.
        JobLost: the queue does not know the job (any more).
        QueueRefused, KeyRefused: the queue goes on refusing to say.
    """
    with (pace or Pace()).waiting() as turn:
        # Jobs that were submitted together must not ask together ever after.
        first = turn.first(poll_seconds) if pace is not None else random.uniform(0, min(_FIRST_ASK, poll_seconds))
        return await _wait(client, job_id, turn, first, poll_seconds, deadline, believe_after, on_status_change)


async def _wait(
    client: QueueClient, job_id: str, turn: Turn, first: float, poll_seconds: float, deadline: float,
    believe_after: float, on_status_change: OnStatusChange | None,
) -> JobStatusResponse:
    end = time.monotonic() + deadline
    last: str | None = None
    refused_since: float | None = None
    troubles = 0
    await asyncio.sleep(max(0.0, min(first, end - time.monotonic())))
    while True:
        answered = False
        asked_at = time.monotonic()
        pause = poll_seconds
        try:
            # An answer that hangs must not outlast the deadline, but the last ask still gets a fair time.
            async with asyncio.timeout(max(end - asked_at, min(poll_seconds, 5.0))):
                status = await client.status(job_id)
        except QueueRefused as refusal:
            refused_since = refused_since or asked_at
            if time.monotonic() - refused_since >= believe_after:
                raise _believed(refusal, job_id, believe_after) from None
            logger.warning("The status of job %s was refused and is asked again: %s", job_id, refusal.message)
        except (QueueFault, QueueBusy) as trouble:
            troubles += 1
            backoff = min(poll_seconds * 2.0 ** min(troubles - 1, 8), _MAX_BACKOFF)
            pause = max(pause, backoff, trouble.retry_after or 0.0)
            logger.warning("The status of job %s is asked again: %s", job_id, trouble.message)
        except TimeoutError:
            logger.warning("The status of job %s did not come before the deadline.", job_id)
        else:
            refused_since, troubles, answered = None, 0, True
            if status.status != last:
                last = status.status
                await _tell(status, on_status_change)
            if status.status == JobStatus.COMPLETED:
                turn.done()
            if status.status in (JobStatus.COMPLETED, JobStatus.FAILED):
                return status
            reached(Boundary.POLLING)
        if time.monotonic() >= end:
            raise JobOverdue(
                f"Job {job_id} did not end within {deadline:g} s (it was last {last or 'not heard of'}); the queue may "
                "still finish and bill it, and running again takes it up.", job_id=job_id, is_over=answered,
            )
        # No further than the deadline: a job is asked about once more there.
        await turn.pause(pause, max(0.0, end - time.monotonic()), apart=poll_seconds)


async def _tell(status: JobStatusResponse, on_status_change: OnStatusChange | None) -> None:
    if status.status not in _KNOWN:
        logger.warning("Job %s is %r, a status that is not known here; it is taken as still running.",
                       status.job_id, status.status)
    else:
        logger.info("Job %s is %s.", status.job_id, status.status)
    if on_status_change is not None:
        told = on_status_change(status)
        if inspect.isawaitable(told):
            await told


def _believed(refusal: QueueRefused, job_id: str, seconds: float) -> JobLost | QueueRefused:
    if isinstance(refusal, KeyRefused) or refusal.status != 404:
        return refusal
    return JobLost(f"The queue has not known job {job_id} for {seconds:g} s: it has lost it, the job belongs to "
                   "another key, or that is not its id.", job_id=job_id)
