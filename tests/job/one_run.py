"""A run as a process of its own: buys a wish, collects it, and says in JSON how it ended.

`python one_run.py '{"url": …, "work_dir": …, "media": …}'`; `picture` edits a picture, `ledger_url` names a database,
`pause` is the first wait after a refusal, in seconds.
"""

from __future__ import annotations

import asyncio
import json
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

from buying import film_wish, picture_wish
from pydantic import SecretStr

from reelflow.digest import digest_of
from reelflow.errors import ReelflowError
from reelflow.job.buy import buy
from reelflow.job.client import QueueClient
from reelflow.job.collect import collect
from reelflow.job.ledger import Ledger
from reelflow.job.submission import SubmitRule
from reelflow.store import Store


async def run(asked: dict[str, Any]) -> dict[str, Any]:
    """Buy and collect; the job's id, the result's digest, when it was paid; or the error."""
    work_dir, media = Path(asked["work_dir"]), Path(asked["media"])
    wish = (picture_wish if asked.get("picture") else film_wish)(media)
    store = Store(work_dir / "store")
    async with (
        QueueClient(asked["url"], SecretStr("k"), identity="the queue") as client,
        Ledger.open(asked.get("ledger_url"), work_dir=work_dir) as ledger,
    ):
        try:
            bought = await buy(
                ledger, client, store, wish, seconds=0.5, cost=Decimal("0.005"), flow_run_id=asked.get("flow_run_id"),
                rule=SubmitRule(pause=asked.get("pause", 0.05), lease=5.0),
            )
            collected = await collect(ledger, client, store, bought, poll_seconds=0.1, deadline=60, retry_pause=0.05)
        except ReelflowError as error:
            return {"error": type(error).__name__, "message": error.message}
    return {"job_id": bought.job_id, "paid": bought.paid.value, "digest": collected.digest,
            "sound": digest_of(collected.path) == collected.digest}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(run(json.loads(sys.argv[1])))))
