"""What the stand-in does wrong when it is told to: each fault has a name, happens a given number of times, and is over.

Faults of a submit read the whole form first (but for `drop-in-body`), so that what is tested is the reply. A crooked
result is a fault of the job that takes it: it is chosen when the job is accepted and kept with it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from enum import StrEnum

from reelflow.errors import BadInput


class Act(StrEnum):
    """Where a fault happens."""

    SUBMIT = "submit"
    STATUS = "status"
    CONTENT = "content"
    JOB = "job"


class Fault(StrEnum):
    """The faults, by the name that `--fault NAME=COUNT` takes; `act` is where each happens, `told` what it does."""

    act: Act
    told: str

    def __new__(cls, value: str, act: Act, told: str) -> Fault:
        member = str.__new__(cls, value)
        member._value_ = value
        member.act, member.told = act, told
        return member

    DROP_IN_BODY = "drop-in-body", Act.SUBMIT, "the connection closes while the form comes in; no job"
    DROP_BEFORE_ACCEPT = "drop-before-accept", Act.SUBMIT, "the form is read, no job is made, no reply"
    DROP_AFTER_ACCEPT = "drop-after-accept", Act.SUBMIT, "a job is made, no reply"
    HANG_AFTER_ACCEPT = "hang-after-accept", Act.SUBMIT, "a job is made, and the reply never comes"
    LATE_REPLY = "late-reply", Act.SUBMIT, "a job is made, and the reply comes 3 s later"
    BUSY_SECONDS = "429-seconds", Act.SUBMIT, "429 with Retry-After in seconds; no job"
    BUSY_DATE = "429-date", Act.SUBMIT, "429 with Retry-After as a date; no job"
    ERROR_500 = "500", Act.SUBMIT, "500 with a JSON body; no job"
    ERROR_502 = "502-html", Act.SUBMIT, "a job is made, and a proxy answers 502 with an HTML page"
    ERROR_503 = "503", Act.SUBMIT, "503 without Retry-After; no job"
    NOT_JSON = "not-json", Act.SUBMIT, "a job is made, and the 200 holds no JSON"

    UNKNOWN_STATUS = "unknown-status", Act.STATUS, "a status that nobody knows"
    STATUS_404 = "status-404", Act.STATUS, "404 for a job that exists"
    STATUS_429 = "status-429", Act.STATUS, "429 with Retry-After in seconds"
    STATUS_500 = "status-500", Act.STATUS, "500"
    STATUS_DROP = "status-drop", Act.STATUS, "no reply"
    STATUS_NOT_JSON = "status-not-json", Act.STATUS, "a 200 that holds no JSON"

    CONTENT_500 = "content-500", Act.CONTENT, "500"
    CONTENT_CUT = "content-cut", Act.CONTENT, "half of the announced bytes, then the connection closes"
    CONTENT_RESET = "content-reset", Act.CONTENT, "half of the announced bytes, then the connection is reset"

    STUCK_PENDING = "stuck-pending", Act.JOB, "the job stays pending until its ten minutes are over"
    JOB_FAILS = "job-fails", Act.JOB, "the job fails"
    FRAME_MORE = "frame-more", Act.JOB, "the result has a frame more"
    FRAME_LESS = "frame-less", Act.JOB, "the result has a frame less"
    OTHER_RATE = "other-rate", Act.JOB, "the result has another rate and as many seconds"
    WRONG_LABEL = "wrong-label", Act.JOB, "the result has its frames, and says another rate"
    FAR_LABEL = "far-label", Act.JOB, "the result has its frames, and says three times its rate"
    LONGER = "longer", Act.JOB, "the result is 3 % longer"
    SHORTER = "shorter", Act.JOB, "the result is 3 % shorter"
    ODD_SIZE = "odd-size", Act.JOB, "the result has another size and shape"
    WITH_SOUND = "with-sound", Act.JOB, "the result has a sound of its own"


_NAMED = {fault.value: fault for fault in Fault}


def parse_fault(text: str) -> tuple[Fault, int]:
    """A fault and how often it happens from `NAME=COUNT`, or `NAME` for once. Raises BadInput."""
    name, _, count = text.partition("=")
    try:
        fault = _NAMED[name.strip()]
    except KeyError:
        names = ", ".join(fault.value for fault in Fault)
        raise BadInput(f"The fault {name!r} is not known: use one of {names}.", field="fault") from None
    if count and not (count.strip().isascii() and count.strip().isdecimal()):
        raise BadInput(f"The fault {text!r} needs a whole number after the sign: {name}=COUNT.", field="fault")
    return fault, int(count) if count else 1


class FaultBook:
    """The faults that are still to happen. Safe to set from another thread than the server's."""

    def __init__(self, faults: Iterable[str] = ()) -> None:
        self._lock = threading.Lock()
        self._left: dict[Fault, int] = {}
        self.add(*faults)

    def add(self, *faults: str) -> None:
        """Let each fault (`NAME=COUNT`) happen so often more. Raises BadInput."""
        for fault, count in [parse_fault(text) for text in faults]:
            with self._lock:
                self._left[fault] = self._left.get(fault, 0) + count

    def clear(self) -> None:
        """Let nothing more go wrong."""
        with self._lock:
            self._left.clear()

    def take(self, act: Act) -> Fault | None:
        """The next fault of this kind, which is thereby used up; in the order of Fault's members."""
        with self._lock:
            for fault in Fault:
                if fault.act is act and self._left.get(fault, 0) > 0:
                    self._left[fault] -= 1
                    return fault
        return None

    @property
    def left(self) -> dict[str, int]:
        """How often each fault will still happen."""
        with self._lock:
            return {fault.value: count for fault, count in self._left.items() if count > 0}
