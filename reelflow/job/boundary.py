"""The points at which a run may die, so that a test can kill it exactly there and not somewhere near."""

from __future__ import annotations

import os
import signal
from enum import StrEnum

VARIABLE = "REELFLOW_KILL_AT"


class Boundary(StrEnum):
    """Each member says what is true when a run dies there."""

    BEFORE_INTENT = "before-intent"  # the ledger knows nothing of the wish
    AFTER_INTENT = "after-intent"  # the intent is durable, nothing was sent
    IN_BODY = "in-body"  # the ledger says sent; a part of the form left, but not its end
    AFTER_BODY = "after-body"  # all of the form left, no reply was read
    AFTER_REPLY = "after-reply"  # the queue's reply was read and is written nowhere
    POLLING = "polling"  # the job's id is durable, the job goes on
    IN_DOWNLOAD = "in-download"  # a part of the result lies in the store's incoming folder
    BEFORE_RENAME = "before-rename"  # all of it lies there, and the ledger does not know yet
    IN_FINISH = "in-finish"  # the result is kept, the film is being finished
    IN_PLACE = "in-place"  # the film has its name, and nothing was told yet


def reached(boundary: Boundary) -> None:
    """Die by SIGKILL, as from a power cut, where the environment variable REELFLOW_KILL_AT names this boundary."""
    if os.environ.get(VARIABLE) == boundary:
        os.kill(os.getpid(), signal.SIGKILL)
