"""What bytes are called: the SHA-256 of a file, worked out once for as long as the file stays the same."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from io import FileIO
from pathlib import Path
from typing import NamedTuple

_MOST_KNOWN = 4096
# A file that was changed only just now may be changed once more without its time telling, whose steps some disks make
# two seconds long.
_SETTLED = 2_000_000_000


def digest_of(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hex."""
    with path.open("rb", buffering=0) as file:
        return digest_of_opened(file)


def digest_of_opened(file: FileIO) -> str:
    """The SHA-256 of what is left of a file, in hex."""
    return hashlib.file_digest(file, "sha256").hexdigest()


def known_digest_of(path: Path) -> str | None:
    """The SHA-256 of a file, if it was worked out before and the file looks as it did then: next to no time is needed.
    """
    with path.open("rb", buffering=0) as file:
        return _known.get(_as_it_is(path, file))


def digest_of_source(path: Path) -> str:
    """The SHA-256 of a file; worked out once for as long as its size and its times stay the same."""
    with path.open("rb", buffering=0) as file:
        # Of a file that is open: another machine's disk is asked anew then.
        seen = _as_it_is(path, file)
        if (digest := _known.get(seen)) is not None:
            return digest
        is_settled = time.time_ns() - max(seen.written, seen.changed) > _SETTLED
        digest = digest_of_opened(file)
    if is_settled:
        with _knowing:
            while len(_known) >= _MOST_KNOWN:
                del _known[next(iter(_known))]
            _known[seen] = digest
    return digest


class _Seen(NamedTuple):
    """What a file looks like that has the same bytes as before; times are in nanoseconds.

    `written` is what a copy may set to that of another file; `changed` is the system's own note of the last change.
    """

    path: str
    size: int
    written: int
    changed: int
    inode: int


def _as_it_is(path: Path, file: FileIO) -> _Seen:
    status = os.fstat(file.fileno())
    return _Seen(str(path), status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


_known: dict[_Seen, str] = {}
_knowing = threading.Lock()
