"""Transactions on the ledger's database: whole or not at all, also where nobody waits for them any more."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from reelflow.errors import BadInput
from reelflow.job.schema import FILE_NAME, address_of, claims
from reelflow.job.transaction import opened

HELD = {"state": "taken", "holder": "somebody", "beaten": 0, "note": ""}


def write(connection: sa.Connection, key: str) -> int:
    """Write one row, and say in which thread."""
    connection.execute(claims.insert(), {"key": key, **HELD})
    return threading.get_ident()


async def asked_of_the_thread() -> None:
    """In one turn of the loop the tasks ask, in the next what they ask for is sent to the thread."""
    for _ in range(2):
        await asyncio.sleep(0)


def keys(connection: sa.Connection) -> list[str]:
    """What is there."""
    return list(connection.execute(sa.select(claims.c.key).order_by(claims.c.key)).scalars())


# What `quick` says of a disk: no commit is quick enough for the loop to stand still meanwhile, or each is.
IN_THREAD, IN_LOOP = 0.0, float("inf")


@pytest.mark.parametrize("quick", [IN_THREAD, IN_LOOP])
async def test_many_at_once_are_each_done_whole_and_in_one_thread(work_dir: Path, quick: float) -> None:
    transactions = await opened(address_of(None, work_dir), quick=quick)
    threads = await asyncio.gather(*(
        transactions.run(lambda connection, number=number: write(connection, f"{number:03}")) for number in range(100)))
    assert len(set(threads)) == 1
    assert (threads[0] == threading.get_ident()) is (quick == IN_LOOP)
    assert await transactions.run(keys) == [f"{number:03}" for number in range(100)]
    await transactions.close()


@pytest.mark.parametrize("quick", [IN_THREAD, IN_LOOP])
async def test_what_goes_wrong_in_the_middle_leaves_nothing(work_dir: Path, quick: float) -> None:
    def write_and_fail(connection: sa.Connection) -> None:
        write(connection, "half")
        raise LookupError("in the middle")

    transactions = await opened(address_of(None, work_dir), quick=quick)
    with pytest.raises(LookupError, match="in the middle"):
        await transactions.run(write_and_fail)
    assert await transactions.run(keys) == []
    await transactions.close()


async def test_one_that_is_cancelled_is_rolled_back_before_its_caller_goes_on(work_dir: Path) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def write_slowly(connection: sa.Connection) -> None:
        write(connection, "slow")
        begun.set()
        assert go_on.wait(10)

    transactions = await opened(address_of(None, work_dir), quick=IN_THREAD)
    slow = asyncio.create_task(transactions.run(write_slowly))
    assert await asyncio.to_thread(begun.wait, 10)
    slow.cancel()
    await asyncio.sleep(0)
    assert not slow.done(), "its caller must not go on while nobody knows what the database will hold"
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await slow
    assert await transactions.run(keys) == []
    await transactions.close()


async def test_two_who_have_the_file_open_wait_for_each_other(work_dir: Path) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def read_and_write(connection: sa.Connection) -> list[str]:
        seen = keys(connection)
        begun.set()
        assert go_on.wait(10)
        write(connection, f"after {len(seen)}")
        return seen

    one, other = [await opened(address_of(None, work_dir), quick=IN_THREAD) for _ in range(2)]
    first = asyncio.create_task(one.run(read_and_write))
    assert await asyncio.to_thread(begun.wait, 10)
    second = asyncio.create_task(other.run(read_and_write))
    go_on.set()
    assert (await first, await second) == ([], ["after 0"])
    for transactions in (one, other):
        await transactions.close()


async def test_those_who_wait_at_the_same_moment_share_one_commit_and_one_s_error_is_only_his(work_dir: Path) -> None:
    begun, go_on = threading.Event(), threading.Event()
    said: list[str] = []

    def listen_and_hold(connection: sa.Connection) -> None:
        driver = connection.connection.driver_connection
        assert driver is not None
        driver.set_trace_callback(said.append)
        write(connection, "first")
        begun.set()
        assert go_on.wait(10)

    def write_and_fail(connection: sa.Connection) -> None:
        write(connection, "half")
        raise LookupError("in the middle")

    transactions = await opened(address_of(None, work_dir), quick=IN_THREAD)
    waiting = [asyncio.create_task(transactions.run(listen_and_hold))]
    assert await asyncio.to_thread(begun.wait, 10)
    waiting += [asyncio.create_task(transactions.run(work)) for work in (
        lambda connection: write(connection, "second"), write_and_fail, lambda connection: write(connection, "third"))]
    await asked_of_the_thread()
    go_on.set()
    ended = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(end) for end in ended] == [type(None), int, LookupError, int]
    assert said.count("COMMIT") == 1
    assert await transactions.run(keys) == ["first", "second", "third"]
    await transactions.close()


async def test_where_the_shared_commit_fails_nobody_takes_his_work_for_done(work_dir: Path) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def write_and_break(connection: sa.Connection) -> None:
        """A row that lacks what it refers to, which SQLite is told to see to only with the commit."""
        driver = connection.connection.driver_connection
        assert driver is not None
        driver.execute("PRAGMA defer_foreign_keys=ON")
        driver.execute("INSERT INTO purchases (id, key, queue, state, stand_in, seconds, intended_at) "
                       "VALUES ('lost', 'no such wish', '', 'intended', 0, 1, '')")
        begun.set()
        assert go_on.wait(10)

    transactions = await opened(address_of(None, work_dir), quick=IN_THREAD)
    waiting = [asyncio.create_task(transactions.run(write_and_break))]
    assert await asyncio.to_thread(begun.wait, 10)
    waiting.append(asyncio.create_task(transactions.run(lambda connection: write(connection, "beside it"))))
    await asked_of_the_thread()
    go_on.set()
    ended = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(end) for end in ended] == [sqlite3.IntegrityError] * 2
    assert await transactions.run(keys) == []
    await transactions.run(lambda connection: write(connection, "after"))
    assert await transactions.run(keys) == ["after"]
    await transactions.close()


async def test_one_of_several_that_is_cancelled_takes_only_its_own_work_back(work_dir: Path) -> None:
    all_there, begun, go_on = threading.Event(), threading.Event(), threading.Event()

    def write_slowly(connection: sa.Connection) -> None:
        write(connection, "slow")
        begun.set()
        assert go_on.wait(10)

    transactions = await opened(address_of(None, work_dir), quick=IN_THREAD)
    held, slow, other = [asyncio.create_task(transactions.run(work)) for work in (
        lambda connection: all_there.wait(10), write_slowly, lambda connection: write(connection, "other"))]
    await asked_of_the_thread()
    all_there.set()
    assert await asyncio.to_thread(begun.wait, 10)
    slow.cancel()
    await asyncio.sleep(0)
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await slow
    await asyncio.gather(held, other)
    assert await transactions.run(keys) == ["other"]
    await transactions.close()


async def test_those_who_ask_in_the_same_turn_of_the_loop_share_one_commit_and_one_s_error_is_only_his(
    work_dir: Path
) -> None:
    said: list[str] = []

    def listen(connection: sa.Connection) -> None:
        driver = connection.connection.driver_connection
        assert driver is not None
        driver.set_trace_callback(said.append)

    def write_and_fail(connection: sa.Connection) -> None:
        write(connection, "half")
        raise LookupError("in the middle")

    transactions = await opened(address_of(None, work_dir), quick=IN_LOOP)
    waiting = [asyncio.create_task(transactions.run(work)) for work in (
        listen, lambda connection: write(connection, "second"), write_and_fail,
        lambda connection: write(connection, "cancelled"), lambda connection: write(connection, "last"))]
    await asyncio.sleep(0)
    waiting[3].cancel()
    ended = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(end) for end in ended] == [type(None), int, LookupError, asyncio.CancelledError, int]
    assert said.count("COMMIT") == 1
    assert await transactions.run(keys) == ["last", "second"]
    await transactions.close()


async def test_what_was_asked_before_the_end_is_done(work_dir: Path) -> None:
    transactions = await opened(address_of(None, work_dir), quick=IN_LOOP)
    asked = asyncio.create_task(transactions.run(lambda connection: write(connection, "last")))
    await asyncio.sleep(0)
    await transactions.close()
    await asked
    transactions = await opened(address_of(None, work_dir))
    assert await transactions.run(keys) == ["last"]
    await transactions.close()


async def test_a_locked_file_is_waited_for_by_the_thread_while_the_loop_goes_on(
    work_dir: Path, held: sqlite3.Connection
) -> None:
    transactions = await opened(address_of(None, work_dir), quick=IN_LOOP)
    held.execute("BEGIN IMMEDIATE")
    first, second = [asyncio.create_task(transactions.run(lambda connection, key=key: write(connection, key)))
                     for key in "ab"]
    ready, _ = await asyncio.wait({first, second}, timeout=0.1)
    assert not ready
    held.rollback()
    threads = {await first, await second}
    assert threading.get_ident() not in threads
    assert await transactions.run(lambda connection: write(connection, "c")) == threading.get_ident()
    assert await transactions.run(keys) == ["a", "b", "c"]
    await transactions.close()


async def test_one_that_is_cancelled_before_the_file_is_found_locked_does_not_keep_the_loop_from_serving(
    work_dir: Path, held: sqlite3.Connection
) -> None:
    transactions = await opened(address_of(None, work_dir), quick=IN_LOOP)

    def cancel_the_last_and_lock(connection: sa.Connection) -> None:
        waiting[-1].cancel()
        # After this commit, and before those are served who are too many for it.
        asyncio.get_running_loop().call_soon(held.execute, "BEGIN IMMEDIATE")

    waiting = [asyncio.create_task(transactions.run(cancel_the_last_and_lock))]
    waiting += [
        asyncio.create_task(transactions.run(lambda connection, number=number: write(connection, f"{number:03}")))
        for number in range(80)
    ]
    await asyncio.wait(waiting, timeout=0.1)
    held.rollback()
    ended = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(ended[-1], asyncio.CancelledError)
    assert await transactions.run(keys) == [f"{number:03}" for number in range(79)]
    assert await transactions.run(lambda connection: write(connection, "after")) == threading.get_ident()
    await transactions.close()


async def test_who_waits_for_the_loop_is_served_when_those_before_are_cancelled(
    work_dir: Path, held: sqlite3.Connection
) -> None:
    transactions = await opened(address_of(None, work_dir), quick=IN_LOOP)
    held.execute("BEGIN IMMEDIATE")
    waiting = []
    for key in "abc":
        waiting.append(asyncio.create_task(transactions.run(lambda connection, key=key: write(connection, key))))
        await asked_of_the_thread()
    for task in waiting[:2]:
        task.cancel()
    held.rollback()
    ended = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(end) for end in ended] == [asyncio.CancelledError, asyncio.CancelledError, int]
    assert await transactions.run(keys) == ["c"]
    await transactions.close()


async def test_where_a_step_takes_long_the_next_ones_are_the_thread_s(work_dir: Path) -> None:
    transactions = await opened(address_of(None, work_dir), quick=0.25)
    threads = [await transactions.run(lambda connection: write(connection, "quick"))]
    await transactions.run(lambda connection: time.sleep(2))
    threads += [await transactions.run(lambda connection, number=number: write(connection, f"{number}"))
                for number in range(100)]
    assert threads[0] == threads[-1] == threading.get_ident(), "and when it is quick again it is the loop's again"
    assert threads[1] != threading.get_ident()
    await transactions.close()


async def test_a_closed_ledger_says_so(work_dir: Path) -> None:
    transactions = await opened(address_of(None, work_dir))
    await transactions.close()
    with pytest.raises(RuntimeError, match="closed"):
        await transactions.run(keys)


@pytest.fixture
def held(work_dir: Path) -> Iterator[sqlite3.Connection]:
    """Another program's transaction on the ledger's file, which does not end."""
    with contextlib.closing(sqlite3.connect(work_dir / FILE_NAME, isolation_level=None)) as raw:
        raw.execute("PRAGMA journal_mode=WAL")
        yield raw


@pytest.mark.parametrize("quick", [IN_THREAD, IN_LOOP])
async def test_a_locked_file_is_waited_for_as_long_as_was_said(
    work_dir: Path, held: sqlite3.Connection, quick: float
) -> None:
    transactions = await opened(address_of(None, work_dir), patience=0.5, quick=quick)
    held.execute("BEGIN IMMEDIATE")
    async with asyncio.timeout(10):
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            await transactions.run(keys)
    held.rollback()
    assert await transactions.run(keys) == []
    await transactions.close()


async def test_a_file_that_is_locked_while_the_ledger_opens_is_waited_for(
    work_dir: Path, held: sqlite3.Connection
) -> None:
    held.execute("PRAGMA locking_mode=EXCLUSIVE")
    held.execute("BEGIN EXCLUSIVE")
    held.execute("CREATE TABLE other (word TEXT)")
    held.commit()
    opening = asyncio.create_task(opened(address_of(None, work_dir), patience=30))
    ready, _ = await asyncio.wait({opening}, timeout=1.0)
    assert not ready
    held.close()
    async with asyncio.timeout(20):
        await (await opening).close()


async def test_a_closed_ledger_is_one_file_that_can_be_copied(work_dir: Path) -> None:
    transactions = await opened(address_of(None, work_dir))
    await transactions.run(lambda connection: write(connection, "kept"))
    await transactions.close()
    assert [path.name for path in work_dir.iterdir()] == [FILE_NAME]
    assert not [one for one in Path("/proc/self/fd").iterdir() if str(work_dir) in os.path.realpath(one)]
    with contextlib.closing(sqlite3.connect(work_dir / FILE_NAME)) as copy:
        assert copy.execute("SELECT count(*) FROM sqlite_master").fetchone() != (0,)


@pytest.mark.parametrize("quick", [IN_THREAD, IN_LOOP])
async def test_whoever_is_cancelled_does_not_wait_for_a_locked_file(
    work_dir: Path, held: sqlite3.Connection, quick: float
) -> None:
    transactions = await opened(address_of(None, work_dir), patience=600, quick=quick)
    held.execute("BEGIN IMMEDIATE")
    # The second one's turn does not come: it is cancelled while the first is still waiting.
    first, second = [asyncio.create_task(transactions.run(lambda connection: write(connection, "x"))) for _ in "ab"]
    await asked_of_the_thread()
    for cancelled in (second, first):
        cancelled.cancel()
        async with asyncio.timeout(10):
            with pytest.raises(asyncio.CancelledError):
                await cancelled
    held.rollback()
    assert await transactions.run(keys) == []
    await transactions.close()


async def test_a_file_that_is_no_database_is_refused_with_its_name(work_dir: Path) -> None:
    address = address_of(None, work_dir)
    assert address.database is not None
    Path(address.database).write_text("a letter to my aunt, long enough to be no database at all " * 20, "utf-8")
    with pytest.raises(BadInput, match=r"ledger\.sqlite can't be opened: file is not a database"):
        await opened(address)
