"""The ledger's tables, how they came to be, and the opening of the database that holds them."""

from __future__ import annotations

import datetime as dt
import functools
import sqlite3
import sys
from decimal import ROUND_CEILING, Decimal
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from reelflow.errors import BadInput
from reelflow.job.entry import State

FILE_NAME = "ledger.sqlite"
LEDGER_URL = "REELFLOW_LEDGER_URL"
_MICRO = Decimal(1_000_000)


class Usd(sa.types.TypeDecorator[Decimal]):
    """USD as whole millionths, which no database rounds; more decimals are rounded up."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: sa.Dialect) -> int | None:
        return None if value is None else int((value * _MICRO).to_integral_value(ROUND_CEILING))

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> Decimal | None:
        return None if value is None else Decimal(int(value)) / _MICRO


class Utc(sa.types.TypeDecorator[dt.datetime]):
    """A moment as ISO text in UTC with microseconds: readable in the database, and sorted as text as in time."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: dt.datetime | None, dialect: sa.Dialect) -> str | None:
        return None if value is None else _as_text(value)

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> dt.datetime | None:
        return None if value is None else dt.datetime.fromisoformat(value)


@functools.lru_cache(maxsize=4)
def _as_text(moment: dt.datetime) -> str:
    """A step of the ledger writes one moment into several columns."""
    return moment.astimezone(dt.UTC).isoformat(timespec="microseconds")


class StateName(sa.types.TypeDecorator[State]):
    """A State as its word."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: State | None, dialect: sa.Dialect) -> str | None:
        return None if value is None else value.value

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> State | None:
        return None if value is None else State(value)


_tables = sa.MetaData()

version = sa.Table("reelflow_ledger", _tables, sa.Column("version", sa.Integer, nullable=False))

wishes = sa.Table(
    "wishes", _tables,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("state", StateName, nullable=False),
    sa.Column("queue", sa.Text, nullable=False),
    sa.Column("base_url", sa.Text, nullable=False),
    sa.Column("stand_in", sa.Integer, nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("resolved", sa.Text, nullable=False),
    sa.Column("result", sa.Text, nullable=False),
    sa.Column("source_digest", sa.Text, nullable=False),
    sa.Column("reference_digest", sa.Text),
    sa.Column("parameters", sa.Text, nullable=False),
    sa.Column("seconds", sa.Double, nullable=False),
    sa.Column("cost", Usd),
    sa.Column("purchase", sa.Text),
    sa.Column("job_id", sa.Text),
    sa.Column("holder", sa.Text),
    sa.Column("beat", sa.BigInteger, nullable=False),
    sa.Column("granted", sa.Integer, nullable=False),
    sa.Column("granted_at", Utc),
    sa.Column("flow_run_id", sa.Text),
    sa.Column("output_digest", sa.Text),
    sa.Column("output_bytes", sa.BigInteger),
    sa.Column("output_seconds", sa.Double),
    sa.Column("output_cost", Usd),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("created_at", Utc, nullable=False),
    sa.Column("changed_at", Utc, nullable=False),
)

purchases = sa.Table(
    "purchases", _tables,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, sa.ForeignKey("wishes.key"), nullable=False),
    sa.Column("queue", sa.Text, nullable=False),
    sa.Column("state", StateName, nullable=False),
    sa.Column("stand_in", sa.Integer, nullable=False),
    sa.Column("flow_run_id", sa.Text),
    sa.Column("job_id", sa.Text),
    sa.Column("seconds", sa.Double, nullable=False),
    sa.Column("cost", Usd),
    sa.Column("output_seconds", sa.Double),
    sa.Column("output_cost", Usd),
    sa.Column("output_digest", sa.Text),
    sa.Column("output_bytes", sa.BigInteger),
    sa.Column("intended_at", Utc, nullable=False),
    sa.Column("sent_at", Utc),
    sa.Column("accepted_at", Utc),
    sa.Column("ended_at", Utc),
)

claims = sa.Table(
    "claims", _tables,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("holder", sa.Text, nullable=False),
    sa.Column("beaten", sa.BigInteger, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
)

pictures = sa.Table(
    "pictures", _tables,
    sa.Column("purchase", sa.Text, sa.ForeignKey("purchases.id"), primary_key=True),
    sa.Column("content", sa.LargeBinary, nullable=False),
)

# One tuple of statements for each version, in words that both databases know. Never edited once released: add one.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE wishes (
            key TEXT PRIMARY KEY, state TEXT NOT NULL, queue TEXT NOT NULL, base_url TEXT NOT NULL,
            stand_in INTEGER NOT NULL, model TEXT NOT NULL, resolved TEXT NOT NULL, result TEXT NOT NULL,
            source_digest TEXT NOT NULL, reference_digest TEXT, parameters TEXT NOT NULL,
            seconds DOUBLE PRECISION NOT NULL, cost BIGINT, purchase TEXT, job_id TEXT, holder TEXT,
            beat BIGINT NOT NULL, granted INTEGER NOT NULL, flow_run_id TEXT, output_digest TEXT, output_bytes BIGINT,
            output_seconds DOUBLE PRECISION, output_cost BIGINT, note TEXT NOT NULL, created_at TEXT NOT NULL,
            changed_at TEXT NOT NULL
        )""",
        """CREATE TABLE purchases (
            id TEXT PRIMARY KEY, key TEXT NOT NULL REFERENCES wishes (key), queue TEXT NOT NULL, state TEXT NOT NULL,
            stand_in INTEGER NOT NULL, flow_run_id TEXT, job_id TEXT, seconds DOUBLE PRECISION NOT NULL, cost BIGINT,
            output_seconds DOUBLE PRECISION, output_cost BIGINT, intended_at TEXT NOT NULL, sent_at TEXT,
            accepted_at TEXT, ended_at TEXT
        )""",
        "CREATE INDEX wishes_by_change ON wishes (changed_at)",
        "CREATE INDEX purchases_by_key ON purchases (key)",
        "CREATE INDEX purchases_by_time ON purchases (intended_at)",
        "CREATE INDEX purchases_by_run ON purchases (flow_run_id)",
    ),
    (
        """CREATE TABLE claims (
            key TEXT PRIMARY KEY, state TEXT NOT NULL, holder TEXT NOT NULL, beaten BIGINT NOT NULL, note TEXT NOT NULL
        )""",
    ),
    # Nobody asks for the purchases of no run, and each step of a purchase writes every index that it is in.
    (
        "DROP INDEX purchases_by_run",
        "CREATE INDEX purchases_by_run ON purchases (flow_run_id) WHERE flow_run_id IS NOT NULL",
    ),
    # SQLite takes any name for a type, and has nothing in this table.
    ("CREATE TABLE pictures (purchase TEXT PRIMARY KEY REFERENCES purchases (id), content BYTEA NOT NULL)",),
    # A wish knows its current purchase only, which may come to nothing where an earlier one was paid. Found by their
    # keys, since wishes have no index of their purchases.
    (
        "ALTER TABLE purchases ADD COLUMN output_digest TEXT",
        "ALTER TABLE purchases ADD COLUMN output_bytes BIGINT",
        """UPDATE purchases SET
            output_digest = (SELECT output_digest FROM wishes
                             WHERE wishes.key = purchases.key AND wishes.purchase = purchases.id),
            output_bytes = (SELECT output_bytes FROM wishes
                            WHERE wishes.key = purchases.key AND wishes.purchase = purchases.id)
            WHERE state = 'completed'""",
        "ALTER TABLE wishes ADD COLUMN granted_at TEXT",
    ),
)


