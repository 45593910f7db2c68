"""Films by content: whole, sound, and cleared by when they were last used."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import hashlib
import os
import sys
import time
from pathlib import Path

import pytest

from reelflow.store import Store


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


async def test_bytes_are_kept_as_a_file_is(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    kept = await store.keep_bytes(b"picture", ".png")
    assert (kept.size_bytes, kept.path.read_bytes()) == (7, b"picture")
    assert await store.find(hashlib.sha256(b"picture").hexdigest(), ".png") == kept.path
    assert list((tmp_path / "store" / "incoming").iterdir()) == []


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


async def test_clearing_all_leaves_what_is_still_coming_in(tmp_path: Path) -> None:
    store = Store(tmp_path)
    kept, coming = await store.keep(incoming(store, "a.mp4", b"film")), incoming(store, "b.png", b"picture")
    await store.clear(unused_for=-60)
    assert (kept.path.exists(), coming.exists()) == (False, True)


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


async def test_what_is_locked_for_a_name_is_no_film_of_the_store(tmp_path: Path) -> None:
    store = Store(tmp_path)
    async with store.alone("one"), store.alone("two"):
        assert (await store.usage()).files == 0
        assert (await store.clear(unused_for=-60)).files == 0
        assert len(list((tmp_path / "incoming").iterdir())) == 1


async def test_one_at_a_time_is_inside_for_a_name_in_another_process_too(tmp_path: Path) -> None:
    script = (
        "import asyncio, sys\nfrom pathlib import Path\nfrom reelflow.store import Store\n"
        "async def main():\n    async with Store(Path(sys.argv[1])).alone('one'):\n"
        "        print('inside', flush=True)\n        sys.stdin.readline()\nasyncio.run(main())\n"
    )
    other = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, str(tmp_path), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
    assert other.stdout is not None and other.stdin is not None
    assert await other.stdout.readline() == b"inside\n"
    store = Store(tmp_path)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3), store.alone("one"):
            pass
    async with store.alone("two"):
        other.stdin.write(b"\n")
        async with asyncio.timeout(30), store.alone("one"):
            pass
    await other.wait()


async def test_where_the_system_can_t_lock_a_byte_there_is_a_file_for_each_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(*_: object) -> int:
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(fcntl, "fcntl", refuses)
    store = Store(tmp_path)
    async with store.alone("one"):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3), Store(tmp_path).alone("one"):
                pass
        async with store.alone("two"):
            assert {"one.lock", "two.lock"} <= {path.name for path in (tmp_path / "incoming").iterdir()}
