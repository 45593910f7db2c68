"""Bought anew, and nothing came of it: what was paid before is still there to be used."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from buying import QUICK, Shop, film_wish, picture_wish
from pydantic import SecretStr

from reelflow.errors import JobFailed, OverBudget, QueueBusy, QueueUnreachable, SubmitUnknown
from reelflow.job.buy import buy
from reelflow.job.client import QueueClient
from reelflow.job.decision import resolve_unknown
from reelflow.job.entry import Limits, Paid, State
from reelflow.job.schema import purchases

ONCE = replace(QUICK, busy_tries=1)


async def turned_away(shop: Shop) -> None:
    shop.standin.faults.add("429-seconds=9")
    with pytest.raises(QueueBusy):
        await shop.buy(refresh=True, flow_run_id="anew", rule=ONCE)
    shop.standin.faults.clear()


async def unreachable(shop: Shop) -> None:
    async with QueueClient("http://127.0.0.1:9", SecretStr("key"), identity=shop.client.identity) as nobody:
        with pytest.raises(QueueUnreachable):
            await buy(shop.ledger, nobody, shop.store, film_wish(shop.media), seconds=0.5, cost=Decimal("0.005"),
                      refresh=True, flow_run_id="anew", rule=ONCE)


async def failed(shop: Shop) -> None:
    shop.standin.faults.add("job-fails")
    with pytest.raises(JobFailed):
        await shop.collect(await shop.buy(refresh=True, flow_run_id="anew"))


async def lost_and_given_up(shop: Shop) -> None:
    shop.standin.faults.add("drop-before-accept")
    with pytest.raises(SubmitUnknown):
        await shop.buy(refresh=True, flow_run_id="anew")
    with pytest.raises(SubmitUnknown):
        await shop.buy()  # that it is lost is not forgotten
    await resolve_unknown(shop.ledger, (await shop.entry()).key, "abandon")


@pytest.mark.parametrize("nothing_comes_of_it", [turned_away, unreachable, failed, lost_and_given_up])
async def test_where_nothing_came_of_a_refresh_a_plain_run_has_what_was_paid_before(
    shop: Shop, nothing_comes_of_it: object
) -> None:
    paid = (await shop.collect(await shop.buy())).path
    await nothing_comes_of_it(shop)  # type: ignore[operator]
    posts = shop.standin.posts
    again = await shop.buy()
    assert (again.path, again.paid, shop.standin.posts) == (paid, Paid.KEPT, posts)
    assert (await shop.entry()).state is State.COMPLETED


async def test_a_picture_that_the_queue_keeps_no_more_is_not_paid_again_after_a_refresh_that_failed(shop: Shop) -> None:
    wish = picture_wish(shop.media)
    paid = await shop.buy(wish)
    shop.standin.faults.add("429-seconds=9")
    with pytest.raises(QueueBusy):
        await shop.buy(wish, refresh=True, rule=ONCE)
    shop.standin.faults.clear()
    assert ((await shop.buy(wish)).path, shop.standin.pictures_made) == (paid.path, 1)


async def test_a_run_that_was_to_refresh_is_not_content_with_what_was_there_before(shop: Shop) -> None:
    await shop.collect(await shop.buy())
    await turned_away(shop)
    assert (await shop.buy(refresh=True, flow_run_id="anew")).paid is Paid.NOW
    assert shop.standin.jobs_made == 2


async def test_a_job_that_is_overdue_is_taken_up_after_a_refresh_that_was_turned_away(shop: Shop) -> None:
    overdue = await shop.buy()
    await shop.ledger.expired(overdue.purchase, "It outlived its deadline.")
    await turned_away(shop)
    again = await shop.buy()
    assert (again.job_id, shop.standin.jobs_made) == (overdue.job_id, 1)
    assert (await shop.collect(again)).path.exists()


async def test_a_person_who_allows_another_purchase_is_heeded_whatever_was_paid_before(shop: Shop) -> None:
    await shop.collect(await shop.buy())
    await failed(shop)
    await resolve_unknown(shop.ledger, (await shop.entry()).key, "resubmit")
    assert (await shop.buy()).paid is Paid.NOW
    assert shop.standin.jobs_made == 3


async def test_what_is_there_already_needs_no_money(shop: Shop) -> None:
    paid = (await shop.collect(await shop.buy())).path
    await turned_away(shop)
    none = Limits(per_day=Decimal("0.000001"))
    with pytest.raises(OverBudget):
        await shop.buy(refresh=True, limits=none)
    assert (await shop.buy(limits=none)).path == paid


async def test_what_a_person_has_allowed_is_still_to_be_bought_where_it_was_turned_away(shop: Shop) -> None:
    await shop.collect(await shop.buy())
    await failed(shop)
    await resolve_unknown(shop.ledger, (await shop.entry()).key, "resubmit")
    shop.standin.faults.add("429-seconds=9")
    with pytest.raises(QueueBusy):
        await shop.buy(rule=ONCE)
    shop.standin.faults.clear()
    assert (await shop.buy()).paid is Paid.NOW


async def test_the_newest_of_what_was_paid_is_taken_up(shop: Shop) -> None:
    await shop.collect(await shop.buy())
    shop.standin.faults.add("drop-after-accept")
    with pytest.raises(SubmitUnknown) as lost:
        await shop.buy(refresh=True)
    await resolve_unknown(shop.ledger, (await shop.entry()).key, "abandon")
    await shop.buy()
    assert lost.value.purchase is not None
    await shop.ledger.accepted(lost.value.purchase, "late-id", stand_in=True)
    await turned_away(shop)
    assert (await shop.buy()).job_id == "late-id"


async def test_a_result_of_before_purchases_kept_their_digests_is_fetched_again(shop: Shop) -> None:
    first = await shop.buy()
    paid = await shop.collect(first)
    await turned_away(shop)
    await shop.ledger._transactions.run(lambda connection: connection.execute(
        purchases.update().values(output_digest=None, output_bytes=None)))
    again = await shop.buy()
    assert (again.job_id, again.paid, shop.standin.jobs_made) == (first.job_id, Paid.EARLIER, 1)
    assert (await shop.collect(again)).path == paid.path
