"""One transaction that somebody has asked for on an SQLite file: whose turn it is, how long it waits, how it ended."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

# So many seconds pass between two tries at a file that another process has locked.
_PAUSE = 0.005


class GivenUp(Exception):
    """Whoever asked for the transaction does not want it any more."""


@dataclass(slots=True, eq=False)
class Asked:
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
        """Whether its turn is the caller's: the thread's to do it, or else his who gives it up before it is begun.

        The loop takes no turns: nobody can give up what it does meanwhile.
        """
        return self._turn.acquire(blocking=False)

    def act(self) -> None:
        """Do it. Raises its error, GivenUp."""
        self.result = self.do()
        if self.is_given_up:
            raise GivenUp

    def try_until_unlocked(self, attempt: Callable[[], object], *, pause: float = _PAUSE) -> None:
        """Try again for as long as another process has the file locked. Raises its error, GivenUp."""
        while True:
            if self.is_given_up:
                raise GivenUp
            try:
                attempt()
                return
            except (sqlite3.OperationalError, sa.exc.OperationalError) as error:
                cause = getattr(error, "orig", error)
                is_locked = getattr(cause, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
                if not is_locked or time.monotonic() >= self.until:
                    raise
            time.sleep(pause)


def tell(ended: list[Asked]) -> None:
    """Wake, in the loop's thread, those who wait for what has ended."""
    for asked in ended:
        asked.is_over = True
        if asked.ending.done():
            continue
        if asked.error is None or asked.is_given_up:
            asked.ending.set_result(asked.result)
        else:
            asked.ending.set_exception(asked.error)
