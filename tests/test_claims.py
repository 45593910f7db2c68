"""Claims: one run has a thing, whoever else wants it, until it is done, given back, or its holder is gone."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import sqlalchemy as sa

from reelflow.claims import Claims
from reelflow.job.schema import claims as rows


async def test_of_many_who_want_a_thing_one_gets_it(work_dir: Path) -> None:
    async def want() -> bool:
        async with Claims.open(None, work_dir=work_dir) as claims:
            got = await claims.take("film")
            wanted.release()
            await over.wait()
            return got

    wanted, over = asyncio.Semaphore(0), asyncio.Event()
    wanting = [asyncio.create_task(want()) for _ in range(8)]
    for _ in wanting:
        await wanted.acquire()
    over.set()
    assert sorted(await asyncio.gather(*wanting)) == [False] * 7 + [True]


async def test_what_is_done_stays_done_and_what_is_not_is_free_again(work_dir: Path) -> None:
    async with Claims.open(None, work_dir=work_dir) as claims:
        assert [await claims.take("a", "x"), await claims.take("b"), await claims.take("c")] == [True] * 3
        await claims.done(["a"], "x")
        await claims.give_back(["b"])
        assert await claims.take("b")
    async with Claims.open(None, work_dir=work_dir) as claims:
        assert [await claims.take(key) for key in "abc"] == [False, True, True]
        assert (await claims.is_done("a"), await claims.is_done("b")) == ("x", None)


async def test_what_is_left_is_free_and_known_to_have_been_tried(work_dir: Path) -> None:
    async with Claims.open(None, work_dir=work_dir) as claims:
        assert [await claims.take("a"), await claims.take("b")] == [True] * 2
        async with Claims.open(None, work_dir=work_dir) as other:
            assert await other.held() == {"a", "b"}
            await claims.leave(["a"])
            assert (await other.held(), (await other.left()).keys()) == ({"b"}, {"a"})
            assert [await other.take("a"), await other.take("b")] == [True, False]
            assert await other.left() == {}


async def test_a_killed_holder_s_things_are_taken_over_at_once(work_dir: Path) -> None:
    subprocess.run([sys.executable, "-c", (
        "import asyncio, os, signal; from pathlib import Path; from reelflow.claims import Claims\n"
        "async def main():\n"
        f"    async with Claims.open(None, work_dir=Path({str(work_dir)!r})) as claims:\n"
        "        assert await claims.take('film')\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "asyncio.run(main())"
    )], check=False)
    async with Claims.open(None, work_dir=work_dir) as claims:
        assert await claims.take("film")


async def test_a_holder_elsewhere_is_believed_until_its_lease_is_over(work_dir: Path) -> None:
    async with Claims.open(None, work_dir=work_dir) as claims:
        for key, age in (("old", 91), ("new", 60)):
            assert await claims.take(key)
            older = rows.update().where(rows.c.key == key).values(
                holder="another-machine/1/2/x", beaten=rows.c.beaten - sa.literal(age))
            await claims._transactions.run(lambda connection, older=older: connection.execute(older))
        assert (await claims.take("old"), await claims.take("new")) == (True, False)
