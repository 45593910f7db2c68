"""Each of the queue's faults: how many forms went out, how many jobs there are, where it ends, what a person reads."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest
from buying import QUICK, Shop, film_wish, picture_wish
from pydantic import SecretStr
from scripted import answer, hang_up, scripted

from reelflow.errors import FetchFailed, JobFailed, JobOverdue, ReelflowError, SubmitUnknown
from reelflow.job.buy import buy
from reelflow.job.client import QueueClient
from reelflow.job.decision import resolve_unknown
from reelflow.job.entry import Limits, Paid, State, spend_of
from reelflow.job.ledger import Ledger
from reelflow.store import Store


@dataclass(frozen=True, slots=True)
class Case:
    """A fault, and what must come of it: POSTs, jobs at the queue, the row's state, and the error with its words."""

    fault: str
    posts: int
    jobs: int
    state: State
    error: type[ReelflowError] | None = None
    words: str = ""


DONE, UNKNOWN = State.COMPLETED, State.UNKNOWN
CASES = (
    Case("drop-in-body", 1, 0, UNKNOWN, SubmitUnknown, "may or may not have been bought"),
    Case("drop-before-accept", 1, 0, UNKNOWN, SubmitUnknown, "may or may not have been bought"),
    Case("drop-after-accept", 1, 1, UNKNOWN, SubmitUnknown, "may or may not have been bought"),
    Case("hang-after-accept", 1, 1, UNKNOWN, SubmitUnknown, "no byte of an answer in time"),
    Case("500", 1, 0, UNKNOWN, SubmitUnknown, "answered 500"),
    Case("502-html", 1, 1, UNKNOWN, SubmitUnknown, "answered 502"),
    Case("not-json", 1, 1, UNKNOWN, SubmitUnknown, "without a job id"),
    Case("429-seconds", 2, 1, DONE),
    Case("429-date", 2, 1, DONE),
    Case("503=2", 3, 1, DONE),
    Case("unknown-status=2", 1, 1, DONE),
    Case("status-404", 1, 1, DONE),
    Case("status-429", 1, 1, DONE),
    Case("status-500=3", 1, 1, DONE),
    Case("status-drop=2", 1, 1, DONE),
    Case("status-not-json", 1, 1, DONE),
    Case("content-500=5", 1, 1, State.ACCEPTED, FetchFailed, "in 5 tries"),
    Case("content-500=4", 1, 1, DONE),
    Case("content-cut", 1, 1, DONE),
    Case("content-reset", 1, 1, DONE),
    Case("job-fails", 1, 1, State.FAILED, JobFailed, "reports that job"),
    Case("stuck-pending", 1, 1, State.EXPIRED, JobOverdue, "the queue may still finish and bill it"),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.fault)
