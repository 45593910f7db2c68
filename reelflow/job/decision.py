"""What a person decides where a reply was lost, and whether there is anything to decide."""

from __future__ import annotations

import asyncio
from typing import Literal

from reelflow.errors import Refused
from reelflow.job.entry import Entry, State
from reelflow.job.holder import LEASE_SECONDS, Watch
from reelflow.job.ledger import Ledger
from reelflow.job.lost import given_up

Decision = Literal["resubmit", "adopt", "abandon"]
_LOOK_AGAIN = 0.5


async def resolve_unknown(
    ledger: Ledger, key: str, decision: Decision, *, job_id: str | None = None, lease: float = LEASE_SECONDS
) -> Entry:
    """Write down what a person has decided of a wish whose reply was lost; `key` may be a beginning of the key.

    `resubmit` allows one purchase more (also of what failed, is overdue or was given up), `adopt` says that its job is
    `job_id`, `abandon` gives it up. Where the form went out from a run that can't be seen from here, it is watched for
    `lease` seconds first.

    Raises:
        Refused: there is nothing to decide, or a run is still at it.
        Decided: somebody else decided meanwhile.
    """
    entry = await ledger.find(key)
    if entry.state is State.SENT:
        await _see_death(ledger, entry, Watch(lease))
        entry = await ledger.find(entry.key)
    return await decide_as_seen(ledger, entry, decision, job_id=job_id)


async def _see_death(ledger: Ledger, seen: Entry, watch: Watch) -> None:
    """Write down that the run which sent a form is gone, as soon as that is sure. Raises Refused where it isn't."""
    entry = seen
    while (entry.state, entry.holder) == (seen.state, seen.holder):
        if entry.beat != seen.beat:
            raise Refused(f"The wish {seen.key[:12]} is being bought by a run just now: wait for that run.")
        if watch.sees_death(entry.holder, entry.beat):
            await ledger.died(entry)
            return
        await asyncio.sleep(_LOOK_AGAIN)
        entry = await ledger.find(seen.key)


async def check_not_given_up(ledger: Ledger, flow_run_id: str) -> None:
    """Refuse to go on with the film of a run of which a person has given up a part. Raises Refused."""
    if (entry := await ledger.given_up_by(flow_run_id)) is not None:
        raise given_up(entry)


async def decide_as_seen(ledger: Ledger, entry: Entry, decision: Decision, *, job_id: str | None = None) -> Entry:
    """The same where the person saw the wish as `entry`; it counts only while the wish still stands so."""
    allowed = {State.UNKNOWN, State.EXPIRED}
    if decision != "abandon":
        # Failed: the id that was adopted before may have been another job's.
        allowed |= {State.FAILED, State.ABANDONED}
    if entry.state not in allowed:
        raise Refused(f"The wish {entry.key[:12]} is {entry.state.value}: there is nothing to {decision}.")
    if decision == "adopt":
        if not (job_id or "").strip():
            raise Refused("The job id is missing: give the one that the queue shows for it.")
        await ledger.adopted(entry, str(job_id).strip())
    elif decision == "resubmit":
        await ledger.granted(entry)
    else:
        await ledger.abandoned(entry)
    return await ledger.find(entry.key)
