"""Whose work a disk's is: a little of it the loop's where the disk is quick, the rest a thread's."""

from __future__ import annotations

import asyncio
import threading

import pytest

from reelflow.disk import LITTLE, Disk


async def did_it(disk: Disk, size_bytes: int) -> bool:
    """Whether the loop did a piece of work itself."""
    return await disk.do(size_bytes, threading.get_ident) == threading.get_ident()


async def test_a_little_is_the_loop_s_once_two_pieces_were_a_thread_s_and_much_never_is() -> None:
    disk = Disk(quick=60.0)
    assert [await did_it(disk, 1) for _ in range(4)] == [False, False, True, True]
    assert [await did_it(disk, size) for size in (LITTLE, LITTLE + 1, LITTLE)] == [True, False, True]


async def test_on_a_disk_that_was_slow_once_a_little_is_a_thread_s_again() -> None:
    disk = Disk(quick=1e-9)
    assert [await did_it(disk, 1) for _ in range(6)] == [False, False, True, False, False, False]


@pytest.mark.parametrize("quick", [0.0, 60.0])
async def test_what_goes_wrong_is_told_whoever_did_it(quick: float) -> None:
    def fail() -> None:
        raise OSError("full")

    disk = Disk(quick)
    for _ in range(4):
        with pytest.raises(OSError, match="full"):
            await disk.do(1, fail)


async def test_whoever_is_cancelled_goes_on_when_the_thread_has_ended() -> None:
    begun, may_end, has_ended = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        may_end.wait(20)
        has_ended.set()

    doing = asyncio.create_task(Disk().do(1, work))
    await asyncio.to_thread(begun.wait, 20)
    doing.cancel()
    for _ in range(3):
        await asyncio.sleep(0)
    assert not doing.done()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await doing
    assert has_ended.is_set()
