"""One run's parts in one hand, and the ways in which tests buy with them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from reelflow.job.attempts import buy_until_done
from reelflow.job.buy import buy
from reelflow.job.client import QueueClient
from reelflow.job.collect import Collected, await_job, collect
from reelflow.job.entry import Entry
from reelflow.job.ledger import Ledger
from reelflow.job.submission import Bought, SubmitRule
from reelflow.job.wire import Wish
from reelflow.models import ModelTable
from reelflow.standin.server import StandIn
from reelflow.store import Store

QUICK = SubmitRule(pause=0.02, busy_tries=5, grace=2.0, lease=3.0)
MODELS = ModelTable.standard()
# The stand-in draws in a tiny frame: these tests are about money, and a picture of the full size costs seconds.
TINY = MODELS.with_rows({row.name: replace(row, width=64, height=36) for row in MODELS})


def film_wish(media: Path, prompt: str = "noir", *, model: str = "lucy-restyle-2", seed: int | None = None) -> Wish:
    return Wish(MODELS[model], media / "film.mp4", prompt=prompt, seed=seed)


def picture_wish(media: Path, prompt: str = "oil painting") -> Wish:
    return Wish(MODELS["lucy-image-2"], media / "still.png", prompt=prompt, resolution="480p")


@dataclass(frozen=True, slots=True)
class Shop:
    """A stand-in, and what one run buys from it with."""

    standin: StandIn
    client: QueueClient
    ledger: Ledger
    store: Store
    media: Path

    async def buy(self, wish: Wish | None = None, **terms: Any) -> Bought:
        return await buy(
            self.ledger, self.client, self.store, wish or film_wish(self.media),
            **{"seconds": 0.5, "cost": Decimal("0.005"), "rule": QUICK, **terms},
        )

    async def buy_until_done(self, *, max_attempts: int = 1, deadline: float = 60.0, **terms: Any) -> Bought:
        return await buy_until_done(
            self.ledger, partial(self.buy, max_attempts=max_attempts, **terms),
            partial(await_job, self.ledger, self.client, poll_seconds=0.1, deadline=deadline),
            max_attempts=max_attempts,
        )

    async def collect(self, bought: Bought, **terms: Any) -> Collected:
        return await collect(
            self.ledger, self.client, self.store, bought,
            **{"poll_seconds": 0.1, "deadline": 60.0, "retry_pause": 0.02, **terms},
        )

    async def entry(self, key: str | None = None) -> Entry:
        """The row of a key, or the only one."""
        if key is not None:
            return await self.ledger.find(key)
        (entry,) = await self.ledger.entries()
        return entry
