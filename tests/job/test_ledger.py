"""The ledger itself: durable, exact, migrated, readable, and safe with many who write at once."""

from __future__ import annotations

import asyncio
import datetime as dt
import sqlite3
import subprocess
import sys
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa

from reelflow.errors import BadInput, Decided, LedgerFault
from reelflow.job.decision import Decision, decide_as_seen, resolve_unknown
from reelflow.job.entry import Intent, Limits, State, Terms
from reelflow.job.holder import Watch, is_gone, new_holder
from reelflow.job.ledger import Ledger, Taken
from reelflow.job.schema import FILE_NAME, MIGRATIONS, pictures, purchases, version, wishes

INTENT = Intent(
    key="a" * 64, queue="q", base_url="http://q", stand_in=False, model="lucy-latest", resolved="lucy-2.6",
    result="film", source_digest="s", reference_digest=None, parameters="[]", seconds=1.5, cost=Decimal("0.0600"),
)
TERMS = Terms()
DECISIONS: tuple[Decision, ...] = ("resubmit", "adopt", "abandon")


async def test_money_and_moments_are_exact(work_dir: Path) -> None:
    async with Ledger.open(None, work_dir=work_dir) as ledger:
        for number, cost in enumerate(("0.1", "0.2", "0.000001", "0.0000001", "123456.789012")):
            await ledger.claim(replace(INTENT, key=f"{number:064}", cost=Decimal(cost)), TERMS)
        costs = [one.cost for one in await ledger.purchases()]
        assert costs == [Decimal(text) for text in ("0.1", "0.2", "0.000001", "0.000001", "123456.789012")]
        claim = await ledger.claim(INTENT, TERMS)
        assert claim.entry.created_at.tzinfo is not None
        assert abs(dt.datetime.now(dt.UTC) - claim.entry.created_at) < dt.timedelta(seconds=10)
    with sqlite3.connect(work_dir / FILE_NAME) as raw:
        assert raw.execute("SELECT cost, typeof(cost) FROM wishes WHERE key = ?", (INTENT.key,)).fetchone() == (
            60_000, "integer")
        (moment,) = raw.execute("SELECT created_at FROM wishes WHERE key = ?", (INTENT.key,)).fetchone()
        assert moment.endswith("+00:00")
        assert raw.execute("PRAGMA journal_mode").fetchone() == ("wal",)


async def test_a_commit_is_on_the_disk(work_dir: Path) -> None:
    async with Ledger.open(None, work_dir=work_dir) as ledger:
        assert await ledger._transactions.run(lambda one: one.execute(sa.text("PRAGMA synchronous")).scalar()) == 2


async def test_only_one_of_many_may_buy(work_dir: Path) -> None:
    async with Ledger.open(None, work_dir=work_dir) as one, Ledger.open(None, work_dir=work_dir) as two:
        claims = await asyncio.gather(*((one, two)[number % 2].claim(INTENT, TERMS) for number in range(20)))
    assert sum(claim.purchase is not None for claim in claims) == 1


async def test_one_who_was_taken_over_may_not_send(work_dir: Path) -> None:
    async with Ledger.open(None, work_dir=work_dir) as ledger:
        slow = await ledger.claim(INTENT, TERMS)
        assert slow.purchase is not None
        dead = (slow.entry.holder, slow.entry.beat)
        assert (await ledger.claim(INTENT, Terms(dead=("another", 0)))).purchase is None
        taken = await ledger.claim(INTENT, Terms(dead=dead))
        assert taken.purchase is not None
        with pytest.raises(Taken):
            await ledger.sent(slow.purchase)
        await ledger.sent(taken.purchase)


async def test_one_who_has_beaten_since_is_not_dead(work_dir: Path) -> None:
    async with Ledger.open(None, work_dir=work_dir) as ledger:
        held = await ledger.claim(INTENT, TERMS)
        assert held.purchase is not None
        await ledger.beat(held.purchase)
        assert (await ledger.claim(INTENT, Terms(dead=(held.entry.holder, held.entry.beat)))).purchase is None


async def test_a_form_that_was_sent_by_a_dead_one_is_unknown_and_its_late_id_heals_it(work_dir: Path) -> None:
    async with Ledger.open(None, work_dir=work_dir) as ledger:
        first = await ledger.claim(INTENT, TERMS)
        assert first.purchase is not None
        await ledger.sent(first.purchase)
        other = await ledger.claim(INTENT, Terms(dead=(first.entry.holder, first.entry.beat)))
        assert (other.purchase, other.entry.state) == (None, State.UNKNOWN)
        assert await ledger.accepted(first.purchase, "job-1", stand_in=False)
        assert ((await ledger.find(INTENT.key)).state, (await ledger.find(INTENT.key)).job_id) == (
            State.ACCEPTED, "job-1")


