"""Bringing a result over: streamed to a part file, counted, resumed where the queue allows it, renamed when whole."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import random
import uuid
from collections.abc import Callable, Iterator
from io import FileIO
from pathlib import Path
from typing import BinaryIO

from reelflow.errors import FetchFailed, KeyRefused, QueueBusy, QueueFault, QueueRefused
from reelflow.job.boundary import Boundary, reached
from reelflow.job.content import Content
from reelflow.job.form import OnBytes

logger = logging.getLogger(__name__)

_MAX_PAUSE = 30.0
_WORTH_COUNTING = 1024 * 1024
_WRITTEN_AT_ONCE = 256 * 1024


OpenContent = Callable[[int, str | None], contextlib.AbstractAsyncContextManager[Content]]
"""Opens the content from a byte on, if it is still what a validator says, else from its start."""


async def fetch(
    open_content: OpenContent,
    destination: Path,
    *,
    job_id: str,
    tries: int = 5,
    pause: float = 1.0,
    on_bytes: OnBytes | None = None,
) -> Path:
    """Bring a job's content to `destination`; what an earlier try or an earlier process left is gone on with.

    `tries` count from the last one that brought a good piece further, `pause` is the first wait between two, in
    seconds.

    Raises:
        FetchFailed: it could not be brought over whole; the job is paid and can be fetched again.
        KeyRefused: the key is not taken any more.
    """
    try:
        with _part_of(destination) as part:
            await _fetch_stubbornly(open_content, part, job_id, tries, pause, on_bytes)
            reached(Boundary.BEFORE_RENAME)
            return part.replace(destination)
    except OSError as error:
        raise FetchFailed(
            f"The result of job {job_id} can't be written to {destination.parent} ({error.strerror}): make room and "
            "run again, it is paid already.", job_id=job_id,
        ) from error


async def _fetch_stubbornly(
    open_content: OpenContent, part: Path, job_id: str, tries: int, pause: float, on_bytes: OnBytes | None
) -> None:
    failed = 0
    while True:
        before = part.stat().st_size
        try:
            return await _fetch_once(open_content, part, on_bytes)
        except KeyRefused:
            raise
        except (QueueFault, QueueBusy, QueueRefused) as fault:
            failed = 1 if part.stat().st_size - before >= _WORTH_COUNTING else failed + 1
            if failed >= tries:
                raise FetchFailed(
                    f"The result of job {job_id} could not be fetched in {tries} tries: "
                    f"{fault.message.rstrip('.')}; the job is paid, and running again goes on fetching.",
                    job_id=job_id,
                ) from fault
            logger.warning("The result of job %s is fetched again: %s", job_id, fault.message)
            asked = 0.0 if isinstance(fault, QueueRefused) else fault.retry_after or 0.0
            backoff = min(pause * 2.0 ** (failed - 1), _MAX_PAUSE) * random.uniform(0.75, 1.25)
            await asyncio.sleep(max(asked, backoff))


async def save(content: Content, destination: Path, *, on_bytes: OnBytes | None = None) -> None:
    """Write content that can be had only once to `destination`, whole or not at all. Raises QueueFault, OSError."""
    part = destination.with_name(f".{destination.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        await _write(content, part, on_bytes)
        part.replace(destination)
    finally:
        part.unlink(missing_ok=True)


async def _fetch_once(open_content: OpenContent, part: Path, on_bytes: OnBytes | None) -> None:
    """One request, from where the part ends if the content is known to be the same, else from the start."""
    mark = part.with_suffix(".from")
    have = part.stat().st_size
    validator = mark.read_text("utf-8") if have and mark.exists() else None
    try:
        async with open_content(have if validator else 0, validator) as content:
            if content.at == 0:
                mark.unlink(missing_ok=True)
                os.truncate(part, 0)
                if content.validator is not None:
                    mark.write_text(content.validator, "utf-8")
            await _write(content, part, on_bytes)
    except QueueRefused as refusal:
        if refusal.status == 416:
            # The part is as long as the whole, or longer: only beginning again can tell which.
            mark.unlink(missing_ok=True)
        raise
    mark.unlink(missing_ok=True)


async def _write(content: Content, part: Path, on_bytes: OnBytes | None) -> None:
    """Append what comes in to `part`; what has come is there, also where it breaks off. Raises QueueFault, OSError."""
    came, held = content.at, bytearray()
    with part.open("ab", buffering=0) as file:
        try:
            async for piece in content.pieces:
                held += piece
                came += len(piece)
                if on_bytes is not None:
                    on_bytes(came, content.total)
                if len(held) >= _WRITTEN_AT_ONCE:
                    await asyncio.to_thread(_write_all, file, held)
                    held.clear()
                    reached(Boundary.IN_DOWNLOAD)
        finally:
            _write_all(file, held)
        await asyncio.to_thread(os.fsync, file.fileno())
    if came == 0 or (content.total is not None and came != content.total):
        raise QueueFault(f"The content ended after {came} of {content.total or 'unknown'} bytes.")


def _write_all(file: FileIO, held: bytearray) -> None:
    view = memoryview(held)
    while view:
        view = view[file.write(view):]


@contextlib.contextmanager
def _part_of(destination: Path) -> Iterator[Path]:
    """The part file beside `destination`, locked for us; left behind by a death or a failure, to go on with.

    Where somebody else writes that part just now, it is one with a name of its own, with which nobody goes on.
    """
    destination.parent.mkdir(parents=True, exist_ok=True)
    part = destination.with_name(f"{destination.name}.part")
    with part.open("ab") as held:
        if _is_ours(part, held):
            yield part
            return
    own = destination.with_name(f"{destination.name}.{uuid.uuid4().hex[:8]}.part")
    own.touch()
    try:
        yield own
    finally:
        own.unlink(missing_ok=True)
        own.with_suffix(".from").unlink(missing_ok=True)


def _is_ours(part: Path, held: BinaryIO) -> bool:
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # The one who held it before may have renamed it into place between our opening and our locking it.
        return os.path.samestat(part.stat(), os.fstat(held.fileno()))
    except OSError:
        return False
