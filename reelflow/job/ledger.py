"""What was bought, and what is about to be: one row for each wish, and one for each purchase that was made for it.

A purchase goes `intended -> sent -> accepted -> completed | failed | expired`, or `unknown` where its reply was lost,
or `refused` where nothing was bought. Each step is one transaction, on the disk before the next thing happens. What a
death at any moment leaves, and what the next run with the same wish makes of it:

    before the intent is written        nothing                                it buys
    intent written, nothing sent        intended, holder gone                  it takes over and buys, or, where it was
                                                                               bought before, takes that up
    between `sent` and the first byte   sent, holder gone                      unknown: nobody can know that it was not
    while the form goes out               "                                      sent, so a person is asked
    form out, reply not read              "
    reply read, id not written            "
    id written                          accepted                               it waits for that job
    while waiting                       accepted                               it waits for that job
    in the middle of the download       accepted, a part file                  it goes on from there
    download whole, not yet kept        accepted, a whole file                 it keeps it, or fetches again
    kept, not yet completed             accepted, the file in the store        it fetches again, and pays nothing
    completed                           completed                              it serves the store's file

A holder that was only slow, and finds itself taken over, can't do harm: `sent` is written only where the purchase is
still its own, and an id that comes late is still written down (and heals `unknown` to `accepted`).
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Iterable
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import sqlalchemy as sa

from reelflow.errors import BadInput, Decided, LedgerFault
from reelflow.job.claim import LOST, decide
from reelflow.job.entry import Claim, Entry, Intent, Purchase, State, Terms
from reelflow.job.pictures import keep_picture, picture_of
from reelflow.job.prepared import Prepared
from reelflow.job.rows import OPEN, as_entry, entries_query, is_held_as, move, now, read_entry
from reelflow.job.schema import address_of, database_errors, purchases, reason_of, version, wishes
from reelflow.job.transaction import PATIENCE, Transactions, opened

logger = logging.getLogger(__name__)

_T = TypeVar("_T")
_LOCK = sa.select(version.c.version).with_for_update()
_OF = sa.bindparam("of", type_=sa.Text)
_BEAT = Prepared(wishes.update().where(*is_held_as(_OF)).values(beat=wishes.c.beat + 1))
_PURCHASE = Prepared(sa.select(purchases).where(purchases.c.id == _OF))


class Taken(Exception):
    """The purchase is not the caller's any more: somebody took it over. Nothing may be sent for it."""


