"""Everything that reelflow raises on purpose, named by what the caller does next.

    ReelflowError
    ├── Refused                 nothing was sent and nothing was bought: change the input and run again
    │   ├── BadInput            a parameter or a file that can't be used
    │   │   ├── BadRecipe       a recipe with faults: all of them, each with its line and its step
    │   │   ├── BadRows         a list of clips with faults: all of them, each with its line
    │   │   ├── OutputTaken     something lies where an output would go
    │   │   └── SourceFault     a source's address did not answer as it may in a moment
    │   ├── BadMedia            a file that isn't a film or a picture that we can read
    │   ├── Declined            a person has seen a preview and refused the run
    │   ├── OverBudget          the price is over a limit that was set
    │   ├── Decided             a wish is not as it was seen: somebody decided meanwhile, or its reply came after all
    │   ├── QueueRefused        the queue said no (4xx); saying it again gets the same answer
    │   │   └── KeyRefused      the API key is missing or wrong (401, 403)
    │   └── QueueUnreachable    no connection: nothing left this machine
    ├── QueueBusy               the queue asks to come again later (429, 503); nothing was bought
    ├── QueueFault              a status or content call went wrong; asking again costs nothing
    ├── Unapproved              a preview is made, and a person says whether the run goes on
    ├── SubmitUnknown           a job may or may not have been bought: a person decides
    ├── JobFailed               the queue reports that the job failed
    │   └── JobLost             the queue does not know the job: it has lost it, or it is another's
    ├── JobOverdue              the deadline for waiting is over; the queue may still finish and bill the job
    ├── FetchFailed             the result could not be brought over whole; the job is paid and its id is kept
    │   └── SpoiledResult       it came over whole, more than once, and is no good
    ├── LedgerFault             the ledger can't be read or written just now; nothing is bought without it
    ├── ClipsFailed             some clips of a batch did not come to their end; its manifest says which and why
    ├── MediaFailed             ffmpeg failed; carries its last words
    │   ├── MediaStopped        a signal that we had not sent ended ffmpeg; another time it may go well
    │   └── MediaTimeout        ffmpeg took longer than it was given
    └── BadResult               the generated film does not fit what was sent

Every message is one sentence for a person: which file or field, what is wrong, what to do.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar


class ReelflowError(Exception):
    """The root; `exit_code` is what the command line ends with.

    `where` is the phase that it came from, and `log` the file that tells what went before, once these are known.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
        self.where = ""
        self.log: Path | None = None


class Refused(ReelflowError):
    """Nothing was sent and nothing was bought."""

    exit_code = 2


class BadInput(Refused):
    """A parameter or a file that can't be used; `field` is its name as the user wrote it."""

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a recipe: where, what, and the line of the file that it was read from.

    `number` is a step's ("2", "3.1.1"), whose name is `step`, or "output 1", or "" for the whole.
    """

    number: str
    step: str
    message: str
    field: str | None = None
    line: int | None = None

    def at_line(self, line: int | None) -> Fault:
        """The same with a line, if it has none."""
        return self if self.line is not None else replace(self, line=line)

    def __str__(self) -> str:
        place = f"step {self.number}" if self.number[:1].isdecimal() else self.number
        named = f"{place} ({self.step})" if place and self.step else place
        where = ", ".join(filter(None, (f"line {self.line}" if self.line else "", named)))
        said = self.message if self.message.endswith((".", "!", "?")) else f"{self.message}."
        return f"{where}: {said}" if where else said


class BadRecipe(BadInput):
    """A recipe that can't be run; `faults` are all of them."""

    def __init__(self, name: str, faults: tuple[Fault, ...]) -> None:
        super().__init__(f"The recipe {name!r} can't be run: {_in_words(faults)}", field=faults[0].field)
        self.name = name
        self.faults = faults


class BadRows(BadInput):
    """A list of clips with rows that can't be used; `faults` are all of them."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__(f"The list can't be worked through: {_in_words(faults)}", field=faults[0].field)
        self.faults = faults


def _in_words(faults: tuple[Fault, ...]) -> str:
    return str(faults[0]) if len(faults) == 1 else "\n" + "\n".join(f"  {fault}" for fault in faults)


class OutputTaken(BadInput):
    """Something lies where an output would go, be it the source itself, and may not be replaced."""


class SourceFault(BadInput):
    """A source that could not be fetched, in a way that may pass."""

    exit_code = 1


class BadMedia(Refused):
    """A file that isn't a film or a picture that we can read."""


