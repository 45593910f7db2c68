"""Stopping a run from outside: SIGTERM, which is what cancelling it in the Prefect UI comes to."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from collections.abc import Coroutine, Iterator
from typing import Any, cast

from prefect.client.orchestration import get_client
from prefect.runtime import flow_run
from prefect.states import Cancelled

from reelflow.errors import ReelflowError

MOST_BEGINNINGS = 10
"""How often one flow run may be begun: by Prefect's retries, by a person's answers, and because its process died."""


@contextlib.contextmanager
def cancelled_by_sigterm() -> Iterator[asyncio.Event]:
    """Have SIGTERM cancel the task that runs the block, and nothing else, where it runs in the main thread.

    Gives the event that says that SIGTERM came. Prefect 3.8 raises from its own signal handler, out of whatever runs
    just then: asyncio swallows that where it writes to a socket, and the run polls on until it's killed; anywhere else
    the whole loop is torn down, and with it the form whose reply is still to come.
    """
    came, task = asyncio.Event(), asyncio.current_task()
    if task is None or threading.current_thread() is not threading.main_thread():
        yield came
        return

    def stop() -> None:
        came.set()
        task.cancel()

    loop, previous = asyncio.get_running_loop(), signal.getsignal(signal.SIGTERM)
    loop.add_signal_handler(signal.SIGTERM, stop)
    try:
        yield came
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
        signal.signal(signal.SIGTERM, previous)


async def cancelled_in_order(work: Coroutine[Any, Any, dict[str, Any]]) -> dict[str, Any]:
    """Run a flow's whole work so that SIGTERM cancels it, and a run that somebody cancels ends as Cancelled.

    Raises:
        ReelflowError: the run was begun so often that it seems to kill its process each time.
    """
    if (flow_run.run_count or 0) > MOST_BEGINNINGS:
        work.close()
        raise ReelflowError(f"This run was begun {flow_run.run_count} times and has not ended: it seems to kill its "
                            "process (is there memory enough?). Start it anew when that is mended.")
    with cancelled_by_sigterm() as stopped:
        try:
            return await work
        except asyncio.CancelledError:
            if not (stopped.is_set() and await is_being_cancelled()):
                raise
            # Prefect takes a state that a flow gives for the run's own; nobody else gets to see it.
            return cast(dict[str, Any], Cancelled(
                message="Stopped; what was bought by then is in the ledger (`reelflow jobs list`)."))


async def is_being_cancelled() -> bool:
    """Whether somebody has asked Prefect to cancel this flow run, and it is not only its process that is stopped."""
    if flow_run.id is None:
        return False
    async with get_client() as client:
        state = (await client.read_flow_run(flow_run.id)).state
    return state is not None and state.is_cancelling()
