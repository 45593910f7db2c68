"""One wish, one job: reuse, refresh, limits, cancelling, and what a person decides."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import logging
import resource
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path

import pytest
from buying import MODELS, QUICK, Shop, film_wish, picture_wish
from pydantic import SecretStr
from scripted import answer, hang_up, scripted, stall

from reelflow.digest import digest_of
from reelflow.errors import (
    BadInput,
    BadMedia,
    FetchFailed,
    JobFailed,
    KeyRefused,
    OverBudget,
    QueueBusy,
    QueueRefused,
    QueueUnreachable,
    Refused,
    SpoiledResult,
    SubmitUnknown,
)
from reelflow.job.buy import buy
from reelflow.job.client import QueueClient
from reelflow.job.collect import fetch_job
from reelflow.job.decision import check_not_given_up, resolve_unknown
from reelflow.job.entry import Limits, Paid, Standing, State, spend_of
from reelflow.job.ledger import Ledger
from reelflow.job.submission import Bought
from reelflow.job.wire import Wish
from reelflow.store import Store

USD = Decimal


async def test_a_wish_is_bought_once_and_then_served_without_a_call(shop: Shop) -> None:
    first = await shop.buy(flow_run_id="run-1")
    collected = await shop.collect(first)
    assert (first.paid, first.path) == (Paid.NOW, None)
    asked = len(shop.standin.received)
    async with QueueClient("http://127.0.0.1:9", SecretStr("k"), identity=shop.client.identity) as nobody:
        again = await buy(shop.ledger, nobody, shop.store, film_wish(shop.media), seconds=0.5, cost=None)
    assert (again.paid, again.path, again.job_id) == (Paid.KEPT, collected.path, first.job_id)
    assert (shop.standin.posts, len(shop.standin.received)) == (1, asked)
    entry = await shop.entry()
    assert (entry.state, entry.attempts, entry.flow_run_id) == (State.COMPLETED, 1, "run-1")
    assert (entry.model, entry.resolved, entry.stand_in) == ("lucy-restyle-2", "lucy-restyle-2", True)
    assert (entry.output_digest, entry.output_bytes) == (digest_of(collected.path), collected.path.stat().st_size)


async def test_the_key_is_what_is_sent_and_where_and_nothing_else(shop: Shop, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere.mp4"
    moved.write_bytes((shop.media / "film.mp4").read_bytes())
    other = tmp_path / "other.mp4"
    other.write_bytes(moved.read_bytes() + b"\0")
    still = shop.media / "still.png"
    restyle, edit = MODELS["lucy-restyle-2"], MODELS["lucy-2.5"]
    same = [film_wish(shop.media), Wish(restyle, moved, prompt="noir")]
    different = [
        Wish(restyle, other, prompt="noir"), film_wish(shop.media, "neon"), film_wish(shop.media, seed=1),
        film_wish(shop.media, seed=0), Wish(restyle, moved, prompt="noir", enhance_prompt=True),
        Wish(restyle, moved, reference_image=still), Wish(edit, moved, prompt="noir"),
        Wish(edit, moved, prompt="noir", self_anchor=False), Wish(edit, moved, prompt="noir", reference_image=still),
    ]
    keys = [(await shop.buy(wish)).key for wish in same]
    others = [(await shop.buy(wish)).key for wish in different]
    assert len(set(keys)) == 1
    assert len({*keys, *others}) == 1 + len(different)
    async with QueueClient(shop.standin.url, SecretStr("k"), identity="another queue") as client:
        bought = await buy(shop.ledger, client, shop.store, same[0], seconds=0.5, cost=None)
    assert bought.key not in {*keys, *others}
    assert shop.standin.jobs_made == 2 + len(different)


async def test_a_file_that_is_not_there_leaves_no_row(shop: Shop) -> None:
    with pytest.raises(BadInput, match=r"gone\.mp4 can't be read: No such file"):
        await shop.buy(Wish(MODELS["lucy-2.5"], shop.media / "gone.mp4"))
    assert await shop.ledger.entries() == []


async def test_an_alias_is_reused_while_it_stands_for_the_same_model(shop: Shop) -> None:
    by_alias = Wish(MODELS["lucy-latest"], shop.media / "film.mp4", prompt="snow")
    by_name = Wish(MODELS["lucy-2.6"], shop.media / "film.mp4", prompt="snow")
    first = await shop.buy(by_alias)
    assert (first.model, (await shop.buy(by_name)).job_id) == ("lucy-2.6", first.job_id)
    moved = await shop.buy(by_alias, resolved="lucy-9")
    assert (moved.paid, moved.model) == (Paid.NOW, "lucy-9")
    assert shop.standin.received[-1].path == "/v1/jobs/lucy-latest"


async def test_runs_side_by_side_with_one_wish_make_one_job(shop: Shop) -> None:
    bought = await asyncio.gather(*(shop.buy(flow_run_id=f"run-{number}") for number in range(8)))
    assert (shop.standin.posts, shop.standin.jobs_made) == (1, 1)
    assert len({one.job_id for one in bought}) == 1
    assert sorted(one.paid for one in bought) == [Paid.EARLIER] * 7 + [Paid.NOW]
    collected = await asyncio.gather(*(shop.collect(one) for one in bought[:3]))
    assert len({one.path for one in collected}) == 1


async def test_pictures_side_by_side_are_one_picture(shop: Shop) -> None:
    bought = await asyncio.gather(*(shop.buy(picture_wish(shop.media)) for _ in range(5)))
    assert shop.standin.pictures_made == 1
    assert len({one.path for one in bought}) == 1
    assert bought[0].path is not None and bought[0].path.suffix == ".png"


async def test_refresh_buys_again_once_for_each_run(shop: Shop) -> None:
    await shop.collect(await shop.buy(flow_run_id="a"))
    fresh = await shop.buy(refresh=True, flow_run_id="b")
    assert fresh.paid is Paid.NOW
    assert (await shop.buy(refresh=True, flow_run_id="c")).job_id == fresh.job_id, "in flight: joined"
    await shop.collect(fresh)
    assert (await shop.buy(refresh=True, flow_run_id="b")).path is not None, "a retry of the run that refreshed"
    assert shop.standin.jobs_made == 2
    assert len(await shop.ledger.purchases(key=fresh.key)) == 2
    assert spend_of(await shop.ledger.purchases()).jobs == 2


async def test_a_damaged_or_missing_result_is_fetched_again_and_never_served(shop: Shop) -> None:
    collected = await shop.collect(await shop.buy())
    good = collected.path.read_bytes()
    for spoil in (lambda: collected.path.write_bytes(good[:-1] + b"\xff"), collected.path.unlink):
        spoil()
        again = await shop.buy()
        assert (again.path, again.paid) == (None, Paid.EARLIER)
        assert (await shop.collect(again)).path.read_bytes() == good
    assert shop.standin.jobs_made == 1


async def test_a_picture_that_is_gone_from_the_store_is_not_bought_again_unasked(shop: Shop) -> None:
    wish = picture_wish(shop.media)
    bought = await shop.buy(wish)
    assert bought.path is not None
    assert await shop.ledger.picture(bought.purchase) is None, "a ledger in a file keeps nothing twice"
    bought.path.unlink()
    with pytest.raises(FetchFailed, match="run with refresh to buy it again"):
        await shop.buy(wish)
    assert (await shop.buy(wish, refresh=True)).path == bought.path
    assert shop.standin.pictures_made == 2


async def test_a_job_is_never_asked_for_at_another_queue(shop: Shop) -> None:
    bought = await shop.buy()
    async with scripted(answer(200, "film", Content_Type="video/mp4")) as other:
        async with QueueClient(other.url, SecretStr("k")) as client:
            with pytest.raises(BadInput, match="was bought at"):
                await fetch_job(shop.ledger, client, shop.store, bought)
        assert other.asked == []


async def test_the_estimate_and_the_actual_both_stay(shop: Shop) -> None:
    async def look(path: Path) -> float:
        return 0.75

    bought = await shop.buy(seconds=0.5, cost=USD("0.10"))
    await shop.collect(bought, check=look)
    entry = await shop.entry()
    assert (entry.seconds, entry.cost, entry.output_seconds, entry.output_cost) == (0.5, USD("0.1"), 0.75, USD("0.15"))
    spend = spend_of(await shop.ledger.purchases(since=dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)))
    assert (spend.jobs, spend.seconds, spend.usd, spend.unpriced) == (1, 0.75, USD("0.15"), 0)


async def test_a_result_that_is_no_good_is_fetched_twice_and_never_kept(shop: Shop) -> None:
    looked = 0

    async def refuse(path: Path) -> float:
        nonlocal looked
        looked += 1
        raise BadMedia("It holds no picture.")

    bought = await shop.buy()
    with pytest.raises(SpoiledResult, match="came twice and is no good: It holds no picture"):
        await shop.collect(bought, check=refuse)
    assert looked == 2
    assert (await shop.entry()).state is State.ACCEPTED
    assert not list(shop.store.root.rglob("*.mp4"))


@pytest.mark.parametrize(("reply", "error", "posts"), [
    (answer(422, '{"detail": "no"}'), QueueRefused, 1), (answer(401), KeyRefused, 1),
    (answer(503), QueueBusy, QUICK.busy_tries),
])
async def test_what_was_refused_cost_nothing_and_may_be_tried_again(
    reply: bytes, error: type[Exception], posts: int, work_dir: Path, media: Path
) -> None:
    async with (
        scripted(*[reply] * posts, answer(200, '{"job_id": "job-1", "status": "pending"}')) as server,
        QueueClient(server.url, SecretStr("k")) as client, Ledger.open(None, work_dir=work_dir) as ledger,
    ):
        terms = {"seconds": 1.0, "cost": USD("0.04"), "limits": Limits(per_day=USD("0.04")), "rule": QUICK}
        with pytest.raises(error):
            await buy(ledger, client, Store(work_dir), film_wish(media), **terms)
        assert len(server.asked) == posts
        (entry,) = await ledger.entries()
        assert (entry.state, entry.attempts, spend_of(await ledger.purchases()).jobs) == (State.REFUSED, 0, 0)
        bought = await buy(ledger, client, Store(work_dir), film_wish(media), **terms)
        assert (bought.job_id, bought.paid) == ("job-1", Paid.NOW)


async def test_a_queue_that_is_not_there_is_tried_and_told(work_dir: Path, media: Path) -> None:
    told: list[str] = []
    async with (
        QueueClient("http://127.0.0.1:9", SecretStr("k")) as client, Ledger.open(None, work_dir=work_dir) as ledger,
    ):
        with pytest.raises(QueueUnreachable, match=r"http://127\.0\.0\.1:9"):
            await buy(ledger, client, Store(work_dir), film_wish(media), seconds=1, cost=None, rule=QUICK,
                      on_event=told.append)
        (entry,) = await ledger.entries()
    assert len(told) == QUICK.tries - 1
    assert (entry.state, entry.holder) == (State.REFUSED, None)


async def test_a_limit_for_a_run_counts_all_that_the_run_bought(shop: Shop) -> None:
    terms = {"limits": Limits(per_run=USD("0.10")), "flow_run_id": "run-1", "cost": USD("0.06")}
    await shop.buy(film_wish(shop.media, "one"), **terms)
    with pytest.raises(OverBudget, match=r"max_cost_usd is 0\.1 USD, of which 0\.06 USD are spent by this run"):
        await shop.buy(film_wish(shop.media, "two"), **terms)
    await shop.buy(film_wish(shop.media, "one"), **terms)
    assert shop.standin.jobs_made == 1, "what is bought already costs nothing"
    await shop.buy(film_wish(shop.media, "two"), **{**terms, "flow_run_id": "run-2"})
    await shop.buy(film_wish(shop.media, "three"), **{**terms, "flow_run_id": None})
    assert shop.standin.jobs_made == 3
    assert len(await shop.ledger.entries()) == 3, "a refusal leaves no row"


async def test_a_limit_for_a_day_holds_for_many_at_once(shop: Shop) -> None:
    async def one(number: int) -> str:
        try:
            await shop.buy(film_wish(shop.media, f"noir {number}"), limits=Limits(per_day=USD("0.30")),
                           cost=USD("0.10"), flow_run_id=f"run-{number}")
        except OverBudget:
            return "refused"
        return "bought"

    ended = await asyncio.gather(*(one(number) for number in range(8)))
    assert (ended.count("bought"), ended.count("refused"), shop.standin.jobs_made) == (3, 5, 3)


async def test_an_unknown_price_is_not_taken_for_zero(shop: Shop) -> None:
    for limits in (Limits(per_run=USD(100)), Limits(per_day=USD(100))):
        with pytest.raises(OverBudget, match="is not known"):
            await shop.buy(cost=None, limits=limits)
    await shop.buy(cost=None)
    spend = spend_of(await shop.ledger.purchases())
    assert (spend.jobs, spend.usd, spend.unpriced) == (1, 0, 1)


async def test_what_was_bought_at_an_unknown_price_is_not_taken_for_zero_by_a_later_limit(shop: Shop) -> None:
    await shop.buy(film_wish(shop.media, "one"), cost=None, flow_run_id="run-1")
    for limits in (Limits(per_run=USD(100)), Limits(per_day=USD(100))):
        with pytest.raises(OverBudget, match="One job without a known price was bought"):
            await shop.buy(film_wish(shop.media, "two"), cost=USD("0.10"), limits=limits, flow_run_id="run-1")
    await shop.buy(film_wish(shop.media, "two"), cost=USD("0.10"), limits=Limits(per_run=USD(1)), flow_run_id="run-2")
    assert shop.standin.jobs_made == 2


async def test_what_may_have_been_paid_counts_against_the_limit(shop: Shop) -> None:
    shop.standin.faults.add("drop-after-accept")
    terms = {"limits": Limits(per_day=USD("0.10")), "cost": USD("0.06")}
    with pytest.raises(SubmitUnknown):
        await shop.buy(**terms)
    with pytest.raises(OverBudget):
        await shop.buy(film_wish(shop.media, "two"), **terms)
    spend = spend_of(await shop.ledger.purchases())
    assert (spend.usd, spend.uncertain_usd) == (0, USD("0.06"))


async def test_a_run_that_is_cancelled_while_it_waits_keeps_the_job(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    shop.standin.faults.add("stuck-pending")
    bought, heard = await shop.buy(), asyncio.Event()
    waiting = asyncio.create_task(shop.collect(bought, on_status_change=lambda _: heard.set()))
    await heard.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    entry = await shop.entry()
    assert (entry.state, entry.job_id) == (State.ACCEPTED, bought.job_id)
    assert entry.note == "Stopped waiting; the queue may still finish and bill it."
    assert entry.note in caplog.text
    again = await shop.buy()
    assert (again.job_id, again.paid, shop.standin.posts) == (bought.job_id, Paid.EARLIER, 1)


async def test_a_run_that_is_cancelled_when_its_form_is_out_still_hears_the_id(work_dir: Path, media: Path) -> None:
    heard, go = asyncio.Event(), asyncio.Event()

    async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.set()
        await go.wait()
        writer.write(answer(200, '{"job_id": "job-1", "status": "pending"}'))

    async with (
        scripted(late) as server, QueueClient(server.url, SecretStr("k")) as client,
        Ledger.open(None, work_dir=work_dir) as ledger,
    ):
        told: list[str] = []
        known: list[Standing] = []
        run = asyncio.create_task(buy(
            ledger, client, Store(work_dir), film_wish(media), seconds=1, cost=None, on_event=told.append,
            on_standing=known.append,
        ))
        await heard.wait()
        run.cancel()
        await asyncio.sleep(0)
        go.set()
        with pytest.raises(asyncio.CancelledError):
            await run
        (entry,) = await ledger.entries()
        assert told == ["The form is out; waiting up to 15 s for its reply."]
        assert [(one.state, one.job_id) for one in known] == [
            (State.INTENDED, None), (State.SENT, None), (State.ACCEPTED, "job-1")]
        assert {(one.key, one.purchase) for one in known} == {(entry.key, entry.purchase)}
        assert (entry.state, entry.job_id) == (State.ACCEPTED, "job-1")
        assert "may still finish and bill it" in entry.note


class _OnError(logging.Handler):
    """Does something when an error is logged."""

    def __init__(self, act: Callable[[], None]) -> None:
        super().__init__(logging.ERROR)
        self._act = act

    def emit(self, record: logging.LogRecord) -> None:
        self._act()


async def test_an_id_outlasts_a_ledger_that_can_t_be_written_for_a_while(work_dir: Path, media: Path) -> None:
    """The disk is full just when the reply comes (a limit on the size of files stands in for that), and then is not."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    async def reply_with_full_disk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
        writer.write(answer(200, '{"job_id": "job-1", "status": "pending"}'))

    def make_room() -> None:
        told.append("full")
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    told: list[str] = []
    known: list[Standing] = []
    handler = _OnError(make_room)
    logging.getLogger("reelflow.job").addHandler(handler)
    try:
        async with (
            scripted(reply_with_full_disk) as server, QueueClient(server.url, SecretStr("k")) as client,
            Ledger.open(None, work_dir=work_dir) as ledger,
        ):
            bought = await buy(ledger, client, Store(work_dir), film_wish(media), seconds=1, cost=None, rule=QUICK,
                               on_standing=known.append)
            (entry,) = await ledger.entries()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        logging.getLogger("reelflow.job").removeHandler(handler)
    assert told == ["full"]
    assert (bought.job_id, entry.job_id, entry.state) == ("job-1", "job-1", State.ACCEPTED)
    assert [(one.state, one.job_id) for one in known[2:]] == [(State.SENT, "job-1"), (State.ACCEPTED, "job-1")]


