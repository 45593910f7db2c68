"""Buying a wish once: the only room that decides whether a form is sent, sent again, or not sent at all."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import random
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from reelflow.digest import digest_of_source, known_digest_of
from reelflow.errors import BadInput, FetchFailed, JobFailed, QueueBusy, QueueFault, SubmitUnknown
from reelflow.job.boundary import Boundary, reached
from reelflow.job.entry import Entry, Intent, Limits, Paid, State, Terms
from reelflow.job.form import OnBytes
from reelflow.job.holder import Watch
from reelflow.job.ledger import Ledger, Taken
from reelflow.job.lost import LostReplies, UnknownPolicy, given_up, undecided
from reelflow.job.pictures import find_result
from reelflow.job.submission import Bought, OnEvent, OnStanding, Submission, SubmitRule, picture_name
from reelflow.job.wire import Wish
from reelflow.models import Kind
from reelflow.store import Store

if TYPE_CHECKING:
    from reelflow.job.client import QueueClient

logger = logging.getLogger(__name__)

_NO_LIMITS = Limits()
_STANDARD_RULE = SubmitRule()


async def buy(
    ledger: Ledger,
    client: QueueClient,
    store: Store,
    wish: Wish,
    *,
    seconds: float,
    cost: Decimal | None,
    limits: Limits = _NO_LIMITS,
    unknown_policy: UnknownPolicy = "ask",
    max_attempts: int = 1,
    refresh: bool = False,
    resolved: str | None = None,
    flow_run_id: str | None = None,
    rule: SubmitRule = _STANDARD_RULE,
    on_event: OnEvent | None = None,
    on_bytes: OnBytes | None = None,
    on_standing: OnStanding | None = None,
) -> Bought:
    """See to it that a wish is bought, by this run or by another, and never twice. Repeatable for ever.

    `seconds` and `cost` (USD, None: not known) are the estimate; `resolved` is what the model's name stands for now, if
    that was asked already. `max_attempts` counts the jobs bought for the wish over all runs: one that failed is bought
    again only while there are fewer. The policies `ask` and `fail` stop at a lost
    reply, and what comes next is the caller's; `resubmit` sends the form again, up to three in one call, each a
    purchase of its own. A job that outlived its deadline is given back as it is, since asking for it again is free.

    Raises:
        BadInput, OverBudget, QueueRefused, KeyRefused, QueueUnreachable, QueueBusy: nothing was bought.
        SubmitUnknown: a job may have been bought; holds the key for `resolve_unknown`.
        JobFailed: this wish's job failed, and may not be bought again on these terms.
        FetchFailed: an edited picture was bought, is not in the store any more, and can't be fetched again.
    """
    wish.check()
    tell = on_event or (lambda _: None)
    if resolved is None:
        resolved = await _resolve(client, wish, rule)
    intent = await _intend(wish, client, resolved, seconds, cost)
    reached(Boundary.BEFORE_INTENT)
    watch, dead, asked_fresh = Watch(rule.lease), None, refresh
    lost = LostReplies(unknown_policy)
    with lost.told():
        while True:
            came = await _row_of_a_picture_that_came(ledger, store, wish, intent.key)
            terms = Terms(
                limits=limits, max_attempts=max_attempts,
                resubmit_unknown=unknown_policy == "resubmit" and came is None,
                refresh=refresh, older_will_do=not asked_fresh, flow_run_id=flow_run_id, dead=dead,
            )
            # Refused: a person has allowed another purchase, not knowing of the picture.
            if (came is not None and came.state in (State.UNKNOWN, State.REFUSED)
                    and (bought := await _picture_that_came(ledger, store, came, terms)) is not None):
                tell(f"Nothing to pay: {_described(bought)}.")
                return bought
            claim = await ledger.claim(intent, terms)
            if claim.purchase is not None:
                reached(Boundary.AFTER_INTENT)
                purchase = Submission(
                    ledger, client, store, wish, claim.entry, claim.purchase, rule, tell, on_bytes, on_standing
                )
                try:
                    return await purchase.make()
                except SubmitUnknown as unknown:
                    lost.add(unknown)
                    pause = rule.pause_after(lost.count, None)
                    tell(f"{unknown.message} REELFLOW_UNKNOWN_POLICY=resubmit: sent again in {pause:.1f} s.")
                    await asyncio.sleep(pause)
                    continue
                except Taken:
                    tell("Another run has taken this wish over; waiting for it.")
                    refresh = False
            elif (bought := await _found(ledger, store, claim.entry, terms, unknown_policy)) is not None:
                tell(f"Nothing to pay: {_described(bought)}.")
                return bought
            else:
                tell("Another run is buying this wish just now; waiting for it.")
                # What that run gets is what is asked for here, however fresh it was to be.
                refresh = False
            dead = await _wait_for_holder(ledger, intent.key, watch)


async def _found(
    ledger: Ledger, store: Store, entry: Entry, terms: Terms, policy: UnknownPolicy
) -> Bought | None:
    """What a row that isn't to be bought comes to; None where another run is at it."""
    assert entry.purchase is not None
    if entry.state is State.COMPLETED:
        path = await find_result(ledger, store, entry)
        if path is None and entry.job_id is None:
            raise FetchFailed(
                f"The picture that was bought on {entry.changed_at:%Y-%m-%d} is not in the store any more, and the "
                "queue keeps none: run with refresh to buy it again.", job_id="",
            )
        return _bought(entry, terms, path)
    if entry.state in (State.ACCEPTED, State.EXPIRED):
        return _bought(entry, terms)
    if entry.state is State.UNKNOWN:
        if (bought := await _picture_that_came(ledger, store, entry, terms)) is not None:
            return bought
        entry = await ledger.find(entry.key)
        if entry.state is not State.UNKNOWN:  # another run has taken the picture in just now
            return await _found(ledger, store, entry, terms, policy)
        raise undecided(SubmitUnknown(entry.note, key=entry.key, purchase=entry.purchase or ""), policy)
    if entry.state is State.FAILED:
        raise JobFailed(
            f"Job {entry.job_id} for this wish has failed, and {entry.attempts} of {terms.max_attempts} allowed "
            f"attempts are used: `reelflow jobs resolve {entry.key[:12]} --resubmit` allows one more.",
            job_id=entry.job_id or "",
        )
    if entry.state is State.ABANDONED:
        raise given_up(entry)
    return None


