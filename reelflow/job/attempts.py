"""A wish bought and waited for; bought again where its job fails, as often as may be."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from reelflow.errors import JobFailed, JobLost, JobOverdue
from reelflow.job.entry import State
from reelflow.job.ledger import Ledger
from reelflow.job.submission import Bought

logger = logging.getLogger(__name__)


async def buy_until_done(
    ledger: Ledger,
    buy: Callable[[], Awaitable[Bought]],
    wait: Callable[[Bought], Awaitable[None]],
    *,
    max_attempts: int = 1,
) -> Bought:
    """Buy a wish and wait until its job is completed; `max_attempts` counts the jobs bought for it over all runs.

    `buy` and `wait` are `reelflow.job.buy.buy` and `reelflow.job.collect.await_job`, or what stands around them. What
    an earlier run found overdue is asked about again before another is bought: it may have ended since. Raises what
    they raise; JobOverdue and JobFailed (but for JobLost) only where the wish may not be bought again.
    """
    while True:
        bought = await buy()
        if bought.path is not None:
            return bought
        try:
            await wait(bought)
        except JobLost:
            # It may be under another id, or another key's: whether one more is bought is for a person to say.
            raise
        except (JobFailed, JobOverdue) as ended:
            entry = await ledger.find(bought.key)
            if entry.purchase == bought.purchase:
                is_over = entry.state is State.FAILED or (entry.state is State.EXPIRED and ended.is_over)
                if not is_over or not entry.has_attempts_left(max_attempts):
                    raise
                await ledger.failed(bought.purchase, entry.note)
            logger.warning("%s It is asked for again: %d of %d attempts were made.", ended.message, entry.attempts,
                           max_attempts + entry.granted)
        else:
            return bought