@pytest.mark.parametrize(("size", "state"), [(2**26, State.REFUSED), (None, State.UNKNOWN)])
async def test_a_run_that_is_cancelled_in_its_form_knows_whether_it_left(
    size: int | None, state: State, work_dir: Path, media: Path
) -> None:
    film = media / "film.mp4"
    if size is not None:
        film = work_dir / "large.mp4"
        with film.open("wb") as file:
            file.truncate(size)
    left = asyncio.Event()
    known: list[Standing] = []

    def count(gone: int, total: int | None) -> None:
        if size is not None or gone == total:
            left.set()

    rule = QUICK.__class__(pause=0.02, grace=0.2)
    async with (
        scripted(stall, read_body=False) as server, QueueClient(server.url, SecretStr("k")) as client,
        Ledger.open(None, work_dir=work_dir) as ledger,
    ):
        run = asyncio.create_task(buy(
            ledger, client, Store(work_dir), Wish(MODELS["lucy-2.5"], film), seconds=1, cost=None, rule=rule,
            on_bytes=count, on_standing=known.append,
        ))
        await left.wait()
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        (entry,) = await ledger.entries()
        assert (entry.state, entry.holder) == (state, None)
    assert [one.state for one in known] == [State.INTENDED, State.SENT, state]


@pytest.mark.parametrize(("reply", "states"), [
    (answer(503), (State.INTENDED, State.SENT, State.INTENDED, State.SENT, State.ACCEPTED)),
    (answer(422), (State.INTENDED, State.SENT, State.REFUSED)),
    (answer(500), (State.INTENDED, State.SENT, State.UNKNOWN)),
])
async def test_a_run_knows_at_once_where_its_purchase_stands(
    reply: bytes, states: tuple[State, ...], work_dir: Path, media: Path
) -> None:
    known: list[Standing] = []
    async with (
        scripted(reply, answer(200, '{"job_id": "job-1", "status": "pending"}')) as server,
        QueueClient(server.url, SecretStr("k")) as client, Ledger.open(None, work_dir=work_dir) as ledger,
    ):
        with contextlib.suppress(QueueRefused, SubmitUnknown):
            await buy(ledger, client, Store(work_dir), film_wish(media), seconds=1, cost=None, rule=QUICK,
                      on_standing=known.append)
        (entry,) = await ledger.entries()
    assert tuple(one.state for one in known) == states
    assert entry.state is states[-1]


