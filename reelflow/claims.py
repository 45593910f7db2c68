"""Things that one run takes so that no other does, on this machine or another: kept in the ledger's database.

A claim is held as long as it is beaten; one whose holder's process is gone, or that has not been beaten for a lease by
the database's own clock (the clocks of machines are never compared), can be taken over. What is done stays claimed;
what is left is free, and known to have been tried.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import Self, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from reelflow.errors import LedgerFault
from reelflow.job.holder import is_gone, new_holder
from reelflow.job.schema import address_of, claims, database_errors, reason_of
from reelflow.job.transaction import Transactions, opened

logger = logging.getLogger(__name__)

_T = TypeVar("_T")

LEASE_SECONDS = 90
BEAT_SECONDS = 20.0
_TAKEN, _LEFT, _DONE = "taken", "left", "done"


class Claims:
    """The claims of a ledger's database, opened as an async context manager; what is taken is held until its end."""

    def __init__(self, transactions: Transactions, lease: int) -> None:
        self._transactions, self._lease, self._holder = transactions, lease, new_holder()

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, url: str | None, *, work_dir: Path, lease: int = LEASE_SECONDS) -> AsyncIterator[Self]:
        """The claims in the database at `url`, or in SQLite under `work_dir`. `lease` is in seconds. Raises BadInput.

        What was taken inside the block and is not done at its end is given back.
        """
        transactions = await opened(address_of(url, work_dir))
        try:
            made = cls(transactions, lease)
            beating = asyncio.create_task(made._beat())
            try:
                yield made
            finally:
                beating.cancel()
                await asyncio.gather(beating, return_exceptions=True)
                await asyncio.shield(made._give_all_back())
        finally:
            await transactions.close()

    async def take(self, key: str, note: str = "") -> bool:
        """Take a thing; False where another run has it, or it is done already. Raises LedgerFault."""
        def write(connection: sa.Connection) -> bool:
            insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
            moment = _moment(connection)
            held = connection.execute(sa.select(claims.c.holder).where(
                claims.c.key == key, claims.c.state == _TAKEN)).scalar()
            dead = held if held is not None and is_gone(held) else ""
            over = sa.or_(claims.c.beaten < moment - self._lease, claims.c.holder == dead)
            free = sa.or_(claims.c.state == _LEFT, sa.and_(claims.c.state == _TAKEN, over))
            values = {"state": _TAKEN, "holder": self._holder, "beaten": moment, "note": note}
            taken = connection.execute(insert(claims).values(key=key, **values).on_conflict_do_update(
                index_elements=["key"], set_=values, where=free))
            return bool(taken.rowcount)

        return await self._begun(write)

    async def is_done(self, key: str) -> str | None:
        """What was noted of a thing that is done; None where it isn't."""
        query = sa.select(claims.c.note).where(claims.c.key == key, claims.c.state == _DONE)
        note: str | None = await self._begun(lambda connection: connection.execute(query).scalar())
        return note

    async def done(self, keys: Iterable[str], note: str = "") -> None:
        """Write down that things which we hold are done, once and for all."""
        statement = claims.update().where(
            claims.c.key.in_(list(keys)), claims.c.holder == self._holder).values(state=_DONE, note=note)
        await self._begun(lambda connection: connection.execute(statement))

    async def give_back(self, keys: Iterable[str]) -> None:
        """Let others take things that we hold."""
        statement = claims.delete().where(
            claims.c.key.in_(list(keys)), claims.c.holder == self._holder, claims.c.state == _TAKEN)
        await self._begun(lambda connection: connection.execute(statement))

    async def leave(self, keys: Iterable[str]) -> None:
        """Let others take things that we hold and have tried in vain."""
        await self._begun(lambda connection: connection.execute(claims.update().where(
            claims.c.key.in_(list(keys)), claims.c.holder == self._holder, claims.c.state == _TAKEN
        ).values(state=_LEFT, beaten=_moment(connection))))

    async def left(self) -> dict[str, int]:
        """The things that somebody has tried in vain, each with a number that is higher the later that was."""
        query = sa.select(claims.c.key, claims.c.beaten).where(claims.c.state == _LEFT)
        return await self._begun(lambda connection: {one.key: one.beaten for one in connection.execute(query)})

    async def held(self) -> frozenset[str]:
        """The things that others have taken and not done, be they alive or not."""
        query = sa.select(claims.c.key).where(claims.c.state == _TAKEN, claims.c.holder != self._holder)
        return await self._begun(lambda connection: frozenset(connection.execute(query).scalars()))

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            try:
                await self._begun(lambda connection: connection.execute(claims.update().where(
                    claims.c.holder == self._holder, claims.c.state == _TAKEN).values(beaten=_moment(connection))))
            except LedgerFault as fault:
                logger.warning("The claims could not be beaten, and are beaten again: %s", fault.message)

    async def _give_all_back(self) -> None:
        statement = claims.delete().where(claims.c.holder == self._holder, claims.c.state == _TAKEN)
        with contextlib.suppress(LedgerFault):
            await self._begun(lambda connection: connection.execute(statement))

    async def _begun(self, work: Callable[[sa.Connection], _T]) -> _T:
        """A transaction. Raises LedgerFault."""
        try:
            return await self._transactions.run(work)
        except database_errors() as error:
            raise LedgerFault(f"The claims can't be read or written ({reason_of(error)}).") from error


def _moment(connection: sa.Connection) -> sa.ColumnElement[int]:
    """Now, in whole seconds, by the database's clock."""
    if connection.dialect.name == "postgresql":
        return sa.cast(sa.extract("epoch", sa.func.clock_timestamp()), sa.BigInteger)
    return sa.cast(sa.func.strftime("%s", "now"), sa.BigInteger)