async def _picture_that_came(ledger: Ledger, store: Store, entry: Entry, terms: Terms) -> Bought | None:
    """An edited picture whose run died after all of it had come: that is its reply, and it is not lost."""
    if entry.result != "picture":
        return None
    name = picture_name(entry.purchase or "")
    incoming = store.incoming(name)
    async with store.alone(name):
        if not incoming.exists():
            return None
        # It stays until the ledger knows: it can't be fetched again.
        kept = await store.keep(incoming, leave=True)
        await ledger.completed(entry.purchase or "", digest=kept.digest, size_bytes=kept.size_bytes, seconds=None,
                               picture=kept.path)
        incoming.unlink(missing_ok=True)
    return _bought(entry, terms, kept.path)


async def _row_of_a_picture_that_came(ledger: Ledger, store: Store, wish: Wish, key: str) -> Entry | None:
    """The row of a wish whose edited picture lies here whole, unless the ledger knows of it."""
    if wish.model.kind is not Kind.IMAGE:
        return None
    try:
        entry = await ledger.find(key)
    except BadInput:  # nobody has wished for it yet
        return None
    is_here = entry.state is not State.COMPLETED and store.incoming(picture_name(entry.purchase or "")).exists()
    return entry if is_here else None


async def _wait_for_holder(ledger: Ledger, key: str, watch: Watch) -> tuple[str | None, int] | None:
    """Wait until the one who holds a wish is done with it, or gone; then say which holder is gone, at which beat."""
    pause = 0.1
    while True:
        entry = await ledger.find(key)
        if entry.state not in (State.INTENDED, State.SENT):
            return None
        if watch.sees_death(entry.holder, entry.beat):
            return entry.holder, entry.beat
        await asyncio.sleep(pause * random.uniform(0.75, 1.25))
        pause = min(pause * 1.5, 1.0)


async def _resolve(client: QueueClient, wish: Wish, rule: SubmitRule) -> str:
    """What the model's name stands for; only a rolling alias has to be asked about."""
    if not wish.model.rolling:
        return wish.model.name
    failed = 0
    while True:
        try:
            return await client.resolve(wish.model.name)
        except (QueueBusy, QueueFault) as error:
            failed += 1
            if failed >= rule.tries:
                raise
            await asyncio.sleep(rule.pause_after(failed, error.retry_after))


async def _intend(wish: Wish, client: QueueClient, resolved: str, seconds: float, cost: Decimal | None) -> Intent:
    """A wish as the ledger keeps it. Its key rests on what is sent and where, not on paths or times."""
    try:
        source = await _digest_of(wish.source)
        reference = None if wish.reference_image is None else await _digest_of(wish.reference_image)
    except OSError as error:
        raise BadInput(f"The file {error.filename} can't be read: {error.strerror}.", field="source") from None
    parameters = json.dumps(sorted(wish.fields()))
    named = json.dumps([1, client.identity, resolved, source, reference, parameters])
    return Intent(
        key=hashlib.sha256(named.encode()).hexdigest(), queue=client.identity, base_url=client.base_url,
        stand_in=client.stand_in, model=wish.model.name, resolved=resolved, result=wish.model.kind.result,
        source_digest=source, reference_digest=reference, parameters=parameters, seconds=seconds, cost=cost,
    )


async def _digest_of(path: Path) -> str:
    known = known_digest_of(path)
    return await asyncio.to_thread(digest_of_source, path) if known is None else known


def _bought(entry: Entry, terms: Terms, path: Path | None = None) -> Bought:
    paid = Paid.EARLIER if path is None else Paid.KEPT
    if terms.flow_run_id is not None and terms.flow_run_id == entry.flow_run_id:
        paid = Paid.NOW
    return Bought(
        key=entry.key, purchase=entry.purchase or "", state=entry.state if path is None else State.COMPLETED,
        job_id=entry.job_id, paid=paid, queue=entry.queue, model=entry.resolved, path=path,
    )


def _described(bought: Bought) -> str:
    if bought.path is not None:
        return "the store has the result"
    return f"job {bought.job_id} was bought for this wish already"
