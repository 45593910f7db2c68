"""Transactions on the ledger's database: each a plain function of a connection, run whole or not at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

import sqlalchemy as sa

from reelflow.errors import BadInput
from reelflow.job.schema import LEDGER_URL, database_errors, migrate, reason_of
from reelflow.job.sqlite_file import SqliteFile
from reelflow.quickness import QUICK

_T = TypeVar("_T")
Work = Callable[[sa.Connection], _T]

PATIENCE = 60.0


class Transactions(Protocol):
    """What runs transactions. One that is cancelled is rolled back, unless it was being committed just then."""

    async def open(self) -> None:
        """Make the database ready; nothing of reelflow's need be in it yet."""

    async def run(self, work: Work[_T]) -> _T:
        """Begin, do `work`, commit; what `work` raises rolls back and is raised here."""

    async def close(self) -> None:
        """Let go of the database."""


async def opened(address: sa.URL, *, patience: float = PATIENCE, quick: float = QUICK) -> Transactions:
    """The transactions of the database at an address, its tables brought to this version. Raises BadInput.

    Of an SQLite file: `patience` is how many seconds one waits where another process has locked it, and `quick` how
    many a step may take for the loop to do it in its own time; where one takes longer a thread does.
    """
    transactions: Transactions = (
        SqliteFile(address, patience, quick) if address.drivername == "sqlite" else _OverTheNetwork(address))
    try:
        await transactions.open()
        await transactions.run(migrate)
    except database_errors() as error:
        await transactions.close()
        shown = address.render_as_string(hide_password=True)
        raise BadInput(f"The ledger {shown} can't be opened: {reason_of(error)}.", field=LEDGER_URL) from None
    except BaseException:
        await transactions.close()
        raise
    return transactions


class _OverTheNetwork:
    """A server's transactions, many at once."""

    def __init__(self, address: sa.URL) -> None:
        # With it comes SQLAlchemy's whole ORM: a tenth of a second, for nothing where the ledger is a file.
        from sqlalchemy.ext.asyncio import create_async_engine

        self._engine = create_async_engine(
            address, pool_size=4, max_overflow=16, pool_pre_ping=True,
            # Behind a pooler such as PgBouncer a connection's prepared statements are somebody else's.
            connect_args={"timeout": 10, "statement_cache_size": 0},
        )

    async def open(self) -> None:
        """There is nothing to be done before."""

    async def run(self, work: Work[_T]) -> _T:
        async with self._engine.begin() as connection:
            return await connection.run_sync(work)

    async def close(self) -> None:
        await self._engine.dispose()