async def test_an_id_that_comes_after_another_purchase_is_still_written_down(work_dir: Path) -> None:
    async with Ledger.open(None, work_dir=work_dir) as ledger:
        first = await ledger.claim(INTENT, TERMS)
        assert first.purchase is not None
        await ledger.sent(first.purchase)
        second = await ledger.claim(
            INTENT, Terms(dead=(first.entry.holder, first.entry.beat), resubmit_unknown=True))
        assert second.purchase is not None
        assert not await ledger.accepted(first.purchase, "job-1", stand_in=False)
        assert [one.job_id for one in await ledger.purchases()] == ["job-1", None]
        assert (await ledger.find(INTENT.key)).purchase == second.purchase


async def decided_twice(url: str | None, work_dir: Path) -> None:
    """Two see one lost reply; A has it bought again while B still thinks, and then B decides, in each possible way."""
    async with Ledger.open(url, work_dir=work_dir) as a, Ledger.open(url, work_dir=work_dir) as b:
        for number, decision in enumerate(DECISIONS):
            intent = replace(INTENT, key=f"{number:064}")
            lost = await a.claim(intent, TERMS)
            assert lost.purchase is not None
            await a.sent(lost.purchase)
            await a.unknown(lost.purchase, "The reply was lost.")
            seen = await b.find(intent.key)
            assert seen.state is State.UNKNOWN
            await resolve_unknown(a, intent.key, "resubmit")
            with pytest.raises(Decided, match=r"is refused now \(A person decided to buy it again\); run the same"):
                await decide_as_seen(b, seen, decision, job_id="job-b")
            again = await a.claim(intent, TERMS)
            assert again.purchase is not None
            await a.sent(again.purchase)
            with pytest.raises(Decided, match="decided meanwhile and is sent now"):
                await decide_as_seen(b, seen, decision, job_id="job-b")
            assert await a.accepted(again.purchase, "job-a", stand_in=False)
            with pytest.raises(Decided, match=r"is accepted now \(job job-a\)"):
                await decide_as_seen(b, seen, decision, job_id="job-b")
            assert (await b.claim(intent, TERMS)).purchase is None
            entry = await b.find(intent.key)
            assert (entry.state, entry.job_id, entry.attempts, entry.granted) == (State.ACCEPTED, "job-a", 2, 1)


async def test_a_decision_counts_only_for_what_was_seen(work_dir: Path) -> None:
    await decided_twice(None, work_dir)


async def decided_at_once(url: str | None, work_dir: Path) -> None:
    """Many decide about one lost reply in the same moment: one of them counts."""
    async with Ledger.open(url, work_dir=work_dir) as a, Ledger.open(url, work_dir=work_dir) as b:
        lost = await a.claim(INTENT, TERMS)
        assert lost.purchase is not None
        await a.sent(lost.purchase)
        await a.unknown(lost.purchase, "The reply was lost.")
        seen = await b.find(INTENT.key)
        ended = await asyncio.gather(*(
            decide_as_seen((a, b)[number % 2], seen, decision, job_id="job-b")
            for number, decision in enumerate(DECISIONS * 4)
        ), return_exceptions=True)
        assert sum(isinstance(end, Decided) for end in ended) == 11
        assert (await a.find(INTENT.key)).granted <= 1


async def test_of_many_decisions_at_once_one_counts(work_dir: Path) -> None:
    await decided_at_once(None, work_dir)


async def test_who_was_seen_dead_says_nothing_of_who_sends_now(work_dir: Path) -> None:
    async with Ledger.open(None, work_dir=work_dir) as ledger:
        first = await ledger.claim(INTENT, TERMS)
        assert first.purchase is not None
        await ledger.sent(first.purchase)
        seen = await ledger.find(INTENT.key)
        second = await ledger.claim(INTENT, Terms(dead=(seen.holder, seen.beat), resubmit_unknown=True))
        assert second.purchase is not None
        await ledger.sent(second.purchase)
        await ledger.died(seen)
        assert (await ledger.find(INTENT.key)).state is State.SENT


async def test_a_dead_one_s_share_of_the_limit_is_free_again(work_dir: Path) -> None:
    limits = Limits(per_day=Decimal("0.06"))
    async with Ledger.open(None, work_dir=work_dir) as ledger:
        first = await ledger.claim(INTENT, Terms(limits=limits))
        again = await ledger.claim(INTENT, Terms(limits=limits, dead=(first.entry.holder, first.entry.beat)))
        assert again.purchase is not None


