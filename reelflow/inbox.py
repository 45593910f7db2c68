"""An inbox: a folder or a prefix that clips arrive in, of which only those that are whole are looked at."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import itertools
import logging
import os
import shutil
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from reelflow import remote
from reelflow.clip_list import FILMS, PICTURES
from reelflow.errors import BadInput
from reelflow.home import expanded
from reelflow.legible import is_legible, legible, shortened

logger = logging.getLogger(__name__)

ASIDE = "failed"
_LONGEST_NAME = 255  # bytes
_TEMPORARY = (".part", ".tmp", ".temp", ".crdownload", ".download", ".filepart", ".partial", "~")


@dataclass(frozen=True, slots=True)
class Arrival:
    """A clip in an inbox: where it lies, its size, and what changes when it does (a time of writing, an ETag)."""

    source: str
    size_bytes: int
    mark: str

    @property
    def name(self) -> str:
        """Its name in the inbox."""
        return self.source.rpartition("/")[2]


async def find_arrivals(inbox: str, *, settle_seconds: float, pictures: bool) -> tuple[Arrival, ...]:
    """The clips of an inbox that nobody writes to any more: unchanged for `settle_seconds`, by their own time or ours.

    What has a temporary name is left alone. An object store shows a file only once it is whole. Raises BadInput.
    """
    first = await asyncio.to_thread(_look, inbox, pictures)
    if remote.shows_whole(inbox):
        return first
    # What another machine's clock says of a file can't be held against ours.
    if not (young := [one for one in first if remote.is_remote(inbox) or _age(one) < settle_seconds]):
        return first
    await asyncio.sleep(settle_seconds)
    second = set(await asyncio.to_thread(_look, inbox, pictures))
    return tuple(one for one in first if one not in young or one in second)


async def is_there(inbox: str, arrival: Arrival, *, pictures: bool) -> bool:
    """Whether a clip still lies in its inbox. Raises BadInput."""
    return arrival.source in {one.source for one in await asyncio.to_thread(_look, inbox, pictures)}


async def put_aside(inbox: str, arrival: Arrival, why: str) -> str:
    """Move a clip that failed out of the way, with a note that says why beside it; gives where it lies now.

    Raises:
        BadInput, SourceFault: it can't be moved.
    """
    return await asyncio.to_thread(_put_aside, inbox, arrival, why)


def _put_aside(inbox: str, arrival: Arrival, why: str) -> str:
    if remote.is_remote(inbox):
        there = next(place for name in _names(arrival.name)
                     if remote.look_at(place := remote.join(inbox, f"{ASIDE}/{name}"), field="inbox") is None)
        remote.move(arrival.source, there)
        remote.write(remote.join(inbox, f"{ASIDE}/{_note_of(there.rpartition('/')[2])}"), f"{why}\n".encode())
        return there
    try:
        folder = Path(inbox) / ASIDE
        folder.mkdir(exist_ok=True)
        target = next(one for name in _names(arrival.name) if not os.path.lexists(one := folder / name))
        target.with_name(_note_of(target.name)).write_text(f"{why}\n", "utf-8")
        shutil.move(arrival.source, target)
    except OSError as error:
        raise BadInput(f"{arrival.source} can't be moved to {inbox}/{ASIDE}: {error.strerror}.",
                       field="inbox") from None
    return str(target)


def _names(name: str) -> Iterator[str]:
    """A name, and others for what has the name of one that lies there already."""
    yield name
    stem, dot, suffix = name.rpartition(".")
    for end in (f"-{number}{dot}{suffix}" for number in itertools.count(2)):
        yield shortened(stem, _LONGEST_NAME - len(end.encode())) + end


def _note_of(name: str) -> str:
    """The name of the note on what is put aside under a name; its own too where that leaves no room for more."""
    end = ".txt"
    if len(f"{name}{end}".encode()) > _LONGEST_NAME:
        end = f"-{hashlib.sha256(name.encode()).hexdigest()[:8]}{end}"
    return shortened(name, _LONGEST_NAME - len(end)) + end


def _look(inbox: str, pictures: bool) -> tuple[Arrival, ...]:
    endings = PICTURES if pictures else FILMS
    if remote.is_web(inbox):
        raise BadInput(f"Nobody can look into {inbox}: name a folder, or a prefix such as s3://bucket/in/.",
                       field="inbox")
    if remote.is_remote(inbox):
        files = remote.list_files(inbox, field="inbox", may_be_empty=True)
        found = [Arrival(one.address, one.size_bytes, one.mark) for one in files]
    else:
        try:
            paths = sorted(expanded(inbox).absolute().iterdir())
        except FileNotFoundError:
            raise BadInput(f"There is no folder {inbox}: name one that clips arrive in.", field="inbox") from None
        except OSError as error:
            raise BadInput(f"The inbox {inbox} can't be read: {error.strerror}.", field="inbox") from None
        found = [Arrival(str(path), lies.st_size, str(lies.st_mtime_ns)) for path in paths
                 if (lies := _stat_of(path)) is not None]
    clips = [one for one in found if _is_clip(one.name.lower(), endings) and one.size_bytes]
    for one in clips:
        if not is_legible(one.source):
            logger.warning("%s stays in the inbox: its name is not in UTF-8, and no report could tell it. Rename it.",
                           legible(one.source))
    return tuple(one for one in clips if is_legible(one.source))


def _stat_of(path: Path) -> os.stat_result | None:
    """What a regular file is like; None of anything else, of one that was taken away just now, of a link to nothing.

    What may not be looked at is passed over too, and told in the log.
    """
    try:
        found = path.stat()
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            logger.warning("%s stays in the inbox: it can't be read (%s).", legible(str(path)), error.strerror)
        return None
    return found if stat.S_ISREG(found.st_mode) else None


def _is_clip(name: str, endings: tuple[str, ...]) -> bool:
    return name.endswith(endings) and not name.startswith((".", "~")) and not any(
        f"{ending}." in name for ending in _TEMPORARY)


def _age(arrival: Arrival) -> float:
    return time.time() - int(arrival.mark) / 1e9
