"""Films by content: whole, sound, and cleared by when they were last used."""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from pathlib import Path

import pytest

from reelflow.store import Store, digest_of_source, known_digest


def incoming(store: Store, name: str, content: bytes) -> Path:
    path = store.incoming(name)
    path.write_bytes(content)
    return path


async def test_what_is_kept_is_found_by_its_digest(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    kept = await store.keep(incoming(store, "a.mp4", b"film"))
    assert kept.digest == hashlib.sha256(b"film").hexdigest()
    assert (kept.size_bytes, kept.path.suffix, kept.path.read_bytes()) == (4, ".mp4", b"film")
    assert await store.find(kept.digest, ".mp4") == kept.path
    assert await store.find(kept.digest, ".png") is None
    assert not store.incoming("a.mp4").exists()


async def test_what_is_damaged_is_never_found_and_makes_room_for_the_good_one(tmp_path: Path) -> None:
    store = Store(tmp_path)
    kept = await store.keep(incoming(store, "a.mp4", b"film"))
    for damage in (b"filn", b"fil", b""):
        kept.path.write_bytes(damage)
        assert await store.find(kept.digest, ".mp4") is None
        assert not kept.path.exists()
        assert (await store.keep(incoming(store, "a.mp4", b"film"))).path == kept.path
        assert await store.find(kept.digest, ".mp4") == kept.path


async def test_clearing_takes_what_nobody_has_used(tmp_path: Path) -> None:
    store = Store(tmp_path)
    old = await store.keep(incoming(store, "a.mp4", b"old!"))
    used = await store.keep(incoming(store, "b.mp4", b"used"))
    part = incoming(store, "c.mp4.part", b"part of a film")
    hour_ago = time.time() - 3600
    for path in (old.path, used.path, part):
        os.utime(path, (hour_ago, hour_ago))
    assert await store.find(used.digest, ".mp4") == used.path
    assert used.path.stat().st_mtime == pytest.approx(hour_ago), "its bytes are as old as they were"
    usage = await store.usage()
    assert (usage.files, usage.size_bytes) == (3, 22)
    gone = await store.clear(unused_for=600)
    assert (gone.files, gone.size_bytes) == (2, 18)
    assert (await store.usage()).files == 1
    assert (await Store(tmp_path / "none").usage()).files == 0


async def test_one_at_a_time_is_inside_for_a_name(tmp_path: Path) -> None:
    inside, most = 0, 0

    async def enter(name: str) -> None:
        nonlocal inside, most
        async with Store(tmp_path).alone(name):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(*(enter("one") for _ in range(4)))
    assert most == 1
    async with Store(tmp_path).alone("one"), Store(tmp_path).alone("two"):
        pass


def test_a_source_is_read_once_for_as_long_as_it_looks_the_same_but_not_when_it_was_changed_only_just_now(
    tmp_path: Path,
) -> None:
    settled = Path(os.__file__)
    assert digest_of_source(settled) == known_digest(settled) == hashlib.sha256(settled.read_bytes()).hexdigest()
    path = tmp_path / "film.mp4"
    path.write_bytes(b"one")
    hour_ago = time.time() - 3600
    os.utime(path, (hour_ago, hour_ago))
    assert digest_of_source(path) == hashlib.sha256(b"one").hexdigest()
    assert known_digest(path) is None, "it says that it is old, and is not"
    path.write_bytes(b"two")
    os.utime(path, (hour_ago, hour_ago))
    assert digest_of_source(path) == hashlib.sha256(b"two").hexdigest()


async def test_what_is_locked_for_a_name_is_no_film_of_the_store(tmp_path: Path) -> None:
    store = Store(tmp_path)
    async with store.alone("one"), store.alone("two"):
        assert (await store.usage()).files == 0
        assert (await store.clear(unused_for=-60)).files == 0
        assert len(list((tmp_path / "incoming").iterdir())) == 1
