"""Ways in which a job was once lost or paid again: each is one run that went wrong."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from buying import QUICK, Shop, film_wish, picture_wish
from pydantic import SecretStr
from scripted import Answer, answer, scripted
from test_ledger import INTENT

from reelflow.errors import BadInput, JobFailed, JobOverdue, LedgerFault, Refused
from reelflow.job.attempts import buy_until_done
from reelflow.job.buy import buy
from reelflow.job.client import QueueClient
from reelflow.job.collect import await_job
from reelflow.job.decision import resolve_unknown
from reelflow.job.entry import Paid, Standing, State, Terms
from reelflow.job.ledger import Ledger
from reelflow.job.schema import FILE_NAME
from reelflow.job.submission import Bought
from reelflow.store import Store

ACCEPTED = answer(200, '{"job_id": "job-1", "status": "pending"}')


@contextlib.contextmanager
def no_state(work_dir: Path, state: State) -> Iterator[None]:
    """A ledger that takes everything but this state, as a disk that is full just then."""
    trigger = (f"CREATE TRIGGER full BEFORE UPDATE ON wishes WHEN NEW.state = '{state}' "
               "BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END")
    with sqlite3.connect(work_dir / FILE_NAME) as raw:
        raw.execute(trigger)
    try:
        yield
    finally:
        with sqlite3.connect(work_dir / FILE_NAME) as raw:
            raw.execute("DROP TRIGGER full")


async def test_a_job_that_the_queue_has_forgotten_after_the_store_was_cleared_is_told_and_not_asked_for_ever(
    shop: Shop
) -> None:
    collected = await shop.collect(await shop.buy())
    collected.path.unlink()
    shop.standin.faults.add("status-404=999999")

    async def wait(bought: Bought) -> None:
        await await_job(shop.ledger, shop.client, bought, poll_seconds=0.02, believe_after=0.1)

    async with asyncio.timeout(20):
        with pytest.raises(JobFailed, match="has not known job"):
            await buy_until_done(shop.ledger, lambda: shop.buy(max_attempts=3), wait, max_attempts=3)
    assert (shop.standin.posts, (await shop.entry()).state) == (1, State.COMPLETED)


@pytest.mark.parametrize("policy", ["ask", "resubmit"])
async def test_an_edited_picture_outlasts_a_ledger_that_can_t_be_written_when_it_comes(
    policy: str, shop: Shop, work_dir: Path
) -> None:
    wish = picture_wish(shop.media)
    with no_state(work_dir, State.COMPLETED):
        for _ in range(2):
            with pytest.raises(LedgerFault, match="disk is full"):
                await shop.buy(wish, unknown_policy=policy)
    bought = await shop.buy(wish, unknown_policy=policy)
    assert (bought.state, bought.paid, shop.standin.pictures_made) == (State.COMPLETED, Paid.KEPT, 1)
    assert bought.path is not None and bought.path.read_bytes().startswith(b"\x89PNG")
    assert not [path for path in (shop.store.root / "incoming").iterdir() if path.suffix != ".lock"]


async def test_an_edited_picture_that_has_come_is_not_bought_again_where_a_person_allows_it(
    shop: Shop, work_dir: Path
) -> None:
    wish = picture_wish(shop.media)
    with no_state(work_dir, State.COMPLETED), pytest.raises(LedgerFault):
        await shop.buy(wish)
    entry = await shop.entry()
    await shop.ledger.died(entry)
    await shop.ledger.granted(await shop.entry())
    bought = await asyncio.gather(*(shop.buy(wish) for _ in range(3)))
    assert (shop.standin.pictures_made, len({one.path for one in bought})) == (1, 1)
    assert (await shop.entry()).state is State.COMPLETED


async def test_a_retry_of_a_run_that_refreshed_does_not_refresh_again_though_others_did_since(shop: Shop) -> None:
    for run in ("a", "b", "c"):
        await shop.collect(await shop.buy(refresh=run != "a", flow_run_id=run))
    assert shop.standin.posts == 3
    assert (await shop.buy(refresh=True, flow_run_id="b")).path is not None
    assert shop.standin.posts == 3


async def test_a_job_found_overdue_by_an_earlier_run_is_asked_about_before_another_is_bought(shop: Shop) -> None:
    shop.standin.faults.add("unknown-status=3")
    with pytest.raises(JobOverdue):
        await shop.buy_until_done(deadline=0.2)
    assert (await shop.entry()).state is State.EXPIRED
    shop.standin.faults.clear()
    done = await shop.buy_until_done(max_attempts=2)
    assert (await shop.collect(done)).path.exists()
    assert shop.standin.posts == 1


async def test_a_status_call_that_is_out_of_order_till_the_deadline_buys_no_other_job(shop: Shop) -> None:
    shop.standin.faults.add("status-500=999")
    with pytest.raises(JobOverdue):
        await shop.buy_until_done(deadline=0.5, max_attempts=2)
    assert shop.standin.posts == 1
    shop.standin.faults.clear()
    assert (await shop.collect(await shop.buy_until_done(max_attempts=2))).path.exists()
    assert shop.standin.posts == 1


async def lose(shop: Shop, prompt: str) -> str:
    """The key of a wish whose reply was lost."""
    shop.standin.faults.add("drop-after-accept")
    with contextlib.suppress(Exception):
        await shop.buy(film_wish(shop.media, prompt))
    (entry,) = await shop.ledger.entries(states=[State.UNKNOWN])
    return entry.key


async def test_the_job_of_another_wish_is_not_adopted(shop: Shop) -> None:
    other = await shop.buy(film_wish(shop.media, "another"))
    key = await lose(shop, "lost")
    with pytest.raises(BadInput, match=f"is the one of the wish {other.key[:12]}"):
        await resolve_unknown(shop.ledger, key, "adopt", job_id=other.job_id)
    assert (await shop.entry(key)).state is State.UNKNOWN


async def test_the_right_job_can_be_adopted_after_a_wrong_one_that_had_failed(
    shop: Shop, work_dir: Path
) -> None:
    key = await lose(shop, "lost")
    (right,) = [path.name for path in (work_dir / "queue" / "jobs").iterdir()]
    shop.standin.faults.add("job-fails")
    wrong = (await shop.client.submit(film_wish(shop.media, "by hand"))).job_id
    await resolve_unknown(shop.ledger, key, "adopt", job_id=wrong)
    with pytest.raises(JobFailed):
        await shop.collect(await shop.buy(film_wish(shop.media, "lost")))
    await resolve_unknown(shop.ledger, key, "adopt", job_id=right)
    assert (await shop.collect(await shop.buy(film_wish(shop.media, "lost")))).path.exists()
    assert shop.standin.jobs_made == 2


async def test_a_person_can_decide_about_a_form_whose_run_was_on_a_machine_that_is_gone(work_dir: Path) -> None:
    async with Ledger.open(None, work_dir=work_dir) as ledger:
        for number in range(2):
            intent = replace(INTENT, key=f"{number:064}")
            claim = await ledger.claim(intent, Terms())
            assert claim.purchase is not None
            await ledger.sent(claim.purchase)
            with sqlite3.connect(work_dir / FILE_NAME) as raw:
                raw.execute("UPDATE wishes SET holder = 'a machine before it was started again/7/7/x' WHERE key = ?",
                            (intent.key,))
            if number:
                break
            decided = await resolve_unknown(ledger, intent.key, "adopt", job_id="job-1", lease=0.2)
            assert (decided.state, decided.job_id) == (State.ACCEPTED, "job-1")
        deciding = asyncio.create_task(resolve_unknown(ledger, intent.key, "resubmit", lease=60.0))
        while not deciding.done():
            await ledger.beat(claim.purchase)
            await asyncio.sleep(0.05)
        with pytest.raises(Refused, match="is being bought by a run just now"):
            await deciding
        assert (await ledger.find(intent.key)).state is State.SENT


async def test_the_id_is_told_where_a_run_is_stopped_while_it_can_t_be_written_down(
    work_dir: Path, media: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Another program holds the database when the reply comes, and the person does not want to wait for it."""
    known: list[Standing] = []
    replied, held = asyncio.Event(), sqlite3.connect(work_dir / "held")

    async def lock_and_reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal held
        held = sqlite3.connect(work_dir / FILE_NAME, isolation_level=None)
        held.execute("BEGIN IMMEDIATE")
        writer.write(ACCEPTED)
        replied.set()

    async with (
        scripted(lock_and_reply) as server, QueueClient(server.url, SecretStr("k")) as client,
        Ledger.open(None, work_dir=work_dir) as ledger,
    ):
        run = asyncio.create_task(buy(
            ledger, client, Store(work_dir), film_wish(media), seconds=1, cost=None, on_standing=known.append,
            rule=replace(QUICK, grace=0.5),
        ))
        await replied.wait()
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        held.rollback()
    assert (known[-1].state, known[-1].job_id) == (State.SENT, "job-1")
    assert "--adopt job-1" in caplog.text