async def test_a_limit_is_for_a_day_and_not_for_what_stand_ins_draw(work_dir: Path) -> None:
    limits = Limits(per_day=Decimal("0.06"))
    drawn = replace(INTENT, key="b" * 64, queue="stand-in", stand_in=True)
    async with Ledger.open(None, work_dir=work_dir) as ledger:
        await ledger.claim(drawn, Terms(limits=limits))
        bought = await ledger.claim(INTENT, Terms(limits=limits))
        yesterday = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
        await ledger._transactions.run(lambda connection: connection.execute(
            purchases.update().where(purchases.c.id == bought.purchase).values(intended_at=yesterday)))
        assert (await ledger.claim(replace(INTENT, key="c" * 64), Terms(limits=limits))).purchase is not None


async def test_rows_are_found_by_a_beginning_and_by_state_and_time(work_dir: Path) -> None:
    async with Ledger.open(None, work_dir=work_dir) as ledger:
        for key in ("abcdef" + "0" * 58, "abcdef" + "1" * 58, "fedcba" + "0" * 58):
            await ledger.claim(replace(INTENT, key=key), TERMS)
        assert (await ledger.find("abcdef0")).key.startswith("abcdef0")
        for key, words in (
            ("abcdef", "more than one"), ("000000", "no wish"), ("abc", "first 6"), ("ab%cdef", "first 6"),
        ):
            with pytest.raises(BadInput, match=words):
                await ledger.find(key)
        now = dt.datetime.now(dt.UTC)
        assert len(await ledger.entries(states=[State.INTENDED])) == 3
        assert len(await ledger.entries(limit=2)) == 2
        assert await ledger.entries(states=[State.FAILED]) == []
        assert await ledger.entries(since=now + dt.timedelta(hours=1)) == []
        assert await ledger.purchases(since=now + dt.timedelta(hours=1)) == []


async def test_the_tables_are_what_the_migrations_make(work_dir: Path) -> None:
    def read(connection: sa.Connection) -> dict[str, dict[str, bool]]:
        assert connection.execute(sa.select(version.c.version)).scalars().all() == [len(MIGRATIONS)]
        return {
            name: {column["name"]: column["nullable"] for column in sa.inspect(connection).get_columns(name)}
            for name in ("wishes", "purchases", "pictures", "reelflow_ledger")
        }

    async with Ledger.open(None, work_dir=work_dir) as ledger:
        made = await ledger._transactions.run(read)
    for table in (wishes, purchases, pictures, version):
        meant = {column.name: bool(column.nullable) or bool(column.primary_key) for column in table.columns}
        assert made[table.name] == meant


async def brought_up_to_date(url: str | None, work_dir: Path) -> None:
    """A ledger of before it had pictures, and each purchase its digest, is opened with what it holds."""
    def make_older(connection: sa.Connection) -> None:
        for statement in ("DROP TABLE pictures", "ALTER TABLE purchases DROP COLUMN output_digest",
                          "ALTER TABLE purchases DROP COLUMN output_bytes",
                          "ALTER TABLE wishes DROP COLUMN granted_at", "UPDATE reelflow_ledger SET version = 3"):
            connection.execute(sa.text(statement))

    async with Ledger.open(url, work_dir=work_dir) as ledger:
        purchase = (await ledger.claim(INTENT, TERMS)).purchase or ""
        await ledger.sent(purchase)
        await ledger.accepted(purchase, "a-job", stand_in=True)
        await ledger.completed(purchase, digest="d" * 64, size_bytes=9, seconds=0.5)
        await ledger._transactions.run(make_older)
    async with Ledger.open(url, work_dir=work_dir) as ledger:
        assert await ledger.picture(purchase) is None
        assert [(one.output_digest, one.output_bytes) for one in await ledger.purchases()] == [("d" * 64, 9)]


async def test_a_ledger_of_an_older_version_gets_what_is_new(work_dir: Path) -> None:
    await brought_up_to_date(None, work_dir)


async def test_many_who_open_a_new_ledger_at_once_all_get_it(work_dir: Path) -> None:
    async def use(number: int) -> None:
        async with Ledger.open(None, work_dir=work_dir) as ledger:
            await ledger.claim(replace(INTENT, key=f"{number:064}"), TERMS)

    await asyncio.gather(*(use(number) for number in range(12)))
    async with Ledger.open(None, work_dir=work_dir) as ledger:
        assert len(await ledger.entries()) == 12


