"""A person's decision on a submit whose reply was lost, asked for in the Prefect UI."""

from __future__ import annotations

import itertools
from typing import Literal

from prefect import get_run_logger
from prefect.input import RunInput
from prefect.runtime import deployment

from flows.asked import asked
from reelflow.amounts import spell_usd
from reelflow.errors import BadInput, Decided, LedgerFault, SubmitUnknown
from reelflow.job.decision import decide_as_seen
from reelflow.job.entry import State
from reelflow.report import plain
from tasks.folded import is_folded
from tasks.run import Run


class LostReply(RunInput):
    """What to do about a job that may or may not have been bought."""

    decision: Literal["resubmit", "adopt", "abandon"]
    job_id: str | None = None


def can_ask(run: Run) -> bool:
    """Whether somebody can be asked: the run came from a deployment, so it can stop, and go on when it is resumed.

    A batch doesn't stop for one of its clips: what is to be decided stands in its manifest.
    """
    return run.settings.unknown_policy == "ask" and bool(deployment.id) and not is_folded()


async def ask_person(run: Run, unknown: SubmitUnknown) -> None:
    """Suspend this run until somebody has decided (see `asked`), and write the decision into the ledger.

    Where another run's person was faster there is nothing to ask, or the answer comes too late: this run goes on with
    that.
    """
    try:
        entry = await run.ledger.find(unknown.key or "")
    except LedgerFault:
        # It may hold the id of a job that the ledger could not take: that is what a person has to read.
        raise unknown from None
    if entry.purchase != unknown.purchase or entry.state not in (State.SENT, State.UNKNOWN):
        return
    price = spell_usd(entry.cost, unknown="an unknown price")
    told = (
        f"**A reply was lost, and a job may have been bought** for up to {price}.\n\n"
        f"{plain(unknown.message)}\n\n"
        "Look at your account with the queue, then choose:\n\n"
        "- `adopt` with the job's id: it is there; wait for it and pay nothing more\n"
        "- `resubmit`: it is not there, or you accept to pay twice\n"
        "- `abandon`: give this wish up"
    )
    for round_ in itertools.count():
        # An answer is kept under its key for as long as the run lives, so a question that is put again has another.
        answer = await asked(LostReply.with_initial_data(description=told),
                             key=f"lost-reply-{(entry.purchase or entry.key)[:24]}-{round_}")
        if answer.decision == "adopt" and not (answer.job_id or "").strip():
            told = f"**The job id is missing:** to adopt a job, give the id that the queue shows.\n\n{told}"
            continue
        try:
            await decide_as_seen(run.ledger, entry, answer.decision, job_id=answer.job_id)
        except BadInput as refusal:
            told = f"**{plain(refusal.message)}**\n\n{told}"
            continue
        except Decided as meanwhile:
            get_run_logger().warning("%s", meanwhile.message)
        return
