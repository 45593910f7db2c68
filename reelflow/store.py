"""Films and pictures by content: written whole, named by their SHA-256, and never served damaged."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import logging
import os
import shutil
import struct
import sys
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from reelflow.digest import digest_of, digest_of_opened, digest_of_source
from reelflow.disk import Disk

logger = logging.getLogger(__name__)

_LOCK_PAUSE = 0.1
# An edited picture comes once, and its reply and the word in the ledger for it take minutes at most.
_STILL_COMING = 1800.0
_LOCKS = "all.lock"
# Of this kind Python's own fcntl knows only the number: what it takes is as Linux has it on every 64-bit machine.
_KNOWS_BYTES = sys.platform == "linux" and sys.maxsize > 2**32


@dataclass(frozen=True, slots=True)
class Kept:
    """A file in the store: its SHA-256 (hex), its size in bytes, and where it lies."""

    digest: str
    size_bytes: int
    path: Path


@dataclass(frozen=True, slots=True)
class Usage:
    """A number of files and their bytes."""

    files: int
    size_bytes: int


class Store:
    """Finished results under `root`, by content; `root/incoming` holds what is still being brought over.

    `disk` is the one that it lies on.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.disk = Disk()
        self._locks_bytes: bool | None = None if _KNOWS_BYTES else False
        self._synced: set[Path] = set()

    def incoming(self, name: str) -> Path:
        """Where a result called `name` is written before it is kept; the same in each run, so that one goes on."""
        folder = self.root / "incoming"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / name

    @contextlib.asynccontextmanager
    async def alone(self, name: str) -> AsyncIterator[None]:
        """Of all runs that use this folder, one at a time is inside for the same name; a dead one does not count."""
        with self._lock_of(name) as (lock, at):
            while not _locked(lock, at):  # noqa: ASYNC110 - the other one may be another process
                await asyncio.sleep(_LOCK_PAUSE)
            yield

    @contextlib.contextmanager
    def _lock_of(self, name: str) -> Iterator[tuple[IO[bytes], int | None]]:
        """The file to lock for a name, opened, and the byte of it (None: all of it).

        Where the system can lock a byte for one opening of a file, all names share a file: to make a file for each is
        what costs most of all that is done to bring a small film home.
        """
        if self._locks_bytes is None:
            with self.incoming(_LOCKS).open("ab", buffering=0) as lock:
                self._locks_bytes = _can_lock_bytes(lock)
        at = int.from_bytes(hashlib.sha256(name.encode()).digest()[:7], "big") if self._locks_bytes else None
        with self.incoming(_LOCKS if at is not None else f"{name}.lock").open("ab", buffering=0) as lock:
            yield lock, at

    async def keep(self, path: Path, *, leave: bool = False) -> Kept:
        """Move a whole file into the store, under its digest and with its suffix. It must lie on the store's disk.

        With `leave` it also stays where it is, for the caller to remove.
        """
        return await self.disk.do(path.stat().st_size, self._keep, path, leave)

    async def keep_bytes(self, content: bytes, suffix: str) -> Kept:
        """Write bytes into the store, as a file with that suffix."""
        return await self.disk.do(len(content), self._keep_bytes, content, suffix)

    async def find(self, digest: str, suffix: str) -> Path | None:
        """The file of a digest, read through and found sound; None where it is missing or was damaged (and removed)."""
        return await asyncio.to_thread(self._find, self._place(digest, suffix), digest)

    def digest(self, path: Path) -> str:
        """The SHA-256 of a file's bytes, in hex; one that is kept here is named by it."""
        return path.stem if path.is_relative_to(self.root) else digest_of_source(path)

    async def usage(self) -> Usage:
        """What lies in the store."""
        return await asyncio.to_thread(lambda: _sum(self._files()))

    async def clear(self, *, unused_for: float) -> Usage:
        """Remove what nobody has used for so many seconds, but for what is still coming in; says what was removed."""
        return await asyncio.to_thread(self._clear, time.time() - unused_for)

    def _place(self, digest: str, suffix: str) -> Path:
        return self.root / digest[:2] / f"{digest}{suffix}"

    def _keep(self, path: Path, leave: bool) -> Kept:
        if leave:
            path, left = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.part"), path
            shutil.copyfile(left, path)
            suffix = left.suffix
        else:
            suffix = path.suffix
        with path.open("rb", buffering=0) as file:
            digest, stat = digest_of_opened(file), os.fstat(file.fileno())
            os.fsync(file.fileno())
            place = self._place(digest, suffix)
            self._make_room(place.parent)
            path.replace(place)
            _sync_folder(place.parent)
            # Noted as used, but after the rest: that need not be on the disk.
            os.utime(file.fileno(), ns=(time.time_ns(), stat.st_mtime_ns))
        return Kept(digest, stat.st_size, place)

    def _keep_bytes(self, content: bytes, suffix: str) -> Kept:
        path = self.incoming(f"{uuid.uuid4().hex}{suffix}")
        try:
            path.write_bytes(content)
            return self._keep(path, leave=False)
        finally:
            path.unlink(missing_ok=True)

    def _make_room(self, folder: Path) -> None:
        """Make a folder of ours, and make it outlast a power cut: once, for as long as it is there."""
        if folder in self._synced and folder.is_dir():
            return
        folder.mkdir(parents=True, exist_ok=True)
        _sync_folder(self.root)
        self._synced.add(folder)

    def _find(self, place: Path, digest: str) -> Path | None:
        try:
            sound = digest_of(place) == digest
        except FileNotFoundError:
            return None
        except OSError as error:
            logger.warning("The kept file %s can't be read (%s) and is not used.", place, error.strerror)
            return None
        if not sound:
            logger.warning("The kept file %s was damaged and is removed.", place)
            place.unlink(missing_ok=True)
            return None
        with contextlib.suppress(OSError):
            _mark_used(place)
        return place

    def _files(self) -> Iterator[tuple[Path, os.stat_result]]:
        for folder, _, names in os.walk(self.root):
            for name in names:
                if name == _LOCKS:
                    # Nothing lies in it, and who locks another one is not kept out.
                    continue
                path = Path(folder) / name
                with contextlib.suppress(FileNotFoundError):
                    yield path, path.stat()

    def _clear(self, before: float) -> Usage:
        removed, arriving = [], self.root / "incoming"
        for path, stat in self._files():
            still = min(before, time.time() - _STILL_COMING) if path.parent == arriving else before
            if max(stat.st_atime, stat.st_mtime) < still and not _in_use(path):
                path.unlink(missing_ok=True)
                removed.append((path, stat))
        return _sum(iter(removed))


