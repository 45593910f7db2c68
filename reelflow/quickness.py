"""Whether a disk is quick enough for the loop to stand still while something is written to it."""

from __future__ import annotations

# So many seconds the loop may stand still at a time.
QUICK = 0.002
# How much the newest transaction counts in the time that they take.
_NEWEST = 0.2
# So many transactions are the thread's before the loop tries again: twice as many after each try that took long.
_SOONEST_TRY, _LATEST_TRY = 8, 256


class Quickness:
    """How long transactions take that the loop does: while none of their steps takes `quick` seconds, all are the
    loop's, else the thread's but for a try now and then. With a `quick` of 0 none is the loop's.

    Only the loop's own are timed: to the thread's the wait for the interpreter's lock is added, five milliseconds at a
    time where the loop is busy, however quick the disk is.
    """

    def __init__(self, quick: float) -> None:
        self._quick = quick
        self._takes: float | None = None
        # The thread connects, and makes the tables of a new file, which takes longer than all that follows.
        self._until_try, self._pause = 2, _SOONEST_TRY

    @property
    def is_the_loops(self) -> bool:
        """Whether the next transaction is the loop's."""
        if self._takes is None:
            return self._quick > 0 and self._until_try <= 0
        return True

    def was_the_threads(self) -> None:
        """Note that the thread did one."""
        self._until_try -= 1

    def learn(self, longest: float, *, has_written: bool) -> None:
        """Note how many seconds the longest step took of one that the loop did. What only reads tells nothing of the
        disk, unless it is slow.
        """
        before = self._takes
        if not has_written and longest < (self._quick if before is None else before):
            return
        takes = longest if before is None else before + _NEWEST * (longest - before)
        if takes < self._quick:
            self._takes, self._pause = takes, _SOONEST_TRY
        else:
            self._takes, self._until_try, self._pause = None, self._pause, min(2 * self._pause, _LATEST_TRY)