def address_of(url: str | None, work_dir: Path) -> sa.URL:
    """The database of `url` (`postgresql://…`, `sqlite:///…`), or SQLite under `work_dir`. Raises BadInput."""
    if url is None:
        try:
            work_dir.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BadInput(f"The work folder {work_dir} can't be made ({error.strerror}): set REELFLOW_WORK_DIR to a "
                           "folder of yours.", field="REELFLOW_WORK_DIR") from None
        return sa.URL.create("sqlite", database=str(work_dir / FILE_NAME))
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise BadInput("The ledger's address can't be read: write postgresql://USER:PASSWORD@HOST/DATABASE.",
                       field=LEDGER_URL) from None
    kind = parsed.drivername.partition("+")[0]
    if kind == "sqlite" and parsed.database:
        return parsed.set(drivername="sqlite")
    if kind not in ("postgresql", "postgres"):
        raise BadInput(f"The ledger can't be kept in {kind!r}: use postgresql://… or sqlite:///PATH.", field=LEDGER_URL)
    query = {"ssl" if name == "sslmode" else name: value for name, value in parsed.query.items()}
    return parsed.set(drivername="postgresql+asyncpg", query=query)


def migrate(connection: sa.Connection) -> None:
    """Bring the database to this version. Raises BadInput where it is of a newer one."""
    if connection.dialect.name == "postgresql":
        # Two machines that open a new database at once would both create its tables.
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(7236655)"))
    connection.execute(sa.text("CREATE TABLE IF NOT EXISTS reelflow_ledger (version INTEGER NOT NULL)"))
    found = connection.execute(sa.select(version.c.version)).scalar()
    if found is None:
        connection.execute(version.insert().values(version=0))
    if (found or 0) > len(MIGRATIONS):
        shown = connection.engine.url.render_as_string(hide_password=True)
        raise BadInput(f"The ledger {shown} was written by a newer reelflow (its version is {found}): update reelflow.",
                       field=LEDGER_URL)
    for statements in MIGRATIONS[found or 0:]:
        for statement in statements:
            connection.execute(sa.text(statement))
    if found != len(MIGRATIONS):
        connection.execute(version.update().values(version=len(MIGRATIONS)))


def database_errors() -> tuple[type[Exception], ...]:
    """What is raised where a database is away, busy, full or broken; drivers raise some of it past SQLAlchemy."""
    errors: tuple[type[Exception], ...] = (SQLAlchemyError, sqlite3.Error, OSError, TimeoutError)
    if "asyncpg" in sys.modules:
        import asyncpg

        errors += (asyncpg.PostgresError, asyncpg.InterfaceError)
    return errors


def reason_of(error: Exception) -> str:
    """A database's error in one line, without the statement that it befell."""
    told = str(getattr(error, "orig", None) or error).partition("\n")[0].strip().rstrip(".")
    return told.rpartition(">: ")[2] or type(error).__name__
