"""The same ledger in a real PostgreSQL: Debian's, as an ordinary user, on a free port."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from buying import QUICK, TINY, Shop, film_wish, picture_wish
from processes import run
from pydantic import SecretStr
from scripted import answer, scripted
from test_ledger import INTENT, brought_up_to_date, decided_at_once, decided_twice

from reelflow.claims import Claims
from reelflow.errors import BadInput, FetchFailed, LedgerFault, OverBudget
from reelflow.job.boundary import Boundary
from reelflow.job.buy import buy
from reelflow.job.client import QueueClient
from reelflow.job.entry import Limits, Paid, State, Terms, spend_of
from reelflow.job.ledger import Ledger
from reelflow.job.schema import MIGRATIONS, version
from reelflow.standin.server import running_standin
from reelflow.store import Store

PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin"))

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PROGRAMS, reason="PostgreSQL is not installed (Debian: apt install postgresql)"),
]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The URL of a server of our own; each database in it has to be made."""
    # Neither in pytest's folder nor as root: PostgreSQL refuses to run as root, and nobody may look into that folder.
    folder = Path(tempfile.mkdtemp(prefix="reelflow-pg-"))
    ordinary: dict[str, Any] = {}
    if os.getuid() == 0:
        ordinary = {"user": "nobody", "group": "nogroup", "extra_groups": []}
        shutil.chown(folder, "nobody", "nogroup")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    programs, database = PROGRAMS[-1], folder / "database"
    subprocess.run(
        [programs / "initdb", "-D", database, "-U", "reelflow", "-A", "trust", "--no-sync", "-E", "UTF8"], check=True,
        capture_output=True, cwd=folder, **ordinary,
    )
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [programs / "postgres", "-D", database, "-h", "127.0.0.1", "-p", str(port), "-k", folder], stdout=log,
            stderr=subprocess.STDOUT, cwd=folder, **ordinary,
        )
    try:
        until = time.monotonic() + 60
        is_ready = [programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
        while subprocess.run(is_ready, check=False).returncode:
            assert process.poll() is None and time.monotonic() < until, (folder / "log").read_text()
            time.sleep(0.1)
        yield f"postgresql://reelflow@127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def url(server: str, request: pytest.FixtureRequest) -> str:
    """An empty database of the test's own."""
    name = f"t{abs(hash(request.node.name)) % 10**9}"
    port = server.rpartition(":")[2]
    subprocess.run([PROGRAMS[-1] / "createdb", "-h", "127.0.0.1", "-p", port, "-U", "reelflow", name], check=True)
    return f"{server}/{name}?sslmode=disable"


async def test_processes_on_machines_with_one_wish_make_one_job(
    url: str, work_dir: Path, tmp_path: Path, media: Path, ffmpeg: Path
) -> None:
    """Each with a work folder and a store of its own, as on machines that share nothing but the ledger."""
    async with running_standin(work_dir, ffmpeg=ffmpeg, models=TINY) as standin:
        asked = [{"url": standin.url, "work_dir": str(tmp_path / f"machine-{number}"), "media": str(media),
                  "ledger_url": url} for number in range(3)]
        done = await asyncio.gather(*(run(one) for one in asked))
        assert (standin.posts, standin.jobs_made) == (1, 1)
        assert len({one["job_id"] for one in done}) == 1
        assert all(one["sound"] for one in done)


@pytest.mark.parametrize(("boundary", "posts", "error"), [
    (Boundary.AFTER_INTENT, 1, None), (Boundary.AFTER_REPLY, 1, "SubmitUnknown"),
])
async def test_a_killed_run(
    boundary: Boundary, posts: int, error: str | None, url: str, work_dir: Path, media: Path, ffmpeg: Path
) -> None:
    async with running_standin(work_dir / "queue", ffmpeg=ffmpeg, models=TINY) as standin:
        asked = {"url": standin.url, "work_dir": str(work_dir), "media": str(media), "ledger_url": url}
        assert await run(asked, kill_at=boundary) == {"killed": True}
        assert (await run(asked)).get("error") == error
        assert standin.posts == posts


async def test_only_one_of_many_may_buy_and_take_over(url: str, work_dir: Path) -> None:
    async with Ledger.open(url, work_dir=work_dir) as one, Ledger.open(url, work_dir=work_dir) as two:
        both = (one, two)
        claims = await asyncio.gather(*(both[number % 2].claim(INTENT, Terms()) for number in range(20)))
        (winner,) = [claim for claim in claims if claim.purchase is not None]
        dead = Terms(dead=(winner.entry.holder, winner.entry.beat))
        taken = await asyncio.gather(*(both[number % 2].claim(INTENT, dead) for number in range(20)))
        assert sum(claim.purchase is not None for claim in taken) == 1


async def test_one_who_sends_just_as_it_is_taken_over_is_never_bought_twice(url: str, work_dir: Path) -> None:
    """The race that a lock on the row decides: either the form leaves and is unknown, or it must not leave."""
    async with Ledger.open(url, work_dir=work_dir) as one, Ledger.open(url, work_dir=work_dir) as two:
        for number in range(25):
            intent = replace(INTENT, key=f"{number:064}")
            held = await one.claim(intent, Terms())
            assert held.purchase is not None
            terms = Terms(dead=(held.entry.holder, held.entry.beat))
            sent, claim = await asyncio.gather(
                one.sent(held.purchase), two.claim(intent, terms), return_exceptions=True)
            assert not isinstance(claim, BaseException)
            if sent is None:
                assert (claim.purchase, claim.entry.state) == (None, State.UNKNOWN)
            else:
                assert claim.purchase is not None


async def test_decisions_count_once_and_only_for_what_was_seen(url: str, work_dir: Path) -> None:
    await decided_at_once(url, work_dir)
    await decided_twice(url, work_dir)


async def test_a_limit_for_a_day_holds_for_many_at_once(url: str, work_dir: Path) -> None:
    terms = Terms(limits=Limits(per_day=Decimal("0.30")))
    async with Ledger.open(url, work_dir=work_dir) as one, Ledger.open(url, work_dir=work_dir) as two:
        ended = await asyncio.gather(*(
            (one, two)[number % 2].claim(replace(INTENT, key=f"{number:064}", cost=Decimal("0.10")), terms)
            for number in range(16)
        ), return_exceptions=True)
        assert sum(isinstance(end, OverBudget) for end in ended) == 13
        spend = spend_of(await one.purchases())
        assert (len(await two.entries()), spend.jobs) == (3, 0), "set aside, and nothing sent yet"


async def test_an_id_is_written_down_though_the_database_dropped_its_connections(
    url: str, work_dir: Path, media: Path
) -> None:
    async def drop_and_reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await other._transactions.run(lambda connection: connection.execute(sa.text(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()")))
        writer.write(answer(200, '{"job_id": "job-1", "status": "pending"}'))

    async with (
        scripted(drop_and_reply) as queue, QueueClient(queue.url, SecretStr("k")) as client,
        Ledger.open(url, work_dir=work_dir) as ledger, Ledger.open(url, work_dir=work_dir) as other,
    ):
        bought = await buy(ledger, client, Store(work_dir), film_wish(media), seconds=1, cost=None, rule=QUICK)
        assert bought.job_id == "job-1"
        assert (await ledger.find(bought.key)).state is State.ACCEPTED


async def test_a_database_that_is_not_there_is_told(server: str, work_dir: Path) -> None:
    with pytest.raises(BadInput, match='database "none" does not exist'):
        async with Ledger.open(f"{server}/none", work_dir=work_dir):
            pass


async def test_money_moments_and_decisions_come_back_as_they_went(url: str, work_dir: Path) -> None:
    async with Ledger.open(url, work_dir=work_dir) as ledger:
        claim = await ledger.claim(INTENT, Terms(flow_run_id="run"))
        assert claim.purchase is not None
        await ledger.sent(claim.purchase)
        await ledger.accepted(claim.purchase, "job-1", stand_in=True)
        await ledger.completed(claim.purchase, digest="d", size_bytes=2**40, seconds=3.0)
        entry = await ledger.find(INTENT.key[:8])
        assert (entry.cost, entry.output_cost, entry.output_bytes, entry.stand_in, entry.state) == (
            Decimal("0.06"), Decimal("0.12"), 2**40, True, State.COMPLETED)
        assert entry.created_at == claim.entry.created_at
        assert spend_of(await ledger.purchases(key=INTENT.key)).usd == Decimal("0.12")


async def test_many_who_open_an_empty_database_at_once_all_get_it(url: str, work_dir: Path) -> None:
    async def use() -> None:
        async with Ledger.open(url, work_dir=work_dir):
            pass

    await asyncio.gather(*(use() for _ in range(8)))
    async with Ledger.open(url, work_dir=work_dir) as ledger:
        assert await ledger._transactions.run(
            lambda connection: connection.execute(sa.select(version.c.version)).scalars().all()) == [len(MIGRATIONS)]


async def test_a_ledger_of_an_older_version_gets_what_is_new(url: str, work_dir: Path) -> None:
    await brought_up_to_date(url, work_dir)


async def test_a_picture_outlasts_the_machine_that_bought_it_and_what_is_cleared(
    url: str, work_dir: Path, tmp_path: Path, media: Path, ffmpeg: Path
) -> None:
    async with running_standin(work_dir, ffmpeg=ffmpeg, models=TINY) as standin:
        def buy_on(machine: str) -> Awaitable[dict[str, Any]]:
            return run({"url": standin.url, "work_dir": str(tmp_path / machine), "media": str(media),
                        "ledger_url": url, "picture": True})

        bought = await buy_on("one")
        shutil.rmtree(tmp_path / "one")
        for _ in range(2):
            brought = await buy_on("two")
            assert (brought["digest"], brought["sound"], brought["paid"]) == (bought["digest"], True, "kept")
            shutil.rmtree(tmp_path / "two" / "store")
        assert standin.pictures_made == 1


@pytest.fixture
async def shop(url: str, work_dir: Path, media: Path, ffmpeg: Path) -> AsyncIterator[Shop]:
    """A stand-in with all that one run has, on this ledger."""
    async with (
        running_standin(work_dir / "queue", ffmpeg=ffmpeg, models=TINY) as standin,
        QueueClient(standin.url, SecretStr("k")) as client, Ledger.open(url, work_dir=work_dir) as ledger,
    ):
        yield Shop(standin, client, ledger, Store(work_dir / "store"), media)


async def say(ledger: Ledger, statement: str) -> None:
    await ledger._transactions.run(lambda connection: connection.execute(sa.text(statement)))


async def test_a_picture_is_written_down_with_the_word_that_it_is_completed_or_neither_is(shop: Shop) -> None:
    wish = picture_wish(shop.media)
    await say(shop.ledger, "ALTER TABLE pictures ADD CONSTRAINT full_disk CHECK (false)")
    with pytest.raises(LedgerFault):
        await shop.buy(wish)
    assert (await shop.entry()).state is State.UNKNOWN
    await say(shop.ledger, "ALTER TABLE pictures DROP CONSTRAINT full_disk")
    bought = await shop.buy(wish)
    assert (bought.state, bought.paid, shop.standin.pictures_made) == (State.COMPLETED, Paid.KEPT, 1)
    assert bought.path is not None
    assert await shop.ledger.picture(bought.purchase) == bought.path.read_bytes()


async def test_of_a_wish_that_was_bought_anew_the_last_picture_is_kept(shop: Shop) -> None:
    wish = picture_wish(shop.media)
    other = await shop.buy(picture_wish(shop.media, "another"))
    first, second = [await shop.buy(wish, refresh=refresh) for refresh in (False, True)]
    assert [await shop.ledger.picture(one.purchase) is None for one in (other, first, second)] == [False, True, False]


@pytest.mark.parametrize("lost", [
    "UPDATE pictures SET content = 'damaged'",
    "DELETE FROM pictures WHERE purchase IN (SELECT id FROM purchases WHERE ended_at < '2999-01-01')",
])
async def test_a_picture_that_was_damaged_or_deleted_here_is_told_as_gone(lost: str, shop: Shop) -> None:
    """As the runbook says that old ones are deleted."""
    wish = picture_wish(shop.media)
    bought = await shop.buy(wish)
    assert bought.path is not None
    bought.path.unlink()
    await say(shop.ledger, lost)
    with pytest.raises(FetchFailed, match="run with refresh to buy it again"):
        await shop.buy(wish)
    assert shop.standin.pictures_made == 1


async def test_a_picture_that_can_t_be_written_here_is_told_as_paid(shop: Shop, work_dir: Path) -> None:
    wish = picture_wish(shop.media)
    await shop.buy(wish)
    (work_dir / "file").touch()
    with pytest.raises(FetchFailed, match="it is paid already"):
        await replace(shop, store=Store(work_dir / "file")).buy(wish)


async def test_what_a_run_has_left_is_free_for_others_and_what_it_holds_is_not(url: str, work_dir: Path) -> None:
    async with Claims.open(url, work_dir=work_dir) as claims, Claims.open(url, work_dir=work_dir) as other:
        assert [await claims.take(key) for key in "abc"] == [True] * 3
        await claims.done(["a"], "made")
        await claims.leave(["b"])
        assert (await other.held(), (await other.left()).keys()) == ({"c"}, {"b"})
        assert [await other.take(key) for key in "abc"] == [False, True, False]