class Ledger:
    """The ledger, opened as an async context manager; many runs and machines may have it open at once."""

    def __init__(self, address: sa.URL, patience: float) -> None:
        self._address, self._patience = address, patience
        self._is_file = address.drivername == "sqlite"
        self._transactions: Transactions

    @classmethod
    def open(cls, url: str | None, *, work_dir: Path, patience: float = PATIENCE) -> Self:
        """The ledger at `url` (`postgresql://…`), or in SQLite under `work_dir`. Raises BadInput.

        `patience` is how many seconds a step waits for an SQLite file that another program has locked, before it is a
        LedgerFault. Whoever is cancelled meanwhile does not wait for that.
        """
        return cls(address_of(url, work_dir), patience)

    async def __aenter__(self) -> Self:
        self._transactions = await opened(self._address, patience=self._patience)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._transactions.close()

    async def claim(self, intent: Intent, terms: Terms) -> Claim:
        """Look a wish up and, where it is to be bought and nobody is at it, write down that we are about to buy it.

        Raises:
            OverBudget: it would go over a limit; nothing was written.
        """
        return await self._alone(lambda connection: decide(connection, intent, terms))

    async def beat(self, purchase: str) -> None:
        """Show that the holder of a purchase is still at it."""
        await self._begun(lambda connection: _BEAT.run(connection, {"of": purchase}))

    async def sent(self, purchase: str) -> None:
        """Write down that the form is about to leave. Raises Taken, and then it must not leave."""
        if not await self._begun(lambda connection: move(
                connection, purchase, State.SENT, (State.INTENDED,), sent_at=now())):
            raise Taken
        logger.info("Purchase %s: the form is being sent.", purchase)

    async def unsent(self, purchase: str) -> None:
        """Write down that the form provably did not leave whole, or was turned away: it may be sent again."""
        await self._begun(lambda connection: move(connection, purchase, State.INTENDED, (State.SENT,)))

    async def accepted(self, purchase: str, job_id: str, *, stand_in: bool, note: str = "") -> bool:
        """Write down a job's id, also where others have given the purchase up; says whether the wish's row has it."""
        def write(connection: sa.Connection) -> bool:
            # Refused: a person has allowed another purchase, and nobody has made it. Accepted: this was written
            # already and its answer lost, or a person has guessed the id that is known now.
            moved = move(
                connection, purchase, State.ACCEPTED, (*OPEN, State.UNKNOWN, State.REFUSED, State.ACCEPTED), note=note,
                job_id=job_id, stand_in=int(stand_in), accepted_at=now())
            if not moved:
                # The wish has gone on without us, but what was paid for must be found here.
                connection.execute(purchases.update().where(purchases.c.id == purchase).values(
                    job_id=job_id, state=State.ACCEPTED, accepted_at=now()))
            return moved

        moved = await self._begun(write)
        logger.info("Purchase %s is job %s.", purchase, job_id)
        return moved

    async def refused(self, purchase: str, note: str) -> None:
        """Write down that nothing was bought, and free what was set aside for it."""
        await self._begun(lambda connection: move(
            connection, purchase, State.REFUSED, OPEN, note=note, ended_at=now()))

    async def unknown(self, purchase: str, note: str) -> None:
        """Write down that the reply was lost."""
        await self._begun(lambda connection: move(connection, purchase, State.UNKNOWN, OPEN, note=note))
        logger.warning("Purchase %s: %s", purchase, note)

    async def completed(
        self, purchase: str, *, digest: str, size_bytes: int, seconds: float | None, stand_in: bool = False,
        picture: Path | None = None,
    ) -> None:
        """Write down that the result lies in the store; `seconds` is what it really lasts, and so costs.

        `picture` is where an edited picture lies, of which the queue keeps none: see `pictures`.
        """
        def write(connection: sa.Connection) -> None:
            row = _PURCHASE.row(connection, {"of": purchase})
            assert row is not None
            cost = row["cost"]
            if cost is not None and seconds is not None and row["seconds"] > 0:
                cost = cost * Decimal(str(seconds)) / Decimal(str(row["seconds"]))
            moved = move(
                connection, purchase, State.COMPLETED, tuple(State), output_seconds=seconds,
                # One that was cleared away and is fetched again ended when it came first.
                ended_at=row["ended_at"] if row["state"] is State.COMPLETED else now(),
                output_cost=cost, output_digest=digest, output_bytes=size_bytes,
                stand_in=int(stand_in or row["stand_in"]), note="",
            )
            if moved and picture is not None and not self._is_file:
                keep_picture(connection, purchase, row["key"], picture)

        await self._begun(write)
        logger.info("Purchase %s is completed: %s.", purchase, digest[:12])

    async def picture(self, purchase: str) -> bytes | None:
        """The bytes of the edited picture of a purchase, where machines share this ledger and it has them."""
        return await self._begun(lambda connection: picture_of(connection, purchase))

    async def failed(self, purchase: str, note: str) -> None:
        """Write down that the queue says the job failed."""
        await self._begun(lambda connection: move(
            connection, purchase, State.FAILED, (State.ACCEPTED, State.EXPIRED), note=note, ended_at=now()))

    async def expired(self, purchase: str, note: str) -> None:
        """Write down that waiting went past the deadline, or that the queue does not know the job any more."""
        await self._begun(lambda connection: move(connection, purchase, State.EXPIRED, (State.ACCEPTED,), note=note))

    async def note(self, purchase: str, note: str) -> None:
        """Write a sentence beside a purchase's wish; its state stays."""
        await self._begun(lambda connection: connection.execute(
            wishes.update().where(*is_held_as(purchase)).values(note=note, changed_at=now())))

    async def granted(self, seen: Entry) -> None:
        """Write down that a person allows one purchase more, and that the wish is free to be bought. Raises Decided."""
        await self._as_seen(seen, lambda connection: connection.execute(
            wishes.update().where(wishes.c.key == seen.key).values(
                granted=wishes.c.granted + 1, granted_at=now(), state=State.REFUSED, holder=None, changed_at=now(),
                note="A person decided to buy it again.")))

    async def adopted(self, seen: Entry, job_id: str) -> None:
        """Write down that a person has found the job of a wish. Raises Decided, BadInput for another wish's job."""
        def write(connection: sa.Connection) -> None:
            other = connection.execute(sa.select(purchases.c.key).where(
                purchases.c.job_id == job_id, purchases.c.queue == seen.queue, purchases.c.key != seen.key).limit(1)
            ).scalar()
            if other is not None:
                raise BadInput(f"Job {job_id} is the one of the wish {other[:12]}: give the id of the job that was "
                               "made for this one.", field="job_id")
            move(connection, seen.purchase, State.ACCEPTED, (seen.state,), job_id=job_id, accepted_at=now(),
                 note=f"A person found the job {job_id}.")

        await self._as_seen(seen, write)

    async def abandoned(self, seen: Entry) -> None:
        """Write down that a person gives a wish up. Raises Decided."""
        await self._as_seen(seen, lambda connection: move(
            connection, seen.purchase, State.ABANDONED, (seen.state,), note="A person gave it up."))

    async def died(self, seen: Entry) -> None:
        """Write down that the holder of a purchase that was being sent is gone, and its reply with it."""
        await self._begun(lambda connection: move(
            connection, seen.purchase, State.UNKNOWN, (State.SENT,), note=LOST))

    async def find(self, key: str) -> Entry:
        """The row of a key, or of a beginning of one that fits only it. Raises BadInput."""
        def read(connection: sa.Connection) -> Entry:
            if (entry := read_entry(connection, key)) is not None:
                return entry
            if len(key) < 6 or not key.isalnum():
                raise BadInput(f"{key!r} is not a key of the ledger: give at least its first 6 characters.",
                               field="key")
            found = connection.execute(
                sa.select(wishes.c.key).where(wishes.c.key.startswith(key)).limit(2)).scalars().all()
            if len(found) != 1:
                what = "more than one wish" if found else "no wish"
                raise BadInput(f"The key {key} fits {what}: `reelflow jobs list` shows them.", field="key")
            entry = read_entry(connection, found[0])
            assert entry is not None
            return entry

        return await self._begun(read)

    async def entries(
        self, *, states: Iterable[State] = (), since: dt.datetime | None = None, limit: int | None = None
    ) -> list[Entry]:
        """The rows, newest change first."""
        query = entries_query().order_by(wishes.c.changed_at.desc()).limit(limit)
        if wanted := tuple(states):
            query = query.where(wishes.c.state.in_(wanted))
        if since is not None:
            query = query.where(wishes.c.changed_at >= since)
        return await self._begun(lambda connection: [as_entry(row._asdict()) for row in connection.execute(query)])

    async def given_up_by(self, flow_run_id: str) -> Entry | None:
        """A wish that this run has sent a form for, and that a person has given up since."""
        of_run = sa.select(purchases.c.id).where(purchases.c.flow_run_id == flow_run_id)
        query = entries_query().where(wishes.c.purchase.in_(of_run), wishes.c.state == State.ABANDONED).limit(1)
        found = await self._begun(lambda connection: connection.execute(query).one_or_none())
        return None if found is None else as_entry(found._asdict())

    async def purchases(self, *, key: str | None = None, since: dt.datetime | None = None) -> list[Purchase]:
        """The purchases, oldest first, with those that came to nothing."""
        query = sa.select(purchases, wishes.c.model).join(wishes, wishes.c.key == purchases.c.key)
        if key is not None:
            query = query.where(purchases.c.key == key)
        if since is not None:
            query = query.where(purchases.c.intended_at >= since)
        query = query.order_by(purchases.c.intended_at)
        return await self._begun(lambda connection: [
            Purchase(**{**row._asdict(), "stand_in": bool(row.stand_in)}) for row in connection.execute(query)])

    async def _as_seen(self, seen: Entry, work: Callable[[sa.Connection], object]) -> None:
        """A transaction in which a wish still stands as it was seen. Raises Decided, since what was decided of it then
        is not about what is there now.
        """
        def check_and_work(connection: sa.Connection) -> None:
            found = read_entry(connection, seen.key, lock=True)
            assert found is not None
            if (found.purchase, found.state) != (seen.purchase, seen.state):
                known = f"job {found.job_id}" if found.job_id else found.note.rstrip(".")
                raise Decided(
                    f"The wish {seen.key[:12]} is not as it was, {seen.state.value}: it was decided meanwhile and is "
                    f"{found.state.value} now{f' ({known})' if known else ''}; run the same again to go on with that."
                )
            work(connection)

        await self._alone(check_and_work)

    async def _alone(self, work: Callable[[sa.Connection], _T]) -> _T:
        """A transaction that no other run's buying can come between, on this machine or another."""
        def lock_and_work(connection: sa.Connection) -> _T:
            connection.execute(_LOCK)
            return work(connection)

        # Each of SQLite's transactions is alone from its beginning.
        return await self._begun(work if self._is_file else lock_and_work)

    async def _begun(self, work: Callable[[sa.Connection], _T]) -> _T:
        """A transaction, which is on the disk when this returns. Raises LedgerFault."""
        try:
            return await self._transactions.run(work)
        except database_errors() as error:
            raise LedgerFault(f"The ledger can't be read or written ({reason_of(error)}): nothing is bought without it."
                              ) from error
