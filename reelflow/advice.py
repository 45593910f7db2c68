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
    JobLost,
    JobOverdue,
    KeyRefused,
    LedgerFault,
    MediaFailed,
    MediaStopped,
    MediaTimeout,
    OverBudget,
    QueueBusy,
    QueueFault,
    QueueRefused,
    QueueUnreachable,
    ReelflowError,
    SourceFault,
    SpoiledResult,
    SubmitUnknown,
    Unapproved,
)

# The narrower kinds first: the first that fits is told. Where a sentence has no end, what became of the money is it.
_BY_KIND: tuple[tuple[type[ReelflowError], str], ...] = (
    (SourceFault, "Run {again} in a while"),
    (BadInput, ""),
    (BadMedia, "Look at the file (`reelflow probe FILE`), or take another one"),
    (Declined, "Nothing: this was asked for."),
    (Decided, "Look at how the wish stands now (`reelflow jobs list`)."),
    (OverBudget, "Raise the limit, or ask for what fits into it, and run again"),
    (KeyRefused, "Set DECART_API_KEY to a key that this queue takes, and run {again}"),
    (QueueRefused, "Change what the queue names, and run again; it bills nothing that it refuses."),
    (QueueUnreachable, "Check DECART_BASE_URL and the network (`reelflow doctor`), and run {again}"),
    (QueueBusy, "Run {again} in a while; nothing was bought for it."),
    (QueueFault, "Run {again} in a while: what is bought is kept, and asking costs nothing."),
    (Unapproved, "Look at the preview, and say whether the run goes on."),
    (SubmitUnknown, "Look at your account with the queue, decide as the sentence says, and run {again}. Nothing "
                    "more is bought for it before that."),
    (JobLost, "Look at your account with the queue: where the job has another id, `reelflow jobs resolve WISH --adopt "
              "JOB_ID` takes that one up (`reelflow jobs list` names the wish). Only where there is none, run the same "
              "with --refresh, which buys all of its jobs anew."),
    (JobFailed, "Try another prompt, seed or part; or let just this job be bought once more, as the sentence says, and "
                "run {again}"),
    (JobOverdue, "Run {again} later: where the queue has finished the job, it is fetched and not paid again."),
    (SpoiledResult, "Run {again}, which fetches it once more; where it stays so, --refresh buys another."),
    (FetchFailed, "Run {again}: the job is paid, and only its result is still to be fetched."),
    (LedgerFault, "See to the ledger (`reelflow doctor` says where it lies), and run {again}."),
    (MediaTimeout, "Give ffmpeg longer (REELFLOW_FFMPEG_TIMEOUT) or take a shorter part, and run {again}: what was "
                   "bought is kept."),
    (MediaStopped, "Run {again}: what was bought is kept, and not paid again."),
    (MediaFailed, "See to what ffmpeg says, and run {again}: what was bought is kept, and not paid again."),
    (BadResult, "Run with --refresh to buy another result; the one that came is kept."),
    (ReelflowError, "Run {again}: what was bought is kept, and not paid again."),
)


def what_to_do(error: ReelflowError, *, has_bought: bool = False, refreshes: bool = False) -> str:
    """One sentence or two: what to do now, and what that costs. Empty where the error's own sentence says it all.

    `has_bought` says whether something was bought by then, `refreshes` whether the run was to buy what it had already:
    run again just so, it would buy that once more.
    """
    told = next(told for kind, told in _BY_KIND if isinstance(error, kind))
    pays_twice = refreshes and has_bought
    told = told.format(again="the same again without --refresh" if pays_twice else "the same again")
    money = "what was bought is kept, and not paid again" if has_bought else "nothing was bought"
    if pays_twice:
        money = "what was bought is kept: without --refresh it is not paid again"
    if told and not told.endswith("."):
        return f"{told}; {money}."
    is_said = "--refresh" in told if pays_twice else bool(told) or not has_bought
    return told if is_said else f"{told} {money[0].upper()}{money[1:]}.".strip()
