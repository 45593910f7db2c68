"""Whether a wish is to be bought now, by whom, and whether the money is there: decided inside one transaction."""

from __future__ import annotations

import os
import time
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from reelflow.errors import OverBudget
from reelflow.job.entry import Claim, Entry, Intent, State, Terms
from reelflow.job.holder import new_holder
from reelflow.job.prepared import Prepared
from reelflow.job.rows import move, now, read_entry
from reelflow.job.schema import purchases, wishes

LOST = "The run that sent the form ended before it had an answer."

_PURCHASED = (
    "id", "key", "queue", "state", "stand_in", "flow_run_id", "seconds", "cost", "intended_at",
)
_NOTHING = (State.REFUSED, State.FAILED, State.ABANDONED)
# What a wish's row repeats of its current purchase.
_OF_BOTH = (
    "state", "stand_in", "flow_run_id", "job_id", "output_digest", "output_bytes", "output_seconds", "output_cost",
)
_INSERT_WISH = Prepared(wishes.insert(), columns=wishes.c.keys())
_INSERT_PURCHASE = Prepared(purchases.insert(), columns=_PURCHASED)


def _spending(within: sa.ColumnElement[bool]) -> Prepared:
    """What was spent, and how many jobs of unknown price were bought, within a time or by a run."""
    cost = sa.func.coalesce(purchases.c.output_cost, purchases.c.cost)
    # What a stand-in draws is never paid, and must not use up what may be spent elsewhere.
    counts = sa.and_(sa.bindparam("is_stand_in", type_=sa.Integer) == 0, purchases.c.stand_in == 0)
    return Prepared(
        sa.select(sa.func.sum(cost).label("spent"), (sa.func.count() - sa.func.count(cost)).label("unpriced"))
        .where(within, purchases.c.state != State.REFUSED,
               sa.or_(purchases.c.queue == sa.bindparam("queue", type_=sa.Text), counts))
    )


_SPENT_BY_RUN = _spending(purchases.c.flow_run_id == sa.bindparam("within", type_=sa.Text))
_SPENT_SINCE = _spending(purchases.c.intended_at >= sa.bindparam("within", type_=purchases.c.intended_at.type))


def decide(connection: sa.Connection, intent: Intent, terms: Terms) -> Claim:
    """Look a wish up and, where it is to be bought and nobody is at it, write down that the caller is about to.

    Raises:
        OverBudget: it would go over a limit.
    """
    found = read_entry(connection, intent.key, lock=True)
    if found is not None and found.state is State.SENT and _is_dead(found, terms):
        move(connection, found.purchase, State.UNKNOWN, (State.SENT,), note=LOST)
        found = read_entry(connection, intent.key, lock=True)
    if found is not None and found.state is State.INTENDED and _is_dead(found, terms):
        # Before the limits are looked at: what the dead one had set aside is free again.
        move(connection, found.purchase, State.REFUSED, (State.INTENDED,), note="Its run ended too early.")
        found = read_entry(connection, intent.key, lock=True)
    if found is not None and terms.older_will_do and _fall_back(connection, found):
        found = read_entry(connection, intent.key, lock=True)
    if found is not None and not _to_buy(found, terms, _has_bought(connection, found, terms)):
        return Claim(found, None)
    _check_limits(connection, intent, terms)
    if found is None:
        entry = _intend(connection, intent, terms)
        return Claim(entry, entry.purchase)
    granted = found.granted + (found.state is State.UNKNOWN)
    purchase = _intend(connection, intent, terms, granted, is_new=False).purchase
    read = read_entry(connection, intent.key)
    assert read is not None
    return Claim(read, purchase)


def _is_dead(entry: Entry, terms: Terms) -> bool:
    """Whether the holder is still the one that the caller saw to be gone."""
    return entry.holder is None or terms.dead == (entry.holder, entry.beat)


def _fall_back(connection: sa.Connection, entry: Entry) -> bool:
    """Put a wish whose purchase came to nothing back to an earlier one that came to something, or still may: it was
    bought anew, and that is no reason to pay once more for what is there.
    """
    if entry.state not in _NOTHING:
        return False
    rows = connection.execute(
        sa.select(purchases).where(purchases.c.key == entry.key, purchases.c.state != State.REFUSED)
        .order_by(purchases.c.intended_at.desc())).all()
    allowed = entry.granted_at
    # A person who has allowed another purchase has looked at those before: it is still to be made, ...
    if allowed is not None and not any(row.intended_at > allowed for row in rows):
        return False
    done = [row for row in rows if row.state in (State.COMPLETED, State.ACCEPTED)]
    # ... or was, and what was overdue before is not waited for.
    overdue = [row for row in rows if row.state is State.EXPIRED and (allowed is None or row.intended_at > allowed)]
    earlier = next((row for row in done + overdue if row.id != entry.purchase), None)
    if earlier is None:
        return False
    values = {name: getattr(earlier, name) for name in _OF_BOTH}
    if earlier.state is State.COMPLETED and earlier.output_digest is None:
        # Of before each purchase kept its digest: it is fetched once more.
        if earlier.job_id is None:
            return False
        values["state"] = State.ACCEPTED
    connection.execute(wishes.update().where(wishes.c.key == entry.key).values(
        purchase=earlier.id, holder=None, note="", changed_at=now(), **values))
    return True


