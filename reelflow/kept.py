"""Prepared films by what made them, so that a phase whose steps and pictures are the same is not done again."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reelflow.digest import digest_of, digest_of_source
from reelflow.media.analysis import paint
from reelflow.media.command import Takes, prepare_arguments, remux_arguments
from reelflow.media.media_step import Given
from reelflow.media.segment_command import LIST_HEAD, LISTED, LISTS
from reelflow.plan import FromFilm, How, Plan, Prepare
from reelflow.store import Store
from reelflow.whole import written_whole

_FILE = "file:"


@dataclass(frozen=True, slots=True)
class KeptWork:
    """The files that a phase has made, and what was told of them then."""

    paths: tuple[Path, ...]
    warnings: tuple[str, ...]


def words_of(prepared: Prepare, takes: Takes, given: Given, suffix: str) -> list[str]:
    """The command that would make what is sent, by which it is known again."""
    feed, target = prepared.pictures.feed, given.room / "prepared"
    if prepared.how is How.COPY and isinstance(feed, FromFilm):
        return remux_arguments(feed.film, target)
    return prepare_arguments(prepared, takes, given, target, suffix=suffix) + [
        f"{piece.first}+{piece.frames}" for piece in prepared.pieces] + [""]


def key_of(command: Sequence[str], *, ffmpeg: Path, room: Path, parts: int = 1) -> str:
    """What a command makes, as one SHA-256: its words, with its files by their content and not by their place.

    `room` is where files of its steps' own lie; `parts` is how many files it makes. The last word, its target, does not
    count.
    """
    told = [_word(word, room) for word in command[:-1]]
    own = sorted(f"{path.name} {digest_of(path)}" for path in room.glob("*") if path.is_file()) if room.is_dir() else []
    program = ffmpeg.stat()
    named = json.dumps([2, parts, told, own, ffmpeg.name, program.st_size])
    return hashlib.sha256(named.encode()).hexdigest()


async def first_key(plan: Plan, given: Given, *, ffmpeg: Path) -> str:
    """The key of what is sent first, which rests on nothing but the source. The steps' own files are painted."""
    prepared = plan.jobs[0].prepare
    await asyncio.to_thread(paint, prepared.pictures, None, given)
    words = words_of(prepared, {}, given, ".png" if prepared.is_picture else ".mp4")
    return await asyncio.to_thread(key_of, words, ffmpeg=ffmpeg, room=given.room, parts=len(prepared.pieces))


def _word(word: str, room: Path) -> str:
    if word.startswith(_FILE) and (path := Path(word.removeprefix(_FILE))).is_file():
        return _content(path)
    return word.replace(str(room), "")


def _content(path: Path) -> str:
    """A file's SHA-256; of a list of films, that of each that it names: its own text only says how long they are."""
    with path.open("rb") as file:
        is_list = path.suffix == LISTED and file.read(len(LIST_HEAD)) == LIST_HEAD.encode()
    if not is_list:
        return digest_of_source(path)
    return json.dumps([digest_of_source(path.parent / row.removeprefix(LISTS)) if row.startswith(LISTS) else row
                       for row in path.read_text("utf-8").splitlines()])


async def find_kept(store: Store, work_dir: Path, key: str) -> KeptWork | None:
    """What was kept under a key, if every file of it is still there and sound."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        kept = json.loads(_place(work_dir, key).read_text("utf-8"))
        paths = [await store.find(digest, suffix) for digest, suffix in kept["files"]]
        found = tuple(path for path in paths if path is not None)
        if len(found) == len(paths):
            with contextlib.suppress(OSError):
                os.utime(_place(work_dir, key))  # clearing goes by that
            return KeptWork(found, tuple(kept["warnings"]))
    return None


async def keep(store: Store, work_dir: Path, key: str, made: KeptWork) -> KeptWork:
    """Move the files into the store and note them under the key. They must lie on the store's disk."""
    files = [await store.keep(path) for path in made.paths]
    place = _place(work_dir, key)
    place.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(place) as part:
        part.write_text(json.dumps({
            "files": [[file.digest, file.path.suffix] for file in files], "warnings": list(made.warnings),
        }, ensure_ascii=False), "utf-8")
    return KeptWork(tuple(file.path for file in files), made.warnings)


def _place(work_dir: Path, key: str) -> Path:
    return work_dir / "phases" / key[:2] / f"{key}.json"