def clear_notes(work_dir: Path, *, unused_for: float) -> Usage:
    """Remove the notes of prepared films, and receipts, that nobody has written or used for so many seconds.

    Says what was removed. Without its note a film is prepared again; without its receipt a finished one is not known to
    be ours.
    """
    before, removed = time.time() - unused_for, []
    for path in (*work_dir.glob("phases/*/*.json"), *work_dir.glob("receipts/*.json")):
        with contextlib.suppress(FileNotFoundError):
            if (stat := path.stat()).st_mtime < before:
                path.unlink()
                removed.append((path, stat))
    return _sum(iter(removed))


def _mark_used(path: Path) -> None:
    """Note that a file is used just now, which is what clearing goes by; the time of its bytes stays."""
    os.utime(path, ns=(time.time_ns(), path.stat().st_mtime_ns))


def _sum(files: Iterator[tuple[Path, os.stat_result]]) -> Usage:
    sizes = [stat.st_size for _, stat in files]
    return Usage(len(sizes), sum(sizes))


def _in_use(path: Path) -> bool:
    """Whether a run holds the file just now: the lock of a fetch, or the part that it writes."""
    try:
        with path.open("rb") as file:
            return not _locked(file)
    except OSError:
        return False


def _locked(lock: IO[bytes], at: int | None = None) -> bool:
    """Lock an opened file, or only the byte `at` of it, until it is closed; False where another opening of it has."""
    try:
        if at is None:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            _ask_for_byte(lock, fcntl.F_WRLCK, at)
    except BlockingIOError:
        return False
    return True


def _sync_folder(folder: Path) -> None:
    """Make a rename in this folder outlast a power cut."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _can_lock_bytes(lock: IO[bytes]) -> bool:
    """Whether system and disk know locks of one opening: not WSL 1, not each sandbox."""
    try:
        _ask_for_byte(lock, fcntl.F_UNLCK, 0)
    except OSError:
        return False
    return True


def _ask_for_byte(lock: IO[bytes], kind: int, at: int) -> None:
    fcntl.fcntl(lock, fcntl.F_OFD_SETLK, struct.pack("hhqqi0q", kind, os.SEEK_SET, at, 1, 0))
