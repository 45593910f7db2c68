"""Progress of a phase (prepare, upload, wait, fetch, finish), told to the Prefect UI and to whoever listens."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from prefect.artifacts import acreate_progress_artifact, aupdate_progress_artifact
from prefect.logging import get_logger

from reelflow.errors import ReelflowError
from tasks.folded import is_folded

UPDATE_SECONDS = 1.0
_LAST_SECONDS = 10
logger = get_logger(__name__)
steps = logging.getLogger("reelflow.phase")
"""For what the run's log tells of each phase: below `reelflow`, whose lines reach the Prefect logs."""


@dataclass(frozen=True, slots=True)
class Moment:
    """Where a phase stands: what it works on, its part done (0..1, None where that can't be known), a few words.

    One that was `stopped` by somebody has `failed` too, through no fault of its own.
    """

    phase: str
    of: str = ""
    done: float | None = None
    note: str = ""
    ended: bool = False
    failed: bool = False
    stopped: bool = False


Listener = Callable[[Moment], None]
_listener: ContextVar[Listener | None] = ContextVar("phase_listener", default=None)
_times: ContextVar[dict[str, float] | None] = ContextVar("phase_times", default=None)
_late: ContextVar[set[asyncio.Task[None]] | None] = ContextVar("phases_still_shown", default=None)


@contextlib.contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Have every phase that runs inside the block told to `listener` at once, not only each second."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


@contextlib.contextmanager
def timing() -> Iterator[dict[str, float]]:
    """A dict that gets the seconds of each phase that ends inside the block."""
    times: dict[str, float] = {}
    token = _times.set(times)
    try:
        yield times
    finally:
        _times.reset(token)


@contextlib.asynccontextmanager
async def shown_in_the_end() -> AsyncIterator[None]:
    """What phases inside the block have still to show is waited for when the block ends, and not by each of them."""
    late: set[asyncio.Task[None]] = set()
    token = _late.set(late)
    try:
        yield
    finally:
        _late.reset(token)
        if late:
            await asyncio.wait(late, timeout=_LAST_SECONDS)


async def shown(work: Coroutine[Any, Any, Any], *, what: str) -> None:
    """Have something shown in the Prefect UI. What can't be shown is logged, and never fails the run."""
    try:
        await work
    except Exception:  # whatever the API says, the film goes on
        logger.warning("%s could not be shown in the Prefect UI.", what, exc_info=True)


async def shown_late(work: Coroutine[Any, Any, Any], *, what: str) -> None:
    """The same, while the run goes on; outside of `shown_in_the_end` at once."""
    late = _late.get()
    if late is None:
        await shown(work, what=what)
    else:
        late.add(asyncio.create_task(shown(work, what=what)))


class Phase:
    """The phase that is running; `move` may be called as often as one likes."""

    def __init__(self, name: str, of: str) -> None:
        self.moment = Moment(name, of, 0.0)
        self.earlier = 0.0
        """Seconds for which its work went on before the phase began."""
        self.ended = asyncio.Event()
        self._listener = None if is_folded() else _listener.get()

    def move(self, done: float | None = None, note: str | None = None) -> None:
        """Say how far it is: `done` from 0 to 1, and what is happening."""
        part = self.moment.done if done is None else min(max(done, 0.0), 1.0)
        self._tell(replace(self.moment, done=part, note=self.moment.note if note is None else note))

    def unmeasured(self, note: str) -> None:
        """Say what is happening where nobody can know how far it is."""
        self._tell(replace(self.moment, done=None, note=note))

    def end(self, ok: bool, *, stopped: bool = False) -> None:
        """Say that it is over."""
        self._tell(replace(self.moment, done=1.0 if ok else self.moment.done, ended=True, failed=not ok,
                           stopped=stopped))
        self.ended.set()

    def _tell(self, moment: Moment) -> None:
        self.moment = moment
        if self._listener is not None:
            self._listener(moment)


@contextlib.asynccontextmanager
async def phase(name: str, *, of: str = "", artifact: bool = True) -> AsyncIterator[Phase]:
    """A phase with a progress artifact in the Prefect UI, updated at most once a second.

    One that ends well within its first second leaves none: nobody sees it move, and its task run says that it's done.
    `of` is what the phase works on. An artifact that can't be written is logged and never fails the work.
    """
    running = Phase(name, of)
    running.move(0.0, "")
    began = time.monotonic()
    updates = asyncio.create_task(_show(running)) if artifact and not is_folded() else None
    ok = stopped = False
    try:
        yield running
        ok = True
    except asyncio.CancelledError:
        stopped = True
        raise
    except ReelflowError as error:
        error.where = error.where or f"{name} {of}".strip()
        raise
    finally:
        times, took = _times.get(), running.earlier + time.monotonic() - began
        if times is not None:
            times[name] = times.get(name, 0.0) + took
        steps.info("%s: %s after %.2f s", f"{name} {of}".strip(), _ended(ok=ok, stopped=stopped), took)
        running.end(ok, stopped=stopped)
        late = _late.get()
        if updates is not None and late is not None:
            late.add(updates)
        elif updates is not None:
            # Neither how the showing ends nor how long it takes is the work's concern.
            await asyncio.wait({updates}, timeout=_LAST_SECONDS)
            updates.cancel()


def _ended(*, ok: bool, stopped: bool) -> str:
    return "done" if ok else "stopped" if stopped else "failed"


async def _show(running: Phase) -> None:
    """Write the artifact while the phase runs and once more at its end; none of one that was over before a write."""
    shown: Moment | None = None
    artifact_id: UUID | None = None
    title = f"{running.moment.phase} {running.moment.of}".strip()
    while True:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(running.ended.wait(), UPDATE_SECONDS)
        moment = running.moment
        if moment.ended and not moment.failed and artifact_id is None:
            return
        if moment != shown:
            description = f"{title}: {moment.note}" if moment.note else title
            percent = round((moment.done or 0.0) * 100, 1)
            try:
                if artifact_id is None:
                    key = re.sub(r"[^a-z0-9]+", "-", moment.phase.lower()).strip("-")
                    artifact_id = await acreate_progress_artifact(
                        percent, key=f"progress-{key}", description=description
                    )
                else:
                    await aupdate_progress_artifact(artifact_id, percent, description=description)
            except Exception:  # whatever the API says, the film goes on
                logger.warning("The progress of %s could not be shown in the Prefect UI.", title, exc_info=True)
                return
            shown = moment
        if moment.ended:
            return
