"""What is bought, brought home: waiting, fetching, keeping. Costs nothing and may be repeated for ever."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import hashlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from reelflow.errors import (
    BadInput,
    BadMedia,
    BadResult,
    FetchFailed,
    JobFailed,
    JobOverdue,
    LedgerFault,
    SpoiledResult,
)
from reelflow.job.entry import Paid
from reelflow.job.fetch import fetch
from reelflow.job.form import OnBytes
from reelflow.job.ledger import Ledger
from reelflow.job.pictures import find_result
from reelflow.job.submission import STOPPED, Bought
from reelflow.job.wait import OnStatusChange, wait_for_job
from reelflow.job.wire import JobStatus
from reelflow.store import Store

if TYPE_CHECKING:
    from reelflow.job.client import QueueClient

logger = logging.getLogger(__name__)

Check = Callable[[Path], Awaitable[float | None]]
"""Looks at a fetched file: its seconds (None for a picture); raises BadMedia or BadResult for one that is no good."""


@dataclass(frozen=True, slots=True)
class Collected:
    """A result in the store: where it lies, its SHA-256, and its seconds where they were looked at."""

    path: Path
    digest: str
    seconds: float | None


async def await_job(
    ledger: Ledger,
    client: QueueClient,
    bought: Bought,
    *,
    poll_seconds: float = 2.0,
    deadline: float = 720.0,
    believe_after: float = 60.0,
    on_status_change: OnStatusChange | None = None,
) -> None:
    """Wait until a bought job is completed, and write down where it does not come to that. Times are in seconds.

    Raises:
        JobFailed: the queue says that it failed, or does not know it any more.
        JobOverdue: it is not done within `deadline`; running again waits again.
        BadInput: it was bought at another queue than this client's.
    """
    if bought.path is not None:
        return
    job_id = _job_id(client, bought)
    try:
        ended = await wait_for_job(
            client, job_id, poll_seconds=poll_seconds, deadline=deadline, believe_after=believe_after,
            # One that was bought earlier may be done at any moment, however long such jobs take.
            pace=client.pace(bought.model) if bought.paid is Paid.NOW else None, on_status_change=on_status_change,
        )
    except asyncio.CancelledError:
        logger.warning("Job %s: %s", job_id, STOPPED)
        # A ledger that is away must not turn a cancelled run into a failed one.
        with contextlib.suppress(LedgerFault):
            await asyncio.shield(ledger.note(bought.purchase, STOPPED))
        raise
    except (JobOverdue, JobFailed) as error:
        await ledger.expired(bought.purchase, error.message)
        raise
    if ended.status == JobStatus.FAILED:
        note = f"The queue reports that job {job_id} failed; it gives no reason."
        await ledger.failed(bought.purchase, note)
        raise JobFailed(f"{note} `reelflow jobs resolve {bought.key[:12]} --resubmit` lets it be bought once more.",
                        job_id=job_id)


async def fetch_job(
    ledger: Ledger,
    client: QueueClient,
    store: Store,
    bought: Bought,
    *,
    check: Check | None = None,
    retry_pause: float = 1.0,
    on_bytes: OnBytes | None = None,
) -> Collected:
    """Bring the result of a completed job into the store, whole, looked at and written down.

    `retry_pause` is the first wait between two tries, in seconds; later ones grow.

    Raises:
        FetchFailed: it could not be brought over; it is paid, and running again fetches it again.
        SpoiledResult: it is no good, and was fetched twice.
        KeyRefused: the key is not taken any more.
        BadInput: it was bought at another queue than this client's.
    """
    name = hashlib.sha256(f"{bought.queue} {bought.job_id}".encode()).hexdigest()[:32]
    async with store.alone(name):
        entry = await ledger.find(bought.key)
        if entry.output_digest is not None and entry.purchase == bought.purchase:
            path = await find_result(ledger, store, entry)
            if path is not None:
                return Collected(path, entry.output_digest, entry.output_seconds)
        job_id = _job_id(client, bought)
        incoming = store.incoming(f"{name}{entry.suffix}")
        bring = functools.partial(fetch, functools.partial(client.content, job_id), incoming, job_id=job_id,
                                  pause=retry_pause, on_bytes=on_bytes, disk=store.disk)
        seconds = await _fetch_sound(bring, job_id, incoming, check)
        kept = await store.keep(incoming)
        await ledger.completed(bought.purchase, digest=kept.digest, size_bytes=kept.size_bytes, seconds=seconds,
                               stand_in=client.stand_in)
    if entry.output_digest not in (None, kept.digest):
        logger.warning("Job %s was fetched again and has other bytes than before.", job_id)
    return Collected(kept.path, kept.digest, seconds)


async def collect(
    ledger: Ledger,
    client: QueueClient,
    store: Store,
    bought: Bought,
    *,
    poll_seconds: float = 2.0,
    deadline: float = 720.0,
    check: Check | None = None,
    retry_pause: float = 1.0,
    on_status_change: OnStatusChange | None = None,
    on_bytes: OnBytes | None = None,
) -> Collected:
    """Wait for what was bought and bring it into the store. Raises as `await_job` and `fetch_job` do."""
    await await_job(ledger, client, bought, poll_seconds=poll_seconds, deadline=deadline,
                    on_status_change=on_status_change)
    return await fetch_job(ledger, client, store, bought, check=check, retry_pause=retry_pause, on_bytes=on_bytes)


async def _fetch_sound(
    bring: Callable[[], Awaitable[Path]], job_id: str, incoming: Path, check: Check | None
) -> float | None:
    """Fetch, and look at what came; once more where it is no good, since a cache on the way may have spoiled it."""
    for last in (False, True):
        # An earlier run may have died between its fetch and its keeping.
        if not incoming.exists():
            await bring()
        if check is None:
            return None
        try:
            return await check(incoming)
        except (BadMedia, BadResult) as error:
            incoming.unlink(missing_ok=True)
            logger.warning("The result of job %s is no good: %s", job_id, error.message)
            if last:
                raise SpoiledResult(f"The result of job {job_id} came twice and is no good: {error.message}",
                                    job_id=job_id) from error
    raise AssertionError("both tries end the loop")


def _job_id(client: QueueClient, bought: Bought) -> str:
    if bought.queue != client.identity:
        raise BadInput(f"Job {bought.job_id} was bought at {bought.queue} and can't be had from {client.identity}: set "
                       "DECART_BASE_URL to where it was bought.", field="DECART_BASE_URL")
    if bought.job_id is None:
        raise FetchFailed("The picture is not in the store any more, and the queue keeps none.", job_id="")
    return bought.job_id