async def test_a_ledger_that_can_t_be_used_is_told(work_dir: Path) -> None:
    async with Ledger.open(None, work_dir=work_dir):
        pass
    with sqlite3.connect(work_dir / FILE_NAME) as raw:
        raw.execute("UPDATE reelflow_ledger SET version = 99")
    with pytest.raises(BadInput, match=r"newer reelflow \(its version is 99\)"):
        async with Ledger.open(None, work_dir=work_dir):
            pass
    (work_dir / "none.sqlite").write_text("this is not a database at all, but a text that is long enough" * 9)
    for url, words in (
        (f"sqlite:///{work_dir / 'none.sqlite'}", "not a database"), ("mysql://x/y", "can't be kept in 'mysql'"),
        ("what", "can't be read"), ("postgresql://user:geheim@127.0.0.1:9/x", "can't be opened"),
    ):
        with pytest.raises(BadInput, match=words) as refused:
            async with Ledger.open(url, work_dir=work_dir):
                pass
        assert refused.value.field == "REELFLOW_LEDGER_URL"
        assert "geheim" not in refused.value.message


async def test_a_ledger_that_breaks_while_it_is_open_says_so_in_one_sentence(work_dir: Path) -> None:
    async with Ledger.open(None, work_dir=work_dir) as ledger:
        with sqlite3.connect(work_dir / FILE_NAME) as raw:
            raw.execute("DROP TABLE purchases")
        with pytest.raises(LedgerFault, match=r"read or written \(no such table: purchases\): nothing is bought"):
            await ledger.claim(INTENT, TERMS)


async def test_a_work_folder_that_can_t_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(BadInput, match="REELFLOW_WORK_DIR"):
        Ledger.open(None, work_dir=tmp_path / "file" / "work")


def test_a_holder_is_gone_when_its_process_is() -> None:
    mine = new_holder()
    assert not is_gone(mine)
    child = subprocess.run(
        [sys.executable, "-c", "from reelflow.job.holder import new_holder; print(new_holder())"], capture_output=True,
        text=True, check=True,
    ).stdout.strip()
    assert is_gone(child)
    machine, pid, began, word = mine.rsplit("/", 3)
    assert is_gone(f"{machine}/{pid}/{int(began) - 1}/{word}"), "the same number, but another process"
    assert not is_gone(f"elsewhere/{pid}/{began}/{word}"), "another machine can't be looked into"


def test_a_holder_elsewhere_is_gone_when_it_has_stood_still_for_a_lease() -> None:
    watch = Watch(lease=0.0)
    assert watch.sees_death("elsewhere/1/1/x", 7)
    watch = Watch(lease=60.0)
    assert not watch.sees_death("elsewhere/1/1/x", 7)
    assert not watch.sees_death("elsewhere/1/1/x", 7)
    assert watch.sees_death(None, 7)


@pytest.mark.parametrize(("module", "never"), [
    ("reelflow.job.client", "sqlalchemy"), ("reelflow.job.client", "aiohttp"), ("reelflow.job.ledger", "aiohttp"),
    ("reelflow.job.buy", "aiohttp"), ("reelflow.job.collect", "aiohttp"), ("reelflow.job.entry", "sqlalchemy"),
    ("reelflow.store", "sqlalchemy"),
])
def test_what_a_room_brings_along(module: str, never: str) -> None:
    code = f"import sys, {module}; sys.exit('{never}' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


async def test_no_step_of_a_purchase_reads_a_whole_table(work_dir: Path) -> None:
    said: list[str] = []

    def listen(connection: sa.Connection) -> None:
        driver = connection.connection.driver_connection
        assert driver is not None
        driver.set_trace_callback(said.append)

    terms = Terms(flow_run_id="run", limits=Limits(per_run=Decimal(9), per_day=Decimal(9)))
    async with Ledger.open(None, work_dir=work_dir) as ledger:
        await ledger._transactions.run(listen)
        claim = await ledger.claim(INTENT, terms)
        assert claim.purchase is not None
        await ledger.sent(claim.purchase)
        await ledger.beat(claim.purchase)
        await ledger.accepted(claim.purchase, "job-1", stand_in=False)
        await ledger.note(claim.purchase, "noted")
        await ledger.find(INTENT.key)
        await ledger.completed(claim.purchase, digest="d", size_bytes=1, seconds=1.5)
        await ledger.claim(INTENT, terms)
    with sqlite3.connect(work_dir / FILE_NAME) as raw:
        asked = [text for text in said if text.startswith(("SELECT", "UPDATE"))]
        plans = [row[-1] for text in asked for row in raw.execute(f"EXPLAIN QUERY PLAN {text}")]
    assert len(asked) > 10
    assert [step for step in plans if step.startswith("SCAN")] == []
