"""Reading and moving the ledger's rows, inside a transaction of whoever asks."""

from __future__ import annotations

import datetime as dt
from typing import Any

import sqlalchemy as sa

from reelflow.job.entry import Entry, State
from reelflow.job.schema import purchases, wishes

OPEN = (State.INTENDED, State.SENT)


def now() -> dt.datetime:
    """This moment, in UTC."""
    return dt.datetime.now(dt.UTC)


def entries_query() -> sa.Select[Any]:
    """All wishes with the number of their attempts."""
    attempts = (
        sa.select(sa.func.count()).where(purchases.c.key == wishes.c.key, purchases.c.state != State.REFUSED)
        .scalar_subquery()
    )
    return sa.select(wishes, attempts.label("attempts"))


# Built once: building them takes longer than asking them.
_BY_KEY = entries_query().where(wishes.c.key == sa.bindparam("wanted"))
_BY_KEY_LOCKED = _BY_KEY.with_for_update(of=wishes)


def read_entry(connection: sa.Connection, key: str, *, lock: bool = False) -> Entry | None:
    """The row of a key; with `lock`, nobody moves it before this transaction ends."""
    row = connection.execute(_BY_KEY_LOCKED if lock else _BY_KEY, {"wanted": key}).one_or_none()
    return None if row is None else as_entry(row)


def as_entry(row: Any) -> Entry:
    """A row of `entries_query`."""
    return Entry(**{**row._asdict(), "stand_in": bool(row.stand_in)})


def move(
    connection: sa.Connection, purchase: str | None, to: State, from_states: tuple[State, ...], *,
    note: str | None = None, **values: Any,
) -> bool:
    """Move a purchase and its wish to another state, where the wish still is in one of `from_states` with it."""
    of_wish = {name: value for name, value in values.items() if name in wishes.c}
    of_purchase = {name: value for name, value in values.items() if name in purchases.c}
    if note is not None:
        of_wish["note"] = note
    if to not in OPEN:
        of_wish["holder"] = None
    moved = connection.execute(
        wishes.update().where(wishes.c.purchase == purchase, wishes.c.state.in_(from_states))
        .values(state=to, changed_at=now(), **of_wish)
    )
    if moved.rowcount != 1:
        return False
    connection.execute(purchases.update().where(purchases.c.id == purchase).values(state=to, **of_purchase))
    return True
