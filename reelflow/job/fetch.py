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
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

from reelflow.disk import Disk, in_thread
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
    disk: Disk | None = None,
) -> Path:
    """Bring a job's content to `destination`; what an earlier try or an earlier process left is gone on with.

    `tries` count from the last one that brought a good piece further, `pause` is the first wait between two, in
    seconds. `disk` is the one of `destination`, where more is written to it.

    Raises:
        FetchFailed: it could not be brought over whole; the job is paid and can be fetched again.
        KeyRefused: the key is not taken any more.
    """
    try:
        with _part_of(destination) as part:
            await _fetch_stubbornly(open_content, part, job_id, tries, pause, on_bytes, disk or Disk())
            reached(Boundary.BEFORE_RENAME)
            return part.path.replace(destination)
    except OSError as error:
        raise FetchFailed(
            f"The result of job {job_id} can't be written to {destination.parent} ({error.strerror}): make room and "
            "run again, it is paid already.", job_id=job_id,
        ) from error


async def _fetch_stubbornly(
    open_content: OpenContent, part: _Part, job_id: str, tries: int, pause: float, on_bytes: OnBytes | None, disk: Disk
) -> None:
    failed = 0
    while True:
        before = part.size
        try:
            return await _fetch_once(open_content, part, on_bytes, disk)
        except KeyRefused:
            raise
        except (QueueFault, QueueBusy, QueueRefused) as fault:
            failed = 1 if part.size - before >= _WORTH_COUNTING else failed + 1
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
        with _appending(part)[0] as file:
            await _write(content, file, on_bytes, Disk())
        part.replace(destination)
    finally:
        part.unlink(missing_ok=True)


async def _fetch_once(
    open_content: OpenContent, part: _Part, on_bytes: OnBytes | None, disk: Disk
) -> None:
    """One request, from where the part ends if the content is known to be the same, else from the start."""
    have, was_new = part.size, part.is_new
    validator = part.mark.read_text("utf-8") if have and part.mark.exists() else None
    part.is_new = False
    try:
        async with open_content(have if validator else 0, validator) as content:
            if content.at == 0:
                if not was_new or have:
                    part.mark.unlink(missing_ok=True)
                    part.file.truncate(0)
                validator = content.validator
                if validator is not None:
                    part.mark.write_text(validator, "utf-8")
            await _write(content, part.file, on_bytes, disk)
    except QueueRefused as refusal:
        if refusal.status == 416:
            # The part is as long as the whole, or longer: only beginning again can tell which.
            part.mark.unlink(missing_ok=True)
        raise
    if validator is not None or not was_new:
        part.mark.unlink(missing_ok=True)


async def _write(content: Content, file: FileIO, on_bytes: OnBytes | None, disk: Disk) -> None:
    """Append what comes in to a file; what has come is there, also where it breaks off. Raises QueueFault, OSError."""
    came, held = content.at, bytearray()
    try:
        async for piece in content.pieces:
            held += piece
            came += len(piece)
            if on_bytes is not None:
                on_bytes(came, content.total)
            if len(held) >= _WRITTEN_AT_ONCE:
                written, held = held, bytearray()
                await in_thread(_write_all, file, written)
                reached(Boundary.IN_DOWNLOAD)
    except BaseException:
        _write_all(file, held)
        raise
    await disk.do(came, _write_the_last, file, held)
    if came == 0 or (content.total is not None and came != content.total):
        raise QueueFault(f"The content ended after {came} of {content.total or 'unknown'} bytes.")


def _write_the_last(file: FileIO, held: bytearray) -> None:
    _write_all(file, held)
    os.fsync(file.fileno())


def _write_all(file: FileIO, held: bytearray) -> None:
    view = memoryview(held)
    while view:
        view = view[file.write(view):]


@dataclass(slots=True)
class _Part:
    """A part file, opened for appending, and beside it `mark`, which says what it is a part of: one that `is_new` has
    none.
    """

    path: Path
    file: FileIO
    is_new: bool

    @property
    def size(self) -> int:
        """Its bytes so far."""
        return os.fstat(self.file.fileno()).st_size

    @property
    def mark(self) -> Path:
        """Holds the validator of the content that it is a part of."""
        return self.path.with_suffix(".from")


def _appending(path: Path) -> tuple[FileIO, bool]:
    """A file to append to, and whether it is new; its folder is made where it is missing."""
    try:
        return FileIO(path, "a", opener=_create), True
    except FileExistsError:
        return FileIO(path, "a"), False
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        return FileIO(path, "a"), False


def _create(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_EXCL, 0o666)


@contextlib.contextmanager
def _part_of(destination: Path) -> Iterator[_Part]:
    """The part file beside `destination`, locked for us; left behind by a death or a failure, to go on with.

    Where somebody else writes that part just now, it is one with a name of its own, with which nobody goes on.
    """
    part = destination.with_name(f"{destination.name}.part")
    file, is_new = _appending(part)
    with file:
        if _is_ours(part, file):
            yield _Part(part, file, is_new)
            return
    path = destination.with_name(f"{destination.name}.{uuid.uuid4().hex[:8]}.part")
    own = _Part(path, *_appending(path))
    try:
        with own.file:
            yield own
    finally:
        own.path.unlink(missing_ok=True)
        own.mark.unlink(missing_ok=True)


def _is_ours(part: Path, file: FileIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # The one who held it before may have renamed it into place between our opening and our locking it.
        return os.path.samestat(part.stat(), os.fstat(file.fileno()))
    except OSError:
        return False