async def test_what_a_fault_costs(case: Case, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.standin.faults.add(case.fault)
    deadline = 1.0 if case.error is JobOverdue else 60.0
    said = ""
    try:
        bought = await shop.buy()
        await shop.collect(bought, deadline=deadline)
    except ReelflowError as error:
        said = error.message
        assert type(error) is case.error
    else:
        assert case.error is None
    entry = await shop.entry()
    assert (shop.standin.posts, shop.standin.jobs_made, entry.state) == (case.posts, case.jobs, case.state)
    assert case.words in said
    assert "\n" not in said
    if case.state is UNKNOWN:
        assert f"reelflow jobs resolve {entry.key[:12]}" in said

    # The same again, with nothing wrong any more: nobody pays twice.
    shop.standin.faults.clear()
    again: type[ReelflowError] | None = None
    try:
        await shop.collect(await shop.buy(), deadline=deadline)
    except ReelflowError as error:
        again = type(error)
    assert shop.standin.posts == case.posts
    assert shop.standin.jobs_made == case.jobs
    assert again is (None if case.error is FetchFailed else case.error)


@pytest.mark.parametrize(("fault", "state"), [
    ("drop-after-accept", UNKNOWN), ("not-json", State.UNKNOWN), ("429-seconds", DONE),
])
async def test_an_edited_picture_is_bought_once_too(fault: str, state: State, shop: Shop) -> None:
    shop.standin.faults.add(fault)
    wish = picture_wish(shop.media)
    if state is UNKNOWN:
        with pytest.raises(SubmitUnknown):
            await shop.buy(wish)
        with pytest.raises(SubmitUnknown):
            await shop.buy(wish)
    else:
        first, second = await shop.buy(wish), await shop.buy(wish)
        assert (first.paid, second.paid, first.path) == (Paid.NOW, Paid.KEPT, second.path)
        assert (await shop.collect(second)).path == first.path
    assert shop.standin.pictures_made == 1
    assert (await shop.entry()).state is state


async def test_a_form_that_is_out_and_lost_is_never_sent_again_by_itself(shop: Shop) -> None:
    shop.standin.faults.add("drop-after-accept=1")
    for _ in range(3):
        with pytest.raises(SubmitUnknown):
            await shop.buy()
    assert (shop.standin.posts, shop.standin.jobs_made) == (1, 1)
    bought = await shop.buy(unknown_policy="resubmit")
    assert (shop.standin.posts, bought.paid) == (2, Paid.NOW)


async def test_the_policy_to_resubmit_decides_in_the_same_call(shop: Shop) -> None:
    shop.standin.faults.add("drop-after-accept=2")
    told: list[str] = []
    bought = await shop.buy(unknown_policy="resubmit", on_event=told.append)
    assert (shop.standin.posts, shop.standin.jobs_made, bought.paid) == (3, 3, Paid.NOW)
    assert len([sentence for sentence in told if "REELFLOW_UNKNOWN_POLICY=resubmit: sent again in" in sentence]) == 2
    purchases = await shop.ledger.purchases(key=bought.key)
    assert [one.state for one in purchases] == [State.UNKNOWN, State.UNKNOWN, State.ACCEPTED]
    assert [one.id for one in purchases][-1] == bought.purchase
    assert spend_of(purchases).uncertain_usd == Decimal("0.010")
    assert (await shop.entry()).attempts == 3


async def test_the_policy_to_resubmit_does_not_go_on_for_ever(shop: Shop) -> None:
    shop.standin.faults.add("500=9")
    for posts in (3, 6):
        with pytest.raises(SubmitUnknown, match=r"=resubmit: the form was sent 3x and no reply came .* The run ends "
                                                r"here, and the next one .* A person can still decide: `reelflow"):
            await shop.buy(unknown_policy="resubmit")
        assert shop.standin.posts == posts


async def test_the_policy_to_resubmit_keeps_to_the_limit(shop: Shop) -> None:
    shop.standin.faults.add("drop-after-accept=9")
    with pytest.raises(SubmitUnknown, match=r"can't be sent again now \(This would cost .* of which 0\.12 USD") as lost:
        await shop.buy(unknown_policy="resubmit", limits=Limits(per_day=Decimal("0.15")), cost=Decimal("0.06"))
    assert (shop.standin.posts, shop.standin.jobs_made) == (2, 2)
    entry = await shop.entry()
    assert (entry.state, entry.key, entry.purchase) == (State.UNKNOWN, lost.value.key, lost.value.purchase)


async def test_a_refusal_after_a_lost_reply_hides_nothing(work_dir: Path, media: Path) -> None:
    async with (
        scripted(hang_up, answer(401)) as server, QueueClient(server.url, SecretStr("k")) as client,
        Ledger.open(None, work_dir=work_dir) as ledger,
    ):
        with pytest.raises(SubmitUnknown, match="Before that the form went out 1x without a reply"):
            await buy(ledger, client, Store(work_dir), film_wish(media), seconds=1, cost=None, rule=QUICK,
                      unknown_policy="resubmit")
        assert [one.state for one in await ledger.purchases()] == [State.UNKNOWN, State.REFUSED]


async def test_the_policy_to_fail_ends_and_leaves_the_decision_open(shop: Shop) -> None:
    shop.standin.faults.add("drop-after-accept")
    for _ in range(2):
        with pytest.raises(SubmitUnknown, match=r"=fail: the run ends here\. A person can still decide: `reelflow"):
            await shop.buy(unknown_policy="fail")
    assert shop.standin.posts == 1
    await resolve_unknown(shop.ledger, (await shop.entry()).key, "resubmit")
    await shop.collect(await shop.buy(unknown_policy="fail"))
    assert shop.standin.posts == 2


async def test_a_job_that_failed_is_bought_again_only_as_often_as_allowed(shop: Shop) -> None:
    shop.standin.faults.add("job-fails=2")
    for _ in range(2):
        with pytest.raises(JobFailed):
            await shop.collect(await shop.buy())
    assert shop.standin.jobs_made == 1
    with pytest.raises(JobFailed):
        await shop.collect(await shop.buy(max_attempts=3))
    await shop.collect(await shop.buy(max_attempts=3))
    assert shop.standin.jobs_made == 3
    assert (await shop.buy(film_wish(shop.media))).path is not None


async def test_one_call_buys_in_place_of_what_failed_as_often_as_allowed(shop: Shop) -> None:
    shop.standin.faults.add("job-fails=3")
    for allowed, jobs in ((2, 2), (3, 3)):
        with pytest.raises(JobFailed, match="reports that job"):
            await shop.buy_until_done(max_attempts=allowed)
        assert shop.standin.jobs_made == jobs
    with pytest.raises(JobFailed, match="3 of 3 allowed attempts are used"):
        await shop.buy_until_done(max_attempts=3)
    assert (await shop.collect(await shop.buy_until_done(max_attempts=4))).path.exists()
    assert (shop.standin.jobs_made, (await shop.entry()).state) == (4, DONE)


async def test_an_overdue_job_is_bought_again_only_where_that_is_allowed(shop: Shop) -> None:
    shop.standin.faults.add("stuck-pending=2")
    for _ in range(2):
        with pytest.raises(JobOverdue):
            await shop.buy_until_done(deadline=0.3)
    assert shop.standin.jobs_made == 1
    with pytest.raises(JobOverdue):
        await shop.buy_until_done(deadline=0.3, max_attempts=2)
    assert shop.standin.jobs_made == 2


async def test_an_overdue_job_that_ends_after_all_is_taken(shop: Shop) -> None:
    shop.standin.faults.add("unknown-status=4")
    with pytest.raises(JobOverdue):
        await shop.collect(await shop.buy(), deadline=0.2, poll_seconds=0.1)
    assert (await shop.entry()).state is State.EXPIRED
    assert (await shop.collect(await shop.buy())).path.exists()
    assert (shop.standin.jobs_made, (await shop.entry()).state) == (1, DONE)
