"""Work of the disk: a little of it in the loop's own time where the disk is quick, all else in a thread."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from reelflow.quickness import QUICK, Quickness

T = TypeVar("T")

# So many bytes the loop reads or writes itself: a picture, a film of a second.
LITTLE = 256 * 1024


class Disk:
    """A disk that results are brought to, and how quick it has shown itself to be.

    To hand work to a thread and hear of its end costs more CPU than to write a small film, and a thread waits for the
    interpreter's lock after each step of it. `quick` is how many seconds the loop may stand still (0: not at all).
    """

    def __init__(self, quick: float = QUICK) -> None:
        self._quickness = Quickness(quick)

    async def do(self, size_bytes: int, work: Callable[..., T], *given: object) -> T:
        """What `work` gives, which writes so many bytes and is done when this returns, cancelled or not."""
        if size_bytes > LITTLE:
            return await in_thread(work, *given)
        if not self._quickness.is_the_loops:
            self._quickness.was_the_threads()
            return await in_thread(work, *given)
        began = time.perf_counter()
        try:
            return work(*given)
        finally:
            self._quickness.learn(time.perf_counter() - began, has_written=True)


async def in_thread(work: Callable[..., T], *given: object, stopped: threading.Event | None = None) -> T:
    """What `work` gives, done in a thread.

    Whoever is cancelled stays until it has ended: the file is closed then, and a thread that is still at it would read
    from or write to whatever is opened next under that number. `stopped` is set by then, for work that looks at it.
    """
    doing = asyncio.get_running_loop().run_in_executor(None, work, *given)
    try:
        return await asyncio.shield(doing)
    except asyncio.CancelledError:
        if stopped is not None:
            stopped.set()
        while not doing.done():
            # Cancelled once more, or by the end of the loop.
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait({doing})
        if not doing.cancelled():
            doing.exception()
        raise


async def in_stoppable_thread(work: Callable[..., T], *given: object, **named: object) -> T:
    """The same of work that takes an event, `stopped`, and looks at it between its steps."""
    stopped = threading.Event()
    return await in_thread(partial(work, *given, **named, stopped=stopped), stopped=stopped)
