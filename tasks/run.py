"""What a flow run holds while it lasts: settings, one queue client, the ledger, the store, a scratch folder."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import os
from collections.abc import AsyncIterator, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from pathlib import Path

from pydantic import SecretStr

from reelflow.destination import check_folder
from reelflow.errors import ReelflowError
from reelflow.job.client import QueueClient
from reelflow.job.ledger import Ledger
from reelflow.media.probe import expect_files
from reelflow.media.run import find_ffmpeg
from reelflow.scratch import scratch_folder
from reelflow.settings import Settings, read_settings
from reelflow.store import Store

# The embedded stand-in answers from this machine: the service's advice on polling does not concern it.
STANDIN_POLL_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Run:
    """The parts that the tasks of one flow run share.

    `encoding` lets a few films be encoded at a time (one that is long keeps all cores busy by itself, one that is short
    mostly waits for its process), `looking` as many children that look at files as there are cores, `jobs` as many jobs
    as the settings allow. `names` says what models' names stand for, or why that isn't known, as far as it was asked,
    one at a time (`naming`).
    """

    settings: Settings
    ffmpeg: Path
    client: QueueClient
    ledger: Ledger
    store: Store
    scratch: Path
    encoding: asyncio.Semaphore
    looking: asyncio.Semaphore
    jobs: asyncio.Semaphore
    names: dict[str, str | ReelflowError] = field(default_factory=dict)
    naming: asyncio.Lock = field(default_factory=asyncio.Lock)


_current: ContextVar[Run] = ContextVar("run")
_shared: ContextVar[Run | None] = ContextVar("shared_run", default=None)


def current_run() -> Run:
    """The run that the calling task belongs to."""
    return _current.get()


@contextlib.asynccontextmanager
async def open_run(settings: Settings | None = None) -> AsyncIterator[Run]:
    """Open what a flow run needs; close it, and remove its scratch folder, when the run ends.

    Where no queue was named, the embedded stand-in runs for as long as this does. Inside `sharing()` it is the run
    that is shared, which stays open. Raises BadInput for settings that can't be used.
    """
    if settings is None and (shared := _shared.get()) is not None:
        yield shared
        return
    settings = settings or read_settings()
    _keep_what_is_imported()
    ffmpeg = find_ffmpeg(settings.ffmpeg)
    expect_files()
    check_folder(settings.work_dir, field="REELFLOW_WORK_DIR")
    async with contextlib.AsyncExitStack() as stack:
        scratch = stack.enter_context(scratch_folder(settings.work_dir))
        base_url, identity = settings.queue_url, settings.queue_identity
        if settings.uses_standin:
            from reelflow.standin.server import running_standin

            standin = await stack.enter_async_context(
                running_standin(
                    settings.work_dir / "stand-in", ffmpeg=ffmpeg, workers=settings.standin_workers,
                    models=settings.model_table,
                )
            )
            base_url = standin.url
            settings = settings.model_copy(
                update={"poll_seconds": min(settings.poll_seconds, STANDIN_POLL_SECONDS)}
            )
        client = await stack.enter_async_context(QueueClient(
            base_url, settings.api_key or SecretStr("stand-in"), identity=identity,
            connect_timeout=settings.connect_timeout, write_timeout=settings.write_timeout,
            read_timeout=settings.read_timeout, pool_timeout=settings.pool_timeout,
            max_connections=settings.max_connections,
        ))
        ledger = await stack.enter_async_context(Ledger.open(settings.ledger_url, work_dir=settings.work_dir))
        cores = os.cpu_count() or 2
        run = Run(
            settings, ffmpeg, client, ledger, Store(settings.work_dir / "store"), scratch,
            encoding=asyncio.Semaphore(settings.encodes_at_once or _encodes(cores)), looking=asyncio.Semaphore(cores),
            jobs=asyncio.Semaphore(settings.jobs_at_once),
        )
        token = _current.set(run)
        try:
            yield run
        finally:
            _current.reset(token)


@functools.cache
def _keep_what_is_imported() -> None:
    """Have Python leave alone what is there with the first run: half a million objects of which none will go."""
    gc.freeze()


def _encodes(cores: int) -> int:
    """How many films to encode at a time on so many cores: x264 keeps some four of them busy with one.

    One more than that: a film of a second is over before this process has come to start the next.
    """
    return min(cores, max(2, cores // 4)) + 1


@contextlib.contextmanager
def sharing(run: Run, scratch: str) -> Iterator[Run]:
    """Have what is inside the block use an open run, with a scratch folder of its own in the run's, which stays."""
    own = replace(run, scratch=run.scratch / scratch)
    own.scratch.mkdir(parents=True, exist_ok=True)
    shared, current = _shared.set(own), _current.set(own)
    try:
        yield own
    finally:
        _current.reset(current)
        _shared.reset(shared)
