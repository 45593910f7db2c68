"""Transactions on an SQLite file: in the loop's own time where its disk is quick, else in a thread."""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

import sqlalchemy as sa

from reelflow.job.asked import Asked, tell
from reelflow.job.prepared import DRIVER
from reelflow.quickness import Quickness

_T = TypeVar("_T")

# So many are committed together at most: those who came first wait for the last.
_TOGETHER = 64
_BEGIN = "BEGIN IMMEDIATE"


class SqliteFile:
    """The transactions of a file, one after another.

    SQLite lets one write at a time in any case, and makes the others sleep. To get many onto the disk takes no longer
    than one: those who ask in the same turn of the loop, or wait in the same line, are committed together, each whole
    or not at all by itself.

    A commit on a quick disk takes a tenth of a millisecond; to wake a thread and be woken by it takes as long again. So
    the loop does it in its own time, as long as no step takes more than `quick` seconds. Where one does, the thread
    does it but for a try now and then, and where another process has locked the file, which is waited for up to
    `patience` seconds.
    """

    def __init__(self, address: sa.URL, patience: float, quick: float) -> None:
        # Nobody may sleep in SQLite itself: the loop can't, and the thread looks up whether it is still wanted.
        # The connection is used by one at a time: the loop leaves it alone while the thread has anything to do.
        self._engine = sa.create_engine(
            address, pool_size=1, max_overflow=0, connect_args={"timeout": 0, "check_same_thread": False})
        self._thread = threading.Thread(target=self._serve, name="ledger", daemon=True)
        self._patience, self._quickness = patience, Quickness(quick)
        self._longest = 0.0  # seconds of the longest step of this transaction
        self._asking: deque[Asked] = deque()  # in this turn of the loop
        self._line: queue.SimpleQueue[Asked | None] = queue.SimpleQueue()
        self._sent: set[Asked] = set()
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
        asked = self._ask(self._connect)
        self._send(asked)
        await self._end_of(asked)

    async def run(self, work: Callable[[sa.Connection], _T]) -> _T:
        def do() -> _T:
            assert self._connection is not None
            return work(self._connection)

        asked = self._ask(do)
        if not self._asking:
            self._loop.call_soon(self._take_up)
        self._asking.append(asked)
        done: _T = await self._end_of(asked)
        return done

    async def close(self) -> None:
        self._is_closed = True
        self._send_all()
        self._line.put(None)
        if self._thread.is_alive():
            await asyncio.to_thread(self._thread.join)

    def _ask(self, do: Callable[[], object]) -> Asked:
        if self._is_closed:
            raise RuntimeError("The ledger was closed before.")
        return Asked(do, time.monotonic() + self._patience, self._loop.create_future())

    async def _end_of(self, asked: Asked) -> Any:
        """How it ended. Raises its error."""
        try:
            return await asked.ending
        except asyncio.CancelledError:
            asked.is_given_up = True
            # One whose turn has not come is not begun any more. Else whoever is cancelled goes on when it is certain
            # what the database holds.
            if asked.begin():
                self._sent.discard(asked)
                self._go_on()
            elif not asked.is_over:
                asked.ending = self._loop.create_future()
                await asyncio.wait({asked.ending})
            raise

    def _take_up(self) -> None:
        """Serve those who have asked in this turn of the loop, or send them to the thread.

        While the connection is the thread's still, those that the loop is to serve wait until it is done.
        """
        if self._quickness.is_the_loops and self._sent:
            return
        if self._quickness.is_the_loops and (first := self._next_here()) is not None:
            together, before = [first], self._driver.total_changes
            if self._transact(together, self._next_here, lambda: self._driver.execute(_BEGIN)):
                self._quickness.learn(self._longest, has_written=self._driver.total_changes != before)
                tell(together)
                self._go_on()
                return
            # Locked by another process, most likely. The thread has time to wait for that, or to say what else it is.
            first.error = None
            self._send(first)
        self._send_all()

    def _go_on(self) -> None:
        """Take up those who are left, in the next turn of the loop."""
        if self._asking:
            self._loop.call_soon(self._take_up)

    def _next_here(self) -> Asked | None:
        """The next of those who have asked in this turn of the loop and have not been cancelled since."""
        while self._asking:
            asked = self._asking.popleft()
            if not asked.ending.done():
                return asked
        return None

    def _send_all(self) -> None:
        while (asked := self._next_here()) is not None:
            self._send(asked)

    def _send(self, asked: Asked) -> None:
        self._sent.add(asked)
        self._line.put(asked)

    def _receive(self, ended: list[Asked]) -> None:
        """What the thread has done, in the loop's thread."""
        self._sent.difference_update(ended)
        self._quickness.was_the_threads()
        tell(ended)
        self._go_on()

    def _serve(self) -> None:
        """What the thread does: first it connects, then it transacts."""
        act = self._connect_for
        while (asked := self._next(wait=True)) is not None:
            together = [asked]
            try:
                act(together)
            except BaseException as error:
                asked.error = error
            act = self._wait_and_transact
            with contextlib.suppress(RuntimeError):  # The loop is closed: nobody is there to be told.
                self._loop.call_soon_threadsafe(self._receive, together)
        if self._connection is not None:
            # The last to close the file writes its log back into it: one that is copied then is whole.
            self._connection.close()
        self._engine.dispose()

    def _next(self, *, wait: bool) -> Asked | None:
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

    def _wait_and_transact(self, together: list[Asked]) -> None:
        first = together[0]
        self._transact(together, lambda: self._next(wait=False),
                       lambda: first.try_until_unlocked(lambda: self._driver.execute(_BEGIN)))

    def _transact(
        self, together: list[Asked], following: Callable[[], Asked | None], begin: Callable[[], object]
    ) -> bool:
        """One transaction for the first of a list and for those who follow, who join the list; says whether SQLite has
        begun it.

        What goes wrong befalls all of them but those who have an error of their own.
        """
        self._longest, has_begun = 0.0, False
        try:
            try:
                begin()
                has_begun = True
                self._timed(together[0].act)
                while len(together) < _TOGETHER and (asked := following()) is not None:
                    together.append(asked)
                    self._act_apart(asked)
                self._timed(self._driver.execute, "COMMIT")
            finally:
                if self._driver.in_transaction:
                    self._driver.execute("ROLLBACK")
        except BaseException as error:
            has_begun = has_begun or not isinstance(error, sqlite3.Error)
            for one in together:
                one.error = one.error or error
        return has_begun

    def _timed(self, do: Callable[..., object], *given: str) -> None:
        began = time.perf_counter()
        do(*given)
        self._longest = max(self._longest, time.perf_counter() - began)

    def _act_apart(self, asked: Asked) -> None:
        """Do one's work so that it can be taken back without that of those before it."""
        self._driver.execute("SAVEPOINT apart")
        try:
            self._timed(asked.act)
        except BaseException as error:
            # With some, such as that of a full disk, SQLite has taken back all of it.
            if not self._driver.in_transaction:
                raise
            self._driver.execute("ROLLBACK TO apart")
            asked.error = error
        self._driver.execute("RELEASE apart")

    def _connect_for(self, together: list[Asked]) -> None:
        # Two that open the file at once must not try at it in step.
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
