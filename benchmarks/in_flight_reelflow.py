"""Reelflow's side of `in_flight`: so many wishes, each written down, bought, waited for and brought into the store."""

import asyncio
import gc
import json
import os
import sys
import time
from decimal import Decimal
from pathlib import Path

# Imported with the first question otherwise; the SDK's side has it before its clock starts, too.
import aiohttp  # noqa: F401
from pydantic import SecretStr

from flows.__main__ import OBJECTS
from reelflow.job.buy import buy
from reelflow.job.client import QueueClient
from reelflow.job.collect import collect
from reelflow.job.ledger import Ledger
from reelflow.job.wire import Wish
from reelflow.models import ModelTable
from reelflow.store import Store


async def edit_all(clip: Path, folder: Path, count: int) -> dict[str, float]:
    """Buy and bring home `count` jobs side by side."""
    store, model = Store(folder / "store"), ModelTable.standard()["lucy-2.5"]
    began, used = time.perf_counter(), time.process_time()
    async with (
        QueueClient(os.environ["DECART_BASE_URL"], SecretStr(os.environ["DECART_API_KEY"])) as client,
        Ledger.open(None, work_dir=folder) as ledger,
    ):
        async def edit(number: int) -> None:
            wish = Wish(model, clip, prompt=f"film noir {number}")
            bought = await buy(ledger, client, store, wish, seconds=1.0, cost=Decimal("0.04"))
            await collect(ledger, client, store, bought)

        await asyncio.gather(*(edit(number) for number in range(count)))
    return {"wall": time.perf_counter() - began, "cpu": time.process_time() - used}


if __name__ == "__main__":
    # As the program and its runs have it.
    gc.set_threshold(OBJECTS, 20, 20)
    gc.freeze()
    sys.stdout.write(json.dumps(asyncio.run(edit_all(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])))))
