"""What a person does next about an error, by its kind; its message says what is wrong with this one."""

from __future__ import annotations

from reelflow.errors import (
    BadInput,
    BadMedia,
    BadResult,
    Decided,
    Declined,
    FetchFailed,
    JobFailed,
    JobOverdue,
    KeyRefused,
    LedgerFault,
    MediaFailed,
    MediaTimeout,
    OverBudget,
    QueueBusy,
    QueueFault,
    QueueRefused,
    QueueUnreachable,
    ReelflowError,
    SourceFault,
    SubmitUnknown,
    Unapproved,
)

# The narrower kinds first: the first that fits is told.
_BY_KIND: tuple[tuple[type[ReelflowError], str], ...] = (
    (SourceFault, "Run the same again in a while; nothing was bought."),
    (BadInput, ""),
    (BadMedia, "Look at the file (`reelflow probe FILE`), or take another one; nothing was bought."),
    (Declined, "Nothing: this was asked for."),
    (Decided, "Look at how the wish stands now (`reelflow jobs list`)."),
    (OverBudget, "Take a shorter part (--duration), or raise the limit, and run again; nothing was sent."),
    (KeyRefused, "Set DECART_API_KEY to a key that this queue takes, and run the same again."),
    (QueueRefused, "Change what the queue names, and run again; it bills nothing that it refuses."),
    (QueueUnreachable, "Check DECART_BASE_URL and the network (`reelflow doctor`), and run the same again."),
    (QueueBusy, "Run the same again in a while; nothing was bought for it."),
    (QueueFault, "Run the same again in a while: what is bought is kept, and asking costs nothing."),
    (Unapproved, "Look at the preview, and say whether the run goes on."),
    (SubmitUnknown, "Look at your account with the queue, decide as the sentence says, and run the same again. Nothing "
                    "more is bought for it before that."),
    (JobFailed, "Try another prompt, seed or part; or run the same with --refresh, which buys a new job."),
    (JobOverdue, "Run the same again later: where the queue has finished the job, it is fetched and not paid again."),
    (FetchFailed, "Run the same again: the job is paid, and only its result is still to be fetched."),
    (LedgerFault, "See to the ledger (`reelflow doctor` says where it lies), and run the same again."),
    (MediaTimeout, "Give ffmpeg longer (REELFLOW_FFMPEG_TIMEOUT) or take a shorter part, and run again: what was "
                   "bought is kept."),
    (MediaFailed, "See to what ffmpeg says, and run the same again: what was bought is kept, and not paid again."),
    (BadResult, "Run with --refresh to buy another result; the one that came is kept."),
    (ReelflowError, "Run the same again: what was bought is kept, and not paid again."),
)


def what_to_do(error: ReelflowError) -> str:
    """One sentence or two: what to do now, and what that costs. Empty where the error's own sentence says it all."""
    return next(told for kind, told in _BY_KIND if isinstance(error, kind))
