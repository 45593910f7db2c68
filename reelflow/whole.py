"""Files that get their names only when they are whole, and take the place of nothing that they may not replace."""

from __future__ import annotations

import contextlib
import functools
import glob
import hashlib
import os
import re
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from reelflow.errors import MediaStopped, OutputTaken
from reelflow.job.holder import this_machine

# A name of so many bytes leaves room in that of its part for who writes it.
_LONGEST_SHOWN = 200
# Nobody writes a file and brings no byte of it for a day.
_SILENT_SECONDS = 86_400.0
_PART = re.compile(r"\.(?:(?P<machine>[0-9a-f]{8})-)?(?P<pid>\d{1,9})-[0-9a-f]{8}\.part\Z")


@contextlib.contextmanager
def written_whole(destination: Path, *, replaces: bool = True) -> Iterator[Path]:
    """A path beside `destination` to write to; renamed onto it when the block ends well, removed otherwise.

    Raises OutputTaken where it `replaces` nothing and something has come to lie there meanwhile, and MediaStopped where
    nothing was written: an ffmpeg that gets a signal before it has begun ends as if all were well.

    The name is its own in each run, so that two runs with the same target never write into one file. What a process
    that was killed has left of the same target is removed: at once where it ran on this machine, and where it can't be
    looked for from here, as on a disk that machines share, once nothing was written for a day.
    """
    for left in destination.parent.glob(f".{glob.escape(_shown(destination.name))}.*.part"):
        if _is_left(left):
            left.unlink(missing_ok=True)
    part = destination.with_name(name_part(destination.name))
    try:
        yield part
        try:
            with part.open("rb") as written:
                os.fsync(written.fileno())
        except FileNotFoundError:
            raise MediaStopped(f"Nothing was written to {destination}: what was to write it was ended before it had "
                               "begun, or its part was removed.") from None
        if replaces:
            part.replace(destination)
        else:
            _put_in_place(part, destination)
    finally:
        part.unlink(missing_ok=True)


def name_part(name: str) -> str:
    """A name for the part of a file that is to have this one: who writes it is in it, and nobody else gets it."""
    return f".{_shown(name)}.{_machine()}-{os.getpid()}-{uuid.uuid4().hex[:8]}.part"


def was_left_here(name: str) -> bool:
    """Whether a name is that of a part which a process of this machine wrote that is gone."""
    writer = _PART.search(name)
    return writer is not None and writer["machine"] == _machine() and not _runs(int(writer["pid"]))


def check_free(destination: Path) -> None:
    """Raise OutputTaken where something has come to lie."""
    if destination.exists() or destination.is_symlink():
        raise OutputTaken(f"The output {destination} has been written by another run meanwhile: choose another name.",
                          field="output")


def _put_in_place(part: Path, destination: Path) -> None:
    """Give a file its final name where nothing has that. Raises OutputTaken."""
    try:
        os.link(part, destination)
    except OSError:  # it is taken, or the disk has no hard links
        check_free(destination)
        part.replace(destination)


def _shown(name: str) -> str:
    """What tells in the name of a part which file it is of."""
    raw = os.fsencode(name)
    return name if len(raw) <= _LONGEST_SHOWN else hashlib.sha256(raw).hexdigest()[:12]


@functools.cache
def _machine() -> str:
    """This machine in the name of a part."""
    return hashlib.sha256(this_machine().encode()).hexdigest()[:8]


def _is_left(part: Path) -> bool:
    """Whether who wrote a part is gone; that of an older reelflow does not say where that was."""
    if (writer := _PART.search(part.name)) is None:
        return False
    if writer["machine"] == _machine():
        return was_left_here(part.name)
    try:
        return time.time() - part.stat().st_mtime >= _SILENT_SECONDS
    except FileNotFoundError:
        return False


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
