"""Work of the disk in a thread, which is over when whoever asked for it goes on, cancelled or not."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def in_thread(work: Callable[..., T], *given: object) -> T:
    """What `work` gives, done in a thread.

    Whoever is cancelled stays until it has ended: the file is closed then, and a thread that is still at it would read
    from or write to whatever is opened next under that number.
    """
    doing = asyncio.get_running_loop().run_in_executor(None, work, *given)
    try:
        return await asyncio.shield(doing)
    except asyncio.CancelledError:
        while not doing.done():
            # Cancelled once more, or by the end of the loop.
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait({doing})
        if not doing.cancelled():
            doing.exception()
        raise
