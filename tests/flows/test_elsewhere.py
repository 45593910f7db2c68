"""Files on their way to another machine and from it: whole or not at all, whoever else is at it, whoever is stopped."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import fsspec
import pytest
from elsewhere import Elsewhere

from reelflow import remote
from reelflow.delivery import Delivery
from reelflow.errors import SourceFault
from reelflow.receipt import Receipt
from reelflow.sources import stage_source
from reelflow.whole import name_part


def names(prefix: str) -> list[str]:
    return sorted(found.address.rpartition("/")[2] for found in remote.list_files(prefix))


def test_what_can_t_be_written_in_one_go_gets_its_name_at_the_end(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"film")
    remote.put(tmp_path / "a", f"file://{tmp_path}/deep/b.mp4")
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["b.mp4"]


def test_two_that_bring_a_file_to_one_address_write_into_no_one_part(
    elsewhere: type[Elsewhere], tmp_path: Path
) -> None:
    class Twice(elsewhere):  # type: ignore[valid-type, misc]
        """Somebody else brings a file there while one is being brought."""

        protocol = "twice"

        def put_file(self, path: str, target: str, **more: Any) -> None:
            super().put_file(path, target, **more)
            if path.endswith("first"):
                remote.put(tmp_path / "second", "twice://out/a.mp4")

    fsspec.register_implementation("twice", Twice, clobber=True)
    for name in ("first", "second"):
        (tmp_path / name).write_text(name)
    remote.put(tmp_path / "first", "twice://out/a.mp4")
    assert (remote.read("twice://out/a.mp4", max_bytes=9), names("twice://out")) == (b"first", ["a.mp4"])


def test_no_part_stays_of_what_could_not_be_brought_or_was_brought_by_one_that_is_gone(
    elsewhere: type[Elsewhere], tmp_path: Path
) -> None:
    class Stuck(elsewhere):  # type: ignore[valid-type, misc]
        """Nothing can be renamed there."""

        protocol = "stuck"

        def mv(self, path: str, target: str, **more: Any) -> None:
            raise ConnectionResetError("Connection reset by peer")

    fsspec.register_implementation("stuck", Stuck, clobber=True)
    asked = [sys.executable, "-c", "from reelflow.whole import name_part; print(name_part('a.mp4'))"]
    ended = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    going_on = name_part("a.mp4")
    for name in (ended, going_on):
        remote.write(f"stuck://out/{name}", b"half")
    (tmp_path / "a").write_bytes(b"film")
    with pytest.raises(SourceFault, match="Connection reset by peer"):
        remote.put(tmp_path / "a", "stuck://out/a.mp4")
    assert names("stuck://out") == [going_on]


def test_a_file_can_be_brought_where_nothing_may_be_listed(tmp_path: Path) -> None:
    class Drop(Elsewhere):
        """A drop folder."""

        protocol = "drop"

        def ls(self, path: str, detail: bool = True, **more: Any) -> list[Any]:
            raise PermissionError("listing is not allowed")

    fsspec.register_implementation("drop", Drop, clobber=True)
    (tmp_path / "a").write_bytes(b"film")
    remote.put(tmp_path / "a", "drop://dropped/a.mp4")
    assert remote.read("drop://dropped/a.mp4", max_bytes=10) == b"film"


@pytest.mark.parametrize("way", ["here", "there"])
async def test_whoever_is_stopped_waits_for_no_more_than_a_chunk_and_leaves_nothing_of_it(
    elsewhere: type[Elsewhere], tmp_path: Path, ffmpeg: Path, way: str
) -> None:
    begun, goes_on, chunks = threading.Event(), threading.Event(), []

    class Slow(elsewhere):  # type: ignore[valid-type, misc]
        """A chunk is read or written once it may be."""

        protocol = "slowly"

        def open(self, path: str, *given: Any, **more: Any) -> Any:
            def slowly(work: Callable[[Any], Any], chunk: Any) -> Any:
                chunks.append(chunk)
                begun.set()
                goes_on.wait(20)
                return work(chunk)

            file = super().open(path, *given, **more)
            file.read, file.write = partial(slowly, file.read), partial(slowly, file.write)
            return file

    fsspec.register_implementation("slowly", Slow, clobber=True)
    film, scratch = tmp_path / "a.mp4", tmp_path / "scratch"
    film.write_bytes(bytes(9 * 2**20))
    scratch.mkdir()
    remote.write("elsewhere://in/a.mp4", film.read_bytes())

    async def bring() -> None:
        if way == "here":
            await stage_source("slowly://in/a.mp4", scratch, work_dir=tmp_path, ffmpeg=ffmpeg, max_bytes=10**9)
        else:
            await Delivery("slowly://out", tmp_path).bring(Receipt("ask", (film,), (), (), {}))

    bringing = asyncio.create_task(bring())
    await asyncio.to_thread(begun.wait, 20)
    bringing.cancel()
    for _ in range(3):
        await asyncio.sleep(0)
    goes_on.set()
    with pytest.raises(asyncio.CancelledError):
        await bringing
    await asyncio.get_running_loop().shutdown_default_executor()  # a thread that nobody waits for has its word
    assert (len(chunks), list(scratch.iterdir()), elsewhere.store.keys() & {"/out/a.mp4"}) == (1, [], set())
    assert not [name for name in elsewhere.store if name.endswith(".part")]
