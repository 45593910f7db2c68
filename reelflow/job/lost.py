"""Lost replies: what the policy makes of them, and what a person is told."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from reelflow.errors import OverBudget, QueueBusy, Refused, SubmitUnknown

if TYPE_CHECKING:
    from reelflow.job.entry import Entry

UnknownPolicy = Literal["ask", "resubmit", "fail"]
MOST_FORMS = 3


class LostReplies:
    """The replies that one call of `buy` has lost."""

    def __init__(self, policy: UnknownPolicy) -> None:
        self._policy = policy
        self._last: SubmitUnknown | None = None
        self.count = 0

    def add(self, unknown: SubmitUnknown) -> None:
        """Take one more; returns where the form is to be sent again. Raises SubmitUnknown where it isn't."""
        self._last = unknown
        self.count += 1
        if unknown.job_id is not None:
            raise unknown
        if self._policy != "resubmit" or self.count == MOST_FORMS:
            why = f"the form was sent {self.count}x and no reply came through, so up to {self.count} jobs were bought"
            raise undecided(unknown, self._policy, why=why) from None

    @contextlib.contextmanager
    def told(self) -> Iterator[None]:
        """Have a refusal inside the block, which says that nothing was bought, tell of what was lost before it."""
        try:
            yield
        except (Refused, QueueBusy) as refusal:
            if self._last is None:
                raise
            said = refusal.message.rstrip(".")
            if isinstance(refusal, OverBudget):
                raise undecided(self._last, self._policy, why=f"it can't be sent again now ({said})") from None
            raise SubmitUnknown(
                f"{said}. Before that the form went out {self.count}x without a reply: as many jobs may have been "
                "bought, which only your account with the queue shows.",
                key=self._last.key, purchase=self._last.purchase,
            ) from None


def given_up(entry: Entry) -> Refused:
    """The error where a wish is wanted that a person has given up."""
    return Refused(
        f"This wish was given up on {entry.changed_at:%Y-%m-%d}: run with refresh, or `reelflow jobs resolve "
        f"{entry.key[:12]} --resubmit`, to buy it."
    )


def undecided(unknown: SubmitUnknown, policy: UnknownPolicy, *, why: str = "") -> SubmitUnknown:
    """The error with what comes next, which rests on the policy; `why` the policy to resubmit does not go on."""
    ways = f"`reelflow jobs resolve {(unknown.key or '')[:12]} --resubmit`, `--adopt JOB_ID` or `--abandon`."
    match policy:
        case "ask":
            then = f"Nothing is sent again before a person decides: {ways}"
        case "fail":
            then = f"REELFLOW_UNKNOWN_POLICY=fail: the run ends here. A person can still decide: {ways}"
        case "resubmit":
            then = (f"REELFLOW_UNKNOWN_POLICY=resubmit: {why}. The run ends here, and the next one sends the form "
                    f"again. A person can still decide: {ways}")
    return SubmitUnknown(f"{unknown.message.rstrip('.')}. {then}", key=unknown.key, purchase=unknown.purchase)
