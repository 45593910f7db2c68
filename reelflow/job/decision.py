"""What a person decides where a reply was lost, and whether there is anything to decide."""

from __future__ import annotations

from typing import Literal

from reelflow.errors import Refused
from reelflow.job.entry import Entry, State
from reelflow.job.holder import is_gone
from reelflow.job.ledger import Ledger

Decision = Literal["resubmit", "adopt", "abandon"]


async def resolve_unknown(
    ledger: Ledger, key: str, decision: Decision, *, job_id: str | None = None
) -> Entry:
    """Write down what a person has decided of a wish whose reply was lost; `key` may be a beginning of the key.

    `resubmit` allows one purchase more (also of what failed, is overdue or was given up), `adopt` says that its job is
    `job_id`, `abandon` gives it up.

    Raises:
        Refused: there is nothing to decide.
        Decided: somebody else decided meanwhile.
    """
    entry = await ledger.find(key)
    if entry.state is State.SENT and (entry.holder is None or is_gone(entry.holder)):
        await ledger.died(entry)
        entry = await ledger.find(entry.key)
    return await decide_as_seen(ledger, entry, decision, job_id=job_id)


async def decide_as_seen(ledger: Ledger, entry: Entry, decision: Decision, *, job_id: str | None = None) -> Entry:
    """The same where the person saw the wish as `entry`; it counts only while the wish still stands so."""
    allowed = {State.UNKNOWN, State.EXPIRED}
    if decision == "resubmit":
        allowed |= {State.FAILED, State.ABANDONED}
    elif decision == "adopt":
        allowed |= {State.ABANDONED}
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