async def test_a_run_that_is_cancelled_while_the_ledger_is_away_is_cancelled_and_not_failed(
    shop: Shop, work_dir: Path
) -> None:
    shop.standin.faults.add("stuck-pending")
    bought, heard = await shop.buy(), asyncio.Event()
    waiting = asyncio.create_task(shop.collect(bought, on_status_change=lambda _: heard.set()))
    await heard.wait()
    with no_state(work_dir, State.ACCEPTED):
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting


async def test_no_line_is_logged_between_the_reply_and_the_ledger(
    work_dir: Path, media: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "reelflow")
    async with (
        scripted(ACCEPTED) as server, QueueClient(server.url, SecretStr("k")) as client,
        Ledger.open(None, work_dir=work_dir) as ledger,
    ):
        await buy(ledger, client, Store(work_dir), film_wish(media), seconds=1, cost=None, rule=QUICK)
    said = [record.getMessage() for record in caplog.records if record.name.startswith("reelflow")]
    assert [line.split()[0] for line in said] == ["Purchase", "Sending", "Purchase"], said


@pytest.mark.parametrize(("said", "job_id"), [
    ('{"job_id": "job-1"}', "job-1"), ('{"job_id": 77, "status": null}', "77"),
])
async def test_an_answer_with_an_id_is_a_job_whatever_else_it_lacks(said: str, job_id: str, media: Path) -> None:
    async with scripted(answer(200, said)) as server, QueueClient(server.url, SecretStr("k")) as client:
        assert (await client.submit(film_wish(media))).job_id == job_id


