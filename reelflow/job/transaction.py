"""Transactions on the ledger's database: each a plain function of a connection, run whole or not at all."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import sqlalchemy as sa

from reelflow.errors import BadInput
from reelflow.job.schema import LEDGER_URL, database_errors, migrate, reason_of

_T = TypeVar("_T")
Work = Callable[[sa.Connection], _T]

PATIENCE = 60.0
# So soon, in seconds, one that waits for a locked file finds that it is not wanted any more.
_LOOKS_UP = 0.25


class Transactions(Protocol):
    """What runs transactions. One that is cancelled is rolled back, unless it was being committed just then."""

    async def open(self) -> None:
        """Make the database ready; nothing of reelflow's need be in it yet."""

    async def run(self, work: Work[_T]) -> _T:
        """Begin, do `work`, commit; what `work` raises rolls back and is raised here."""

    async def close(self) -> None:
        """Let go of the database."""


async def opened(address: sa.URL, *, patience: float = PATIENCE) -> Transactions:
    """The transactions of the database at an address, its tables brought to this version. Raises BadInput.

    `patience` is how many seconds one waits for an SQLite file that another process has locked.
    """
    transactions: Transactions = (
        _InOneThread(address, patience) if address.drivername == "sqlite" else _OverTheNetwork(address))
    try:
        await transactions.open()
        await transactions.run(migrate)
    except database_errors() as error:
        await transactions.close()
        shown = address.render_as_string(hide_password=True)
        raise BadInput(f"The ledger {shown} can't be opened: {reason_of(error)}.", field=LEDGER_URL) from None
    except BaseException:
        await transactions.close()
        raise
    return transactions


class _OverTheNetwork:
    """A server's transactions, many at once."""

    def __init__(self, address: sa.URL) -> None:
        # With it comes SQLAlchemy's whole ORM: a tenth of a second, for nothing where the ledger is a file.
        from sqlalchemy.ext.asyncio import create_async_engine

        self._engine = create_async_engine(
            address, pool_size=4, max_overflow=16, pool_pre_ping=True,
            # Behind a pooler such as PgBouncer a connection's prepared statements are somebody else's.
            connect_args={"timeout": 10, "statement_cache_size": 0},
        )

    async def open(self) -> None:
        """There is nothing to be done before."""

    async def run(self, work: Work[_T]) -> _T:
        async with self._engine.begin() as connection:
            return await connection.run_sync(work)

    async def close(self) -> None:
        await self._engine.dispose()


class _GivenUp(Exception):
    """Whoever asked for the transaction does not want it any more."""


class _InOneThread:
    """SQLite's transactions, one after another in one thread.

    SQLite lets one write at a time in any case, and makes the others sleep; and to wait for a thread's turn with each
    statement of each transaction took ten times as long as the statements did.
    """

    def __init__(self, address: sa.URL, patience: float) -> None:
        self._engine = sa.create_engine(address, pool_size=1, max_overflow=0, connect_args={"timeout": _LOOKS_UP})
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ledger")
        self._patience = patience
        self._asked: _Asked

        @sa.event.listens_for(self._engine, "connect")
        def prepare(connection: Any, _: Any) -> None:
            # The driver must not begin transactions of its own: it does so too late, after the reads that they rest on.
            connection.isolation_level = None
            cursor = connection.cursor()
            # A commit is on the disk when it returns: what was bought must outlast a power cut.
            cursor.execute("PRAGMA synchronous=FULL")
            cursor.execute("PRAGMA foreign_keys=ON")
            cursor.close()

        @sa.event.listens_for(self._engine, "begin")
        def begin(connection: sa.Connection) -> None:
            cursor = connection.connection.cursor()
            self._asked.try_until_unlocked(lambda: cursor.execute("BEGIN IMMEDIATE"))
            cursor.close()

    async def open(self) -> None:
        await self._in_turn(self._use_wal)

    async def run(self, work: Work[_T]) -> _T:
        return await self._in_turn(lambda: self._transact(work))

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._engine.dispose)
        self._thread.shutdown()

    async def _in_turn(self, do: Callable[[], _T]) -> _T:
        """Do it in the thread, when its turn has come."""
        asked = _Asked(time.monotonic() + self._patience)

        def do_as_asked() -> _T:
            self._asked = asked
            return do()

        turn = self._thread.submit(do_as_asked)
        ending = asyncio.wrap_future(turn)
        try:
            return await asyncio.shield(ending)
        except asyncio.CancelledError:
            asked.given_up.set()
            # One whose turn has not come is not begun any more. Else whoever is cancelled goes on when it is certain
            # what the database holds.
            if not turn.cancel():
                await asyncio.wait({ending})
                if not ending.cancelled():
                    ending.exception()
            raise

    def _transact(self, work: Work[_T]) -> _T:
        with self._engine.begin() as connection:
            done = work(connection)
            if self._asked.given_up.is_set():
                raise _GivenUp
            return done

    def _use_wal(self) -> None:
        """Switch the file to write-ahead logging, once; SQLite does not wait for its own lock in this."""
        def switch() -> None:
            connection = self._engine.raw_connection()
            try:
                connection.cursor().execute("PRAGMA journal_mode=WAL").close()
            finally:
                connection.close()

        self._asked.try_until_unlocked(switch, pause=0.05 + 0.001 * (os.getpid() % 50))


@dataclass(frozen=True, slots=True)
class _Asked:
    """What somebody has asked for: until when it may wait (by the monotonic clock), and whether it is still wanted."""

    until: float
    given_up: threading.Event = field(default_factory=threading.Event)

    def try_until_unlocked(self, attempt: Callable[[], object], *, pause: float = 0.0) -> None:
        """Try again for as long as another process has the file locked. Raises its error, _GivenUp."""
        while True:
            if self.given_up.is_set():
                raise _GivenUp
            try:
                attempt()
                return
            except sqlite3.OperationalError as error:
                is_locked = getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
                if not is_locked or time.monotonic() >= self.until:
                    raise
            time.sleep(pause)
