"""One purchase on its way: sending the form until it is taken, refused or lost, and writing each step down."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from reelflow.errors import LedgerFault, QueueBusy, QueueUnreachable, Refused, SubmitUnknown
from reelflow.job.boundary import Boundary, reached
from reelflow.job.entry import Entry, Paid, Standing, State
from reelflow.job.form import OnBytes
from reelflow.job.holder import LEASE_SECONDS
from reelflow.job.ledger import Ledger
from reelflow.job.wire import Wish
from reelflow.models import Kind
from reelflow.store import Store

if TYPE_CHECKING:
    from reelflow.job.client import QueueClient

logger = logging.getLogger(__name__)

OnEvent = Callable[[str], None]
"""Told in a sentence what happens on the way."""

OnStanding = Callable[[Standing], object]
"""Told where a purchase of this run stands, as soon as that is true: whoever is stopped then can still say it."""

STOPPED = "Stopped waiting; the queue may still finish and bill it."


@dataclass(frozen=True, slots=True)
class SubmitRule:
    """How often a submit that provably bought nothing is tried, and how long between, in seconds.

    `grace` is how long a cancelled run still waits for the reply to a form that is out, so that its id is not lost, and
    for a ledger that somebody has locked.
    """

    tries: int = 4
    busy_tries: int = 8
    pause: float = 1.0
    max_pause: float = 60.0
    grace: float = 15.0
    lease: float = LEASE_SECONDS

    def pause_after(self, failed: int, asked: float | None) -> float:
        """Seconds to wait after so many tries; what the queue asked for is kept to."""
        backoff = min(self.pause * 2.0 ** (failed - 1), self.max_pause) * random.uniform(0.75, 1.25)
        return backoff if asked is None else max(asked, backoff)


@dataclass(frozen=True, slots=True)
class Bought:
    """A wish that is bought, at `queue`. `path` is its result where the store has it; else `job_id` is waited for."""

    key: str
    purchase: str
    state: State
    job_id: str | None
    paid: Paid
    queue: str
    model: str
    path: Path | None = None


class Submission:
    """One purchase that is ours to make."""

    def __init__(
        self, ledger: Ledger, client: QueueClient, store: Store, wish: Wish, entry: Entry, purchase: str,
        rule: SubmitRule, tell: OnEvent, on_bytes: OnBytes | None, on_standing: OnStanding | None,
    ) -> None:
        self._ledger, self._client, self._store, self._wish = ledger, client, store, wish
        self._entry, self._id, self._rule, self._tell, self._on_bytes = entry, purchase, rule, tell, on_bytes
        self._on_standing = on_standing
        self._all_left = False
        self._is_unpaid = True
        self._state = State.INTENDED

    async def make(self) -> Bought:
        """Send the form until it is taken, refused, or nobody knows. Raises as `buy`, and Taken."""
        self._stands(State.INTENDED)
        try:
            async with self._beating():
                return await self._sent()
        except asyncio.CancelledError:
            # One that is stopped while it writes down that nothing was bought is `sent` still.
            if self._state is State.INTENDED or (self._state is State.SENT and self._is_unpaid):
                async with self._hurried():
                    await self._refused("The run was stopped before the form was sent.")
            raise

    async def _sent(self) -> Bought:
        failed = 0
        while True:
            try:
                return await self._sent_once()
            except (QueueBusy, QueueUnreachable) as error:
                failed += 1
                is_busy = isinstance(error, QueueBusy)
                if failed >= (self._rule.busy_tries if is_busy else self._rule.tries):
                    await self._refused(error.message)
                    raise
                pause = self._rule.pause_after(failed, error.retry_after if isinstance(error, QueueBusy) else None)
                self._tell(f"{error.message} Trying again in {pause:.1f} s.")
                logger.warning("%s Trying again in %.1f s.", error.message, pause)
            await asyncio.sleep(pause)

    async def _sent_once(self) -> Bought:
        """Send the form, and write down what became of it, even while the run is being cancelled.

        A form that is still on its way is called back: then nothing is bought. One that is out has a grace in which
        its reply is waited for, since a reply that nobody reads is a job that nobody finds.
        """
        self._all_left = self._is_unpaid = False
        work = asyncio.create_task(self._send_and_record())
        cancelled = False
        while not work.done():
            try:
                await asyncio.wait({work}, timeout=self._rule.grace if cancelled else None)
                if cancelled and not work.done():
                    work.cancel()
            except asyncio.CancelledError:
                if cancelled or not self._all_left:
                    work.cancel()
                elif not work.done():
                    self._tell(f"The form is out; waiting up to {self._rule.grace:g} s for its reply.")
                cancelled = True
        if not cancelled:
            return work.result()
        if not work.cancelled() and work.exception() is None and (job_id := work.result().job_id):
            logger.warning("Job %s: %s", job_id, STOPPED)
            async with self._hurried():
                await self._ledger.note(self._id, STOPPED)
        raise asyncio.CancelledError

    async def _send_and_record(self) -> Bought:
        try:
            await self._ledger.sent(self._id)
            self._stands(State.SENT)
            if self._wish.model.kind is Kind.IMAGE:
                incoming = self._store.incoming(picture_name(self._id))
                await self._client.edit_image(self._wish, incoming, on_bytes=self._count)
                reached(Boundary.AFTER_REPLY)
                # What came stays where the next run looks for it until the ledger knows: it can't be fetched again.
                kept = await self._store.keep(incoming, leave=True)
                await self._ledger.completed(self._id, digest=kept.digest, size_bytes=kept.size_bytes, seconds=None,
                                             stand_in=self._client.stand_in, picture=kept.path)
                incoming.unlink(missing_ok=True)
                self._stands(State.COMPLETED)
                return self._done(None, kept.path)
            job = await self._client.submit(self._wish, on_bytes=self._count)
        except (QueueBusy, QueueUnreachable):
            self._is_unpaid = True
            await self._ledger.unsent(self._id)
            self._stands(State.INTENDED)
            raise
        except Refused as refusal:
            self._is_unpaid = True
            await self._refused(refusal.message)
            raise
        except SubmitUnknown as error:
            self._stands(State.UNKNOWN)
            # Where even this can't be written the row says `sent`, which the next run reads in the same way.
            with contextlib.suppress(LedgerFault):
                await self._ledger.unknown(self._id, error.message)
            raise SubmitUnknown(error.message, key=self._entry.key, purchase=self._id) from None
        except BaseException:
            if self._all_left:
                self._stands(State.UNKNOWN)
                await self._ledger.unknown(self._id, "The run was stopped when the form was out and unanswered.")
            else:
                self._is_unpaid = True
                await self._refused("The run was stopped before all of the form was out.")
            raise
        # Nothing, not even a log line, between the reply and the ledger.
        reached(Boundary.AFTER_REPLY)
        await self._record(job.job_id)
        return self._done(job.job_id, None)

    async def _record(self, job_id: str) -> None:
        """Write down a job that is bought; a database that is away for a moment must not lose it."""
        for attempt in range(8):
            try:
                if not await self._ledger.accepted(self._id, job_id, stand_in=self._client.stand_in):
                    logger.warning("Job %s was bought, but another run has bought this wish meanwhile.", job_id)
                self._stands(State.ACCEPTED, job_id)
                return
            except LedgerFault as error:
                self._stands(State.SENT, job_id)
                logger.error("Job %s is bought and could not be written down yet: %s", job_id, error)
            except asyncio.CancelledError:
                # Whoever stops us now must be told the id: it is written nowhere.
                self._stands(State.SENT, job_id)
                logger.error("Job %s is bought and was not written down: `reelflow jobs resolve %s --adopt %s`.",
                             job_id, self._entry.key[:12], job_id)
                raise
            await asyncio.sleep(min(0.2 * 2.0**attempt, 10.0))
        raise SubmitUnknown(
            f"Job {job_id} is bought, but the ledger can't be written: when it can, run `reelflow jobs resolve "
            f"{self._entry.key[:12]} --adopt {job_id}`.", key=self._entry.key, purchase=self._id, job_id=job_id,
        )

    async def _refused(self, note: str) -> None:
        await self._ledger.refused(self._id, note)
        self._stands(State.REFUSED)

    def _stands(self, state: State, job_id: str | None = None) -> None:
        self._state = state
        if self._on_standing is not None:
            self._on_standing(Standing(self._entry.key, self._id, state, job_id))

    def _count(self, gone: int, total: int | None) -> None:
        self._all_left = gone == total
        if self._on_bytes is not None:
            self._on_bytes(gone, total)

    def _done(self, job_id: str | None, path: Path | None) -> Bought:
        return Bought(
            key=self._entry.key, purchase=self._id, state=State.ACCEPTED if path is None else State.COMPLETED,
            job_id=job_id, paid=Paid.NOW, queue=self._entry.queue, model=self._entry.resolved, path=path,
        )

    @contextlib.asynccontextmanager
    async def _hurried(self) -> AsyncIterator[None]:
        """Write down what the next run would find out too; whoever stops us does not wait for it past the grace."""
        with contextlib.suppress(LedgerFault, TimeoutError):
            async with asyncio.timeout(self._rule.grace):
                yield

    @contextlib.asynccontextmanager
    async def _beating(self) -> AsyncIterator[None]:
        """Show, while the block lasts, that we are there."""
        async def beat() -> None:
            while True:
                try:
                    await self._ledger.beat(self._id)
                except LedgerFault as error:
                    logger.warning("The ledger could not be told that purchase %s goes on: %s", self._id, error)
                await asyncio.sleep(self._rule.lease / 6)

        beats: asyncio.Task[None] | None = None

        def begin() -> None:
            nonlocal beats
            beats = asyncio.create_task(beat())

        # Most forms are taken before the first beat: a thousand tasks that do nothing but wait for it are not free.
        first = asyncio.get_running_loop().call_later(self._rule.lease / 6, begin)
        try:
            yield
        finally:
            first.cancel()
            if beats is not None:
                beats.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await beats


def picture_name(purchase: str) -> str:
    """What the picture of a purchase is called until it is kept."""
    return f"{purchase}.png"