async def test_a_run_that_is_cancelled_when_its_form_is_turned_away_leaves_nothing_open(
    work_dir: Path, media: Path
) -> None:
    heard, go = asyncio.Event(), asyncio.Event()

    async def turn_away(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.set()
        await go.wait()
        writer.write(answer(503))

    known: list[Standing] = []
    async with (
        scripted(turn_away) as server, QueueClient(server.url, SecretStr("k")) as client,
        Ledger.open(None, work_dir=work_dir) as ledger,
    ):
        run = asyncio.create_task(buy(ledger, client, Store(work_dir), film_wish(media), seconds=1, cost=None,
                                      on_standing=known.append))
        await heard.wait()
        run.cancel()
        await asyncio.sleep(0)
        go.set()
        with pytest.raises(asyncio.CancelledError):
            await run
        (entry,) = await ledger.entries()
    assert (entry.state, entry.holder, known[-1].state) == (State.REFUSED, None, State.REFUSED)


async def test_a_run_that_is_tried_again_has_paid_itself(shop: Shop) -> None:
    wish = film_wish(shop.media)
    assert [(await shop.buy(wish, flow_run_id=name)).paid for name in ("a", "a", "b")] == [
        Paid.NOW, Paid.NOW, Paid.EARLIER]
    assert shop.standin.jobs_made == 1


async def test_a_person_decides_about_a_lost_reply(shop: Shop) -> None:
    async def lose(prompt: str) -> str:
        shop.standin.faults.add("drop-after-accept")
        with pytest.raises(SubmitUnknown) as raised:
            await shop.buy(film_wish(shop.media, prompt))
        assert raised.value.key is not None
        return raised.value.key

    key = await lose("resubmit me")
    assert (await resolve_unknown(shop.ledger, key[:10], "resubmit")).state is State.REFUSED
    assert (await shop.buy(film_wish(shop.media, "resubmit me"))).paid is Paid.NOW
    assert [one.state for one in await shop.ledger.purchases(key=key)] == [State.UNKNOWN, State.ACCEPTED]

    key = await lose("adopt me")
    found = (await shop.client.submit(film_wish(shop.media, "adopt me"))).job_id
    with pytest.raises(Refused, match="job id is missing"):
        await resolve_unknown(shop.ledger, key, "adopt", job_id=" ")
    await resolve_unknown(shop.ledger, key, "adopt", job_id=found)
    adopted = await shop.buy(film_wish(shop.media, "adopt me"))
    assert (adopted.job_id, adopted.paid) == (found, Paid.EARLIER)
    assert (await shop.collect(adopted)).path.exists()

    key = await lose("abandon me")
    await resolve_unknown(shop.ledger, key, "abandon")
    with pytest.raises(Refused, match="was given up"):
        await shop.buy(film_wish(shop.media, "abandon me"))
    with pytest.raises(Refused, match="nothing to abandon"):
        await resolve_unknown(shop.ledger, key, "abandon")
    await resolve_unknown(shop.ledger, key, "resubmit")
    assert (await shop.buy(film_wish(shop.media, "abandon me"))).paid is Paid.NOW


async def test_a_run_knows_what_of_it_a_person_has_given_up(shop: Shop) -> None:
    shop.standin.faults.add("drop-after-accept")
    with pytest.raises(SubmitUnknown) as unknown:
        await shop.buy(film_wish(shop.media, "of a run"), flow_run_id="one")
    key = str(unknown.value.key)
    await check_not_given_up(shop.ledger, "one")
    await resolve_unknown(shop.ledger, key, "abandon")
    await check_not_given_up(shop.ledger, "another")
    with pytest.raises(Refused, match=f"given up .* {key[:12]} --resubmit"):
        await check_not_given_up(shop.ledger, "one")
    await resolve_unknown(shop.ledger, key, "resubmit")
    await check_not_given_up(shop.ledger, "one")


async def test_a_failed_job_may_be_bought_again_when_a_person_says_so(shop: Shop) -> None:
    shop.standin.faults.add("job-fails")
    bought = await shop.buy()
    with pytest.raises(JobFailed):
        await shop.collect(bought)
    with pytest.raises(JobFailed, match="1 of 1 allowed attempts are used"):
        await shop.buy()
    await resolve_unknown(shop.ledger, bought.key, "resubmit")
    assert (await shop.collect(await shop.buy())).path.exists()


async def test_a_name_that_moves_is_asked_about_again_when_the_queue_stumbles(work_dir: Path, media: Path) -> None:
    said = (hang_up, answer(500), answer(200, '{"model": "lucy-2.6"}'), answer(200, '{"job_id": "j", "status": "x"}'))
    async with (
        scripted(*said) as server, QueueClient(server.url, SecretStr("k")) as client,
        Ledger.open(None, work_dir=work_dir) as ledger,
    ):
        wish = Wish(MODELS["lucy-latest"], media / "film.mp4", prompt="snow")
        bought = await buy(ledger, client, Store(work_dir), wish, seconds=1, cost=None, rule=QUICK)
        assert (bought.model, bought.job_id) == ("lucy-2.6", "j")
        assert [asked.path for asked in server.asked] == ["/v1/models/resolve"] * 3 + ["/v1/jobs/lucy-latest"]


async def test_a_queue_that_forgets_what_a_name_stands_for_for_a_moment_sells_nothing_twice(
    work_dir: Path, media: Path,
) -> None:
    said = (
        answer(200, '{"model": "lucy-2.6"}'), answer(200, '{"job_id": "j", "status": "x"}'), answer(404),
        answer(200, '{"model": "lucy-2.6"}'),
    )
    async with (
        scripted(*said) as server, QueueClient(server.url, SecretStr("k")) as client,
        Ledger.open(None, work_dir=work_dir) as ledger,
    ):
        def bought() -> Awaitable[Bought]:
            wish = Wish(MODELS["lucy-latest"], media / "film.mp4", prompt="snow")
            return buy(ledger, client, Store(work_dir), wish, seconds=1, cost=None, rule=QUICK)

        first = await bought()
        with pytest.raises(QueueRefused, match="what the model lucy-latest stands for now; nothing was sent"):
            await bought()
        assert (await bought()).job_id == first.job_id
        assert [asked.path for asked in server.asked].count("/v1/jobs/lucy-latest") == 1
