"""Reelflow's side of `bulk`: buy with the ledger, wait, fetch into the store."""

import asyncio
import os
import sys
import tempfile
from decimal import Decimal
from pathlib import Path

from pydantic import SecretStr

from reelflow.job.buy import buy
from reelflow.job.client import QueueClient
from reelflow.job.collect import collect
from reelflow.job.ledger import Ledger
from reelflow.job.wire import Wish
from reelflow.models import ModelTable
from reelflow.store import Store


async def move(clip: Path, target: Path) -> None:
    """One wish, bought and brought home."""
    store = Store(target.parent / "store")
    async with (
        QueueClient(os.environ["DECART_BASE_URL"], SecretStr(os.environ["DECART_API_KEY"])) as client,
        Ledger.open(None, work_dir=target.parent) as ledger,
    ):
        wish = Wish(ModelTable.standard()["lucy-2.5"], clip, prompt="film noir")
        bought = await buy(ledger, client, store, wish, seconds=10.0, cost=Decimal("0.4"))
        collected = await collect(ledger, client, store, bought)
    collected.path.replace(target)


async def open_up() -> None:
    """Only what comes before: imports, and a ledger that is opened."""
    with tempfile.TemporaryDirectory() as folder:
        async with (
            QueueClient(os.environ["DECART_BASE_URL"], SecretStr(os.environ["DECART_API_KEY"])),
            Ledger.open(None, work_dir=Path(folder)),
        ):
            pass


if __name__ == "__main__":
    asyncio.run(open_up() if sys.argv[1] == "--idle" else move(Path(sys.argv[1]), Path(sys.argv[2])))
