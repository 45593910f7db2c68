"""What a bad answer of the queue means, as the error that says what the caller does next."""

from __future__ import annotations

from reelflow.errors import (
    FormRefused,
    KeyRefused,
    QueueBusy,
    QueueFault,
    QueueRefused,
    ReelflowError,
    SubmitUnknown,
)
from reelflow.job.answers import line_of, retry_after_of, words_of

_BUSY = (429, 503)
_MOVED = (301, 307, 308)
_MAY_PASS = (408, 425)
# Moderated, too large, of another kind, or not to be worked on: said of the form, and not of who sends it where.
_OF_THE_FORM = (400, 413, 415, 422)


class Refusal:
    """A bad answer: where it came from, its status, its words, and what its headers say about when and where."""

    def __init__(
        self, address: str, status: int, body: bytes, *, retry_after: str | None, location: str | None
    ) -> None:
        self._address, self._status, self._place = address, status, line_of(location or "another address")
        self._said, self._field = words_of(body)
        self._retry_after = retry_after_of(retry_after)

    def of_form(self, model: str) -> ReelflowError:
        """What it means where it answers a form, which may have been bought."""
        told = f": {self._said}" if self._said else ""
        if self._status in _BUSY:
            return QueueBusy(f"The queue at {self._address} is busy ({self._status}{told}); nothing was bought.",
                             retry_after=self._retry_after)
        if self._status in _MOVED:
            return QueueRefused(
                f"The queue at {self._address} says that it has moved to {self._place}, and a form is never sent on: "
                "set DECART_BASE_URL.", status=self._status,
            )
        if 400 <= self._status < 500 and self._status not in _MAY_PASS:
            kind = FormRefused if self._status in _OF_THE_FORM else QueueRefused
            return self._refused(f"refused the form for {model}", kind)
        return SubmitUnknown(
            f"The queue at {self._address} answered {self._status} to the form for {model}{told}: a job may or may not "
            "have been bought."
        )

    def of_question(self, path: str) -> ReelflowError:
        """What it means where it answers something that costs nothing and may be asked again."""
        if self._status in _BUSY:
            return QueueBusy(f"The queue at {self._address} is busy ({self._status}).", retry_after=self._retry_after)
        if 400 <= self._status < 500 and self._status not in _MAY_PASS:
            return self._refused(f"refused {path}")
        told = f": {self._said}" if self._said else ""
        return QueueFault(f"The queue at {self._address} answered {self._status}{told}.", status=self._status,
                          retry_after=self._retry_after)

    def _refused(self, what: str, kind: type[QueueRefused] = QueueRefused) -> QueueRefused:
        told = f": {self._said.rstrip('.')}" if self._said else ""
        if self._status in (401, 403) or self._field == "x-api-key":
            return KeyRefused(f"The queue at {self._address} does not take the API key ({self._status}{told}): check "
                              "DECART_API_KEY.", status=self._status)
        return kind(f"The queue at {self._address} {what} ({self._status}){told}.", status=self._status,
                    field=self._field)
