"""Transactions on the ledger's database: each a plain function of a connection, run whole or not at all."""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import sqlalchemy as sa

from reelflow.errors import BadInput
from reelflow.job.prepared import DRIVER
from reelflow.job.schema import LEDGER_URL, database_errors, migrate, reason_of

_T = TypeVar("_T")
Work = Callable[[sa.Connection], _T]

PATIENCE = 60.0
# So soon, in seconds, one that waits for a locked file finds that it is not wanted any more.
_LOOKS_UP = 0.25
# So many are committed together at most: those who came first wait for the last.
_TOGETHER = 64


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
    """SQLite's transactions, in one thread.

    SQLite lets one write at a time in any case, and makes the others sleep; and to wait for a thread's turn with each
    statement of each transaction took ten times as long as the statements did. To get many onto the disk takes no
    longer than one: those who wait at the same moment are committed together, each whole or not at all by itself.
    """

    def __init__(self, address: sa.URL, patience: float) -> None:
        self._engine = sa.create_engine(address, pool_size=1, max_overflow=0, connect_args={"timeout": _LOOKS_UP})
        self._thread = threading.Thread(target=self._serve, name="ledger", daemon=True)
        self._patience = patience
        self._line: queue.SimpleQueue[_Asked | None] = queue.SimpleQueue()
        self._is_closed = False
        self._loop: asyncio.AbstractEventLoop
        self._connection: sa.Connection | None = None
        self._driver: sqlite3.Connection

        @sa.event.listens_for(self._engine, "connect")
        def prepare(connection: Any, _: Any) -> None:
            # The driver must not begin transactions of its own: it does so too late, after the reads that they rest on.
            connection.isolation_level = None
            cursor = connection.cursor()
            # A step of the ledger changes a little on many pages, and each goes to the log whole. (Of a file that is
            # there already the pages stay as they are.)
            cursor.execute("PRAGMA page_size=2048")
            cursor.execute("PRAGMA wal_autocheckpoint=4000")
            # A commit is on the disk when it returns: what was bought must outlast a power cut.
            cursor.execute("PRAGMA synchronous=FULL")
            cursor.execute("PRAGMA foreign_keys=ON")
            cursor.close()

    async def open(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._thread.start()
        await self._in_turn(self._connect)

    async def run(self, work: Work[_T]) -> _T:
        def do() -> _T:
            assert self._connection is not None
            return work(self._connection)

        done: _T = await self._in_turn(do)
        return done

    async def close(self) -> None:
        self._is_closed = True
        self._line.put(None)
        if self._thread.is_alive():
            await asyncio.to_thread(self._thread.join)

    async def _in_turn(self, do: Callable[[], object]) -> Any:
        """Do it in the thread, when its turn has come."""
        if self._is_closed:
            raise RuntimeError("The ledger was closed before.")
        asked = _Asked(do, time.monotonic() + self._patience, self._loop.create_future())
        self._line.put(asked)
        try:
            return await asked.ending
        except asyncio.CancelledError:
            asked.is_given_up = True
            # One whose turn has not come is not begun any more. Else whoever is cancelled goes on when it is certain
            # what the database holds.
            if not asked.begin() and not asked.is_over:
                asked.ending = self._loop.create_future()
                await asyncio.wait({asked.ending})
            raise

    def _serve(self) -> None:
        """What the thread does: first it connects, then it transacts."""
        act = self._connect_for
        while (asked := self._next(wait=True)) is not None:
            together = [asked]
            try:
                act(together)
            except BaseException as error:
                for one in together:
                    one.error = one.error or error
            act = self._transact
            with contextlib.suppress(RuntimeError):  # The loop is closed: nobody is there to be told.
                self._loop.call_soon_threadsafe(_tell, together)
        if self._connection is not None:
            # The last to close the file writes its log back into it: one that is copied then is whole.
            self._connection.close()
        self._engine.dispose()

    def _next(self, *, wait: bool) -> _Asked | None:
        """The next in the line that is still wanted; None at its end, or where none is there and none is waited for."""
        while True:
            try:
                asked = self._line.get(wait)
            except queue.Empty:
                return None
            if asked is None:
                self._line.put(None)
            if asked is None or asked.begin():
                return asked

    def _transact(self, together: list[_Asked]) -> None:
        """One transaction for the first of a list, and for those behind it in the line, who join the list.

        What is raised befalls all of them but those who have an error of their own.
        """
        first = together[0]
        first.try_until_unlocked(lambda: self._driver.execute("BEGIN IMMEDIATE"))
        try:
            first.act()
            while len(together) < _TOGETHER and (asked := self._next(wait=False)) is not None:
                together.append(asked)
                self._act_apart(asked)
            self._driver.execute("COMMIT")
        finally:
            if self._driver.in_transaction:
                self._driver.execute("ROLLBACK")

    def _act_apart(self, asked: _Asked) -> None:
        """Do one's work so that it can be taken back without that of those before it."""
        self._driver.execute("SAVEPOINT apart")
        try:
            asked.act()
        except BaseException as error:
            # With some, such as that of a full disk, SQLite has taken back all of it.
            if not self._driver.in_transaction:
                raise
            self._driver.execute("ROLLBACK TO apart")
            asked.error = error
        self._driver.execute("RELEASE apart")

    def _connect_for(self, together: list[_Asked]) -> None:
        together[0].try_until_unlocked(together[0].act, pause=0.05 + 0.001 * (os.getpid() % 50))

    def _connect(self) -> None:
        """Open the file and switch it to write-ahead logging, once; SQLite does not wait for its own lock in this."""
        connection = self._engine.connect()
        try:
            driver = connection.connection.driver_connection
            assert driver is not None
            self._driver = driver
            self._driver.execute("PRAGMA journal_mode=WAL")
        except BaseException:
            connection.close()
            raise
        self._connection = connection.execution_options(**{DRIVER: self._driver})


@dataclass(slots=True, eq=False)
class _Asked:
    """What somebody has asked for: until when it may wait (by the monotonic clock), and how it ended.

    `ending` is of the loop's thread; the others are too, once `is_over`.
    """

    do: Callable[[], object]
    until: float
    ending: asyncio.Future[Any]
    result: object = None
    error: BaseException | None = None
    is_given_up: bool = False
    is_over: bool = False
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def begin(self) -> bool:
        """Whether its turn is the caller's: the thread's to do it, or else his who gives it up before it is begun."""
        return self._turn.acquire(blocking=False)

    def act(self) -> None:
        """Do it. Raises its error, _GivenUp."""
        self.result = self.do()
        if self.is_given_up:
            raise _GivenUp

    def try_until_unlocked(self, attempt: Callable[[], object], *, pause: float = 0.0) -> None:
        """Try again for as long as another process has the file locked. Raises its error, _GivenUp."""
        while True:
            if self.is_given_up:
                raise _GivenUp
            try:
                attempt()
                return
            except (sqlite3.OperationalError, sa.exc.OperationalError) as error:
                cause = getattr(error, "orig", error)
                is_locked = getattr(cause, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
                if not is_locked or time.monotonic() >= self.until:
                    raise
            time.sleep(pause)


def _tell(ended: list[_Asked]) -> None:
    """Wake, in the loop's thread, those who wait for what has ended."""
    for asked in ended:
        asked.is_over = True
        if asked.ending.done():
            continue
        if asked.error is None or asked.is_given_up:
            asked.ending.set_result(asked.result)
        else:
            asked.ending.set_exception(asked.error)