def _has_bought(connection: sa.Connection, entry: Entry, terms: Terms) -> bool:
    """Whether this very run has bought this wish before, be it before it was tried again, or before others did."""
    if terms.flow_run_id is None:
        return False
    query = sa.select(sa.func.count()).select_from(purchases).where(
        purchases.c.key == entry.key, purchases.c.flow_run_id == terms.flow_run_id, purchases.c.state != State.REFUSED)
    return bool(connection.execute(query).scalar())


def _to_buy(entry: Entry, terms: Terms, has_bought: bool) -> bool:
    """Whether a wish that has a row is to be bought (again) on these terms."""
    # A run that is tried again must not refresh what it has refreshed itself.
    fresh = terms.refresh and not has_bought
    match entry.state:
        case State.REFUSED:
            return True
        case State.UNKNOWN:
            return terms.resubmit_unknown
        case State.FAILED:
            return fresh or entry.has_attempts_left(terms.max_attempts)
        case State.EXPIRED | State.COMPLETED | State.ABANDONED:
            return fresh
        case _:
            return False


def _intend(
    connection: sa.Connection, intent: Intent, terms: Terms, granted: int = 0, *, is_new: bool = True
) -> Entry:
    """Write the wish's row and a new purchase of it, held by us; the row is as it is where the wish `is_new`."""
    purchase, moment = _new_purchase(), now()
    values: dict[str, Any] = {
        **{name: getattr(intent, name) for name in Intent.__slots__},
        "state": State.INTENDED, "purchase": purchase, "job_id": None, "holder": new_holder(), "beat": 0,
        "granted": granted, "granted_at": None, "flow_run_id": terms.flow_run_id, "note": "", "changed_at": moment,
        "output_digest": None, "output_bytes": None, "output_seconds": None, "output_cost": None, "created_at": moment,
    }
    row = values | {"stand_in": int(intent.stand_in)}
    if is_new:
        _INSERT_WISH.run(connection, row)
    else:
        del row["created_at"], row["granted_at"]
        connection.execute(wishes.update().where(wishes.c.key == intent.key).values(**row))
    _INSERT_PURCHASE.run(connection, {
        "id": purchase, "key": intent.key, "queue": intent.queue, "state": State.INTENDED,
        "stand_in": int(intent.stand_in), "flow_run_id": terms.flow_run_id, "seconds": intent.seconds,
        "cost": intent.cost, "intended_at": moment,
    })
    return Entry(**values, attempts=1)


def _new_purchase() -> str:
    """A name for a purchase, that no other has. Later ones sort behind: they then lie side by side in the index, where
    names by chance would change another page with each purchase.
    """
    return f"{time.time_ns():016x}{os.urandom(8).hex()}"


def _check_limits(connection: sa.Connection, intent: Intent, terms: Terms) -> None:
    """Refuse what would go over a limit, counting what was paid, what is being paid and what may have been."""
    limits = terms.limits
    if limits.per_run is None and limits.per_day is None:
        return
    begin_of_day = now().replace(hour=0, minute=0, second=0, microsecond=0)
    for limit, name, period, otherwise, spent_within, within in (
        (limits.per_run, "max_cost_usd", "by this run", "Ask for less", _SPENT_BY_RUN, terms.flow_run_id),
        (limits.per_day, "max_cost_per_day_usd", "today (UTC)", "Wait until tomorrow (UTC)", _SPENT_SINCE,
         begin_of_day),
    ):
        if limit is None:
            continue
        if intent.cost is None:
            raise OverBudget(
                f"The price of {intent.resolved} is not known, so it can't be held against the limit {name} of {limit} "
                "USD: give it a price in REELFLOW_MODELS, or take the limit away."
            )
        found = spent_within.row(connection, {
            "within": within, "queue": intent.queue, "is_stand_in": int(intent.stand_in)})
        assert found is not None
        spent, unpriced = found["spent"] or Decimal(0), found["unpriced"]
        if unpriced:
            jobs = "One job" if unpriced == 1 else f"{unpriced} jobs"
            raise OverBudget(
                f"{jobs} without a known price {'was' if unpriced == 1 else 'were'} bought {period} already, so that "
                f"nobody can say what is left of the limit {name} of {_usd(limit)} USD: nothing was sent. Take the "
                "limit away, or wait until it counts anew."
            )
        if spent + intent.cost > limit:
            whole = f"the limit {name} is {_usd(limit)} USD"
            if spent:
                whole += f", of which {_usd(spent)} USD are spent {period} already"
            # However little is spent, a day does not make room for what costs more than all of it.
            instead = otherwise if intent.cost <= limit else "Ask for less"
            raise OverBudget(f"This would cost {_usd(intent.cost)} USD, and {whole}: nothing was sent. {instead}, or "
                             "raise the limit.")


def _usd(amount: Decimal) -> str:
    return f"{amount.normalize():f}"