class Declined(Refused):
    """A person has seen a preview and refused the run."""


class OverBudget(Refused):
    """The price is over a limit that was set."""


class Decided(Refused):
    """A decision that came too late: the wish is not as it was seen, and stands as somebody else has left it."""


class QueueRefused(Refused):
    """The queue said no with a 4xx; `status` is the HTTP status, `field` the form field it names, if any."""

    def __init__(self, message: str, *, status: int, field: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.field = field


class FormRefused(QueueRefused):
    """The queue does not take what is in a form: its film, or what is asked of it."""


class KeyRefused(QueueRefused):
    """The API key is missing or wrong."""


class QueueUnreachable(Refused):
    """No connection could be made, or the request provably did not leave whole: nothing was bought."""


class QueueBusy(ReelflowError):
    """The queue asks to come again after `retry_after` seconds (None: it did not say); nothing was bought."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class QueueFault(ReelflowError):
    """A status or content call went wrong in a way that may pass; asking again costs nothing.

    `status` is the HTTP status (None where no answer came), `retry_after` what the queue asked for, in seconds.
    """

    def __init__(self, message: str, *, status: int | None = None, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after


class Unapproved(ReelflowError):
    """A preview is made, and a person has to say whether the run goes on; nobody can be asked where it runs."""

    exit_code = 3


class SubmitUnknown(ReelflowError):
    """The form went out and no readable answer came: a job may or may not have been bought.

    Never retried. `key` is the ledger's key of the wish, once there is one, for `reelflow jobs resolve`; `purchase` is
    the one whose reply was lost, and `job_id` its job where the reply did come and only could not be written down.
    """

    exit_code = 3

    def __init__(
        self, message: str, *, key: str | None = None, purchase: str | None = None, job_id: str | None = None
    ) -> None:
        super().__init__(message)
        self.key = key
        self.purchase = purchase
        self.job_id = job_id


class JobFailed(ReelflowError):
    """The queue reports that job `job_id` failed (it gives no reason)."""

    is_over: ClassVar[bool] = True

    def __init__(self, message: str, *, job_id: str) -> None:
        super().__init__(message)
        self.job_id = job_id


class JobLost(JobFailed):
    """The queue does not know job `job_id` (any more)."""


class JobOverdue(ReelflowError):
    """Waiting for `job_id` went past its deadline; the queue may still finish and bill it.

    `is_over` where the queue said so late that it is not done; where it could not be asked, the job may well be.
    """

    def __init__(self, message: str, *, job_id: str, is_over: bool = True) -> None:
        super().__init__(message)
        self.job_id = job_id
        self.is_over = is_over


class FetchFailed(ReelflowError):
    """The result of `job_id` could not be brought over whole; running again fetches it without paying again."""

    def __init__(self, message: str, *, job_id: str) -> None:
        super().__init__(message)
        self.job_id = job_id


class SpoiledResult(FetchFailed):
    """The result came over whole, more than once, and is no good: fetched again, it is most likely the same."""


class LedgerFault(ReelflowError):
    """The ledger can't be read or written just now; nothing is bought without it."""


class ClipsFailed(ReelflowError):
    """Some clips of a batch did not come to their end; `summary` is what the batch says of itself."""

    def __init__(self, message: str, *, summary: dict[str, Any]) -> None:
        super().__init__(message)
        self.summary = summary


class MediaFailed(ReelflowError):
    """ffmpeg failed; `stderr` holds its last lines."""

    def __init__(self, message: str, *, stderr: str = "") -> None:
        super().__init__(message)
        self.stderr = stderr


class MediaStopped(MediaFailed):
    """A signal ended ffmpeg that we had not sent, as Ctrl-C in a terminal does: another time it may go well.

    Where it was killed (`is_killed`), that may be the kernel's doing, each time that memory runs out over one film.
    """

    def __init__(self, message: str, *, stderr: str = "", is_killed: bool = False) -> None:
        super().__init__(message, stderr=stderr)
        self.is_killed = is_killed


class MediaTimeout(MediaFailed):
    """ffmpeg took longer than it was given and was killed."""


class BadResult(ReelflowError):
    """The generated film does not fit what was sent (it can't be decoded, or its frames can't be matched)."""
