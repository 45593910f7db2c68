"""Reading and moving the ledger's rows, inside a transaction of whoever asks."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from reelflow.job.entry import Entry, State
from reelflow.job.prepared import Prepared
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


_BY_KEY = entries_query().where(wishes.c.key == sa.bindparam("wanted"))
_READ, _READ_LOCKED = Prepared(_BY_KEY), Prepared(_BY_KEY.with_for_update(of=wishes))


def read_entry(connection: sa.Connection, key: str, *, lock: bool = False) -> Entry | None:
    """The row of a key; with `lock`, nobody moves it before this transaction ends."""
    row = (_READ_LOCKED if lock else _READ).row(connection, {"wanted": key})
    return None if row is None else as_entry(row)


def as_entry(row: Mapping[str, Any]) -> Entry:
    """A row of `entries_query`, by the names of its columns."""
    return Entry(**{**row, "stand_in": bool(row["stand_in"])})


def is_held_as(purchase: sa.ColumnElement[str] | str) -> tuple[sa.ColumnElement[bool], ...]:
    """Which wish has this purchase for its current one. Found by its key: wishes have no index of their purchases, and
    a row is moved with each step of each job.
    """
    of_purchase = sa.select(purchases.c.key).where(purchases.c.id == purchase).scalar_subquery()
    return wishes.c.key == of_purchase, wishes.c.purchase == purchase


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
    wish_moves, purchase_moves = _moves(from_states, tuple(of_wish), tuple(of_purchase))
    asked = {"of": purchase, "to": to}
    moved = wish_moves.run(connection, {**asked, "at": now(), **_as_set(of_wish)})
    if moved != 1:
        return False
    purchase_moves.run(connection, {**asked, **_as_set(of_purchase)})
    return True


@functools.cache
def _moves(
    from_states: tuple[State, ...], of_wish: tuple[str, ...], of_purchase: tuple[str, ...]
) -> tuple[Prepared, Prepared]:
    """How the wish and the purchase are moved that set those columns beside their state; there are a dozen of them."""
    of, to = sa.bindparam("of", type_=sa.Text), sa.bindparam("to", type_=wishes.c.state.type)
    return Prepared(
        wishes.update().where(*is_held_as(of), sa.or_(*(wishes.c.state == state for state in from_states)))
        .values(state=to, changed_at=sa.bindparam("at", type_=wishes.c.changed_at.type), **_set(wishes, of_wish))
    ), Prepared(purchases.update().where(purchases.c.id == of).values(state=to, **_set(purchases, of_purchase)))


def _set(table: sa.Table, names: tuple[str, ...]) -> dict[str, sa.BindParameter[Any]]:
    return {name: sa.bindparam(f"set_{name}", type_=table.c[name].type) for name in names}


def _as_set(values: Mapping[str, Any]) -> dict[str, Any]:
    return {f"set_{name}": value for name, value in values.items()}