async def test_an_id_that_comes_after_a_person_allowed_another_purchase_saves_that_purchase(work_dir: Path) -> None:
    async with Ledger.open(None, work_dir=work_dir) as ledger:
        claim = await ledger.claim(INTENT, Terms())
        assert claim.purchase is not None
        await ledger.sent(claim.purchase)
        await ledger.unknown(claim.purchase, "The reply was lost.")
        await resolve_unknown(ledger, INTENT.key, "resubmit")
        assert await ledger.accepted(claim.purchase, "job-1", stand_in=False)
        again = await ledger.claim(INTENT, Terms())
        assert (again.purchase, again.entry.job_id) == (None, "job-1")
        # Written once more, as where the answer to the first writing was lost.
        assert await ledger.accepted(claim.purchase, "job-1", stand_in=False)


async def test_a_refresh_that_was_taken_over_takes_what_the_other_one_got(shop: Shop, work_dir: Path) -> None:
    """Another run that refreshes sees this one stand still, takes over and buys, just before this one sends."""
    kept = await shop.collect(await shop.buy(flow_run_id="before"))

    async def take_over() -> None:
        async with Ledger.open(None, work_dir=work_dir) as other:
            (entry,) = await other.entries()
            claim = await other.claim(entry, Terms(
                dead=(entry.holder, entry.beat), refresh=True, older_will_do=False, flow_run_id="other"))
            assert claim.purchase is not None
            await other.sent(claim.purchase)
            await other.accepted(claim.purchase, "job-of-the-other", stand_in=True)
            await other.completed(claim.purchase, digest=kept.digest, size_bytes=1, seconds=0.5)

    taken: list[Standing] = []

    def stand_still(standing: Standing) -> None:
        if not taken:
            taken.append(standing)
            with ThreadPoolExecutor(1) as thread:
                thread.submit(asyncio.run, take_over()).result()

    bought = await shop.buy(refresh=True, flow_run_id="slow", on_standing=stand_still)
    assert (bought.job_id, shop.standin.posts) == ("job-of-the-other", 1)


MEDIA = bytes(range(256)) * 12_000


async def test_a_part_that_is_shorter_than_what_was_asked_for_is_not_taken_for_the_rest(
    tmp_path: Path
) -> None:
    """As a cache does that hands out a mebibyte at a time."""
    head = answer(200, MEDIA, Content_Type="video/mp4", ETag='"one"')[:-len(MEDIA) + 1_100_000]

    async def hang_up_early(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        writer.close()

    def part(begin: int, end: int) -> Answer:
        return answer(206, MEDIA[begin:end], ETag='"one"', Content_Range=f"bytes {begin}-{end - 1}/{len(MEDIA)}")

    async with (
        scripted(hang_up_early, part(1_100_000, 2_200_000), part(2_200_000, len(MEDIA))) as server,
        QueueClient(server.url, SecretStr("k")) as client,
    ):
        brought = await client.result("job-1", tmp_path / "out.mp4")
        assert brought.read_bytes() == MEDIA
        assert len(server.asked) == 3


async def test_clearing_everything_leaves_what_a_run_is_fetching(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    head = answer(200, MEDIA, Content_Type="video/mp4")
    came, go = asyncio.Event(), asyncio.Event()

    async def in_two_halves(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(head[:2_000_000])
        await go.wait()
        writer.write(head[2_000_000:])

    async with scripted(in_two_halves) as server, QueueClient(server.url, SecretStr("k")) as client:
        target = store.incoming("a.mp4")
        fetching = asyncio.create_task(client.result("job-1", target, on_bytes=lambda gone, _: came.set()))
        await came.wait()
        await store.clear(unused_for=-60)
        go.set()
        assert (await fetching).read_bytes() == MEDIA
        assert len(server.asked) == 1


async def test_a_work_folder_may_be_called_anything(tmp_path: Path) -> None:
    for name in ("what?x", "what", "50% #1"):
        (tmp_path / name).mkdir()
        async with Ledger.open(None, work_dir=tmp_path / name) as ledger:
            assert await ledger.entries() == []
            await ledger.claim(INTENT, Terms())
        assert (tmp_path / name / FILE_NAME).exists()


def test_a_time_before_all_time_is_from_the_beginning(work_dir: Path) -> None:
    spend = subprocess.run(
        [sys.executable, "-m", "flows", "spend", "--since", "999999w", "--json"], capture_output=True, text=True,
        env={**os.environ, "REELFLOW_WORK_DIR": str(work_dir)}, check=False)
    assert (spend.returncode, json.loads(spend.stdout)["jobs"]) == (0, 0), spend.stderr
