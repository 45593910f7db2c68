"""When a job is worth asking about: by how long the earlier jobs of its model took, as this process has seen it."""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
import time
from collections import deque
from collections.abc import Iterator

_REMEMBERED = 32
_SCOUTS = 8
_SLOWER = 4.0
_LONGER = 0.5
_SOON = 0.3
_TRIED_SOONER = 1 / 8
_TICKS = 40
_ASKS_PER_SECOND = 200


class Pace:
    """The jobs of one model at one queue: how soon one was done, and how many are waited for.

    Until the quickest of the last ones was done, a job is asked about ever more seldom, and then at once (now and then
    a little earlier, to see whether they have become quicker). While none has been done yet, and many are waited for,
    only the first few are asked about as often as may be: what they show is what all go by. The others are asked about
    ever more seldom meanwhile, but no pause is longer than half of what was waited before it, once that is long.
    """

    def __init__(self) -> None:
        self._took: deque[tuple[float, float]] = deque(maxlen=_REMEMBERED)
        self._waiting = 0
        self._known = asyncio.Event()

    @contextlib.contextmanager
    def waiting(self) -> Iterator[Turn]:
        """One job that is waited for, from now on."""
        turn = Turn(self, is_scout=self._waiting < _SCOUTS, is_alone=not self._waiting)
        self._waiting += 1
        try:
            yield turn
        finally:
            self._waiting -= 1

    @property
    def soonest(self) -> float | None:
        """The seconds that the quickest of the last jobs took; None where none is known."""
        return min((seconds for seconds, _ in self._took), default=None)

    def learn(self, seconds: float, *, not_by: float = 0.0) -> None:
        """Note that a job was done by then, and not yet when it was asked about before that."""
        self._took.append((seconds, not_by))
        self._known.set()

    @property
    def latest_not_done(self) -> float:
        """The seconds after which none of the last jobs was done yet, where that is before the quickest was."""
        soonest = self.soonest or 0.0
        return max((not_by for _, not_by in self._took if not_by < soonest), default=0.0)

    @property
    def waiting_for(self) -> int:
        """How many jobs are waited for."""
        return self._waiting

    async def known_within(self, seconds: float) -> bool:
        """Wait so long, or until it is known how soon jobs are done; says whether it is."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._known.wait()
        return self._known.is_set()


class Turn:
    """One job's turn; its time counts from its making."""

    def __init__(self, pace: Pace, *, is_scout: bool, is_alone: bool) -> None:
        self._pace, self._is_scout, self._is_alone = pace, is_scout, is_alone
        self._began, self._not_by = time.monotonic(), 0.0
        self._aims_at: float | None = None

    def first(self, least: float) -> float:
        """The seconds until a job that was submitted only just now is asked about for the first time.

        Just after half of the `least` seconds between two asks, since none is done at once. Many are asked about each
        at another moment, so that one falls on the end of the quickest; where it is known how long jobs take, all do.
        """
        if self._pace.soonest is None:
            return least * (random.uniform(0.5, 0.7) if self._is_alone else random.uniform(0.25, 1.1))
        aim = self._aim(self._pace.soonest)
        return aim - least * max(0.0, (aim - least * _SOON) // least)

    async def pause(self, least: float, longest: float, *, apart: float | None = None) -> None:
        """Wait until the job is worth asking about again: `least` seconds, but no more than `longest`.

        `apart` are the seconds that asks are apart where nothing is wrong: `least`, unless it is said.
        """
        begun = time.monotonic()
        self._not_by = begun - self._began
        spread = 0.0
        if self._pace.soonest is None and not self._is_scout:
            usual = least if apart is None else apart
            seldom = max(least, usual * _SLOWER, (begun - self._began) * _LONGER)
            if not await self._pace.known_within(min(seldom, longest)):
                return
            # All of them were waiting for this: they must not ask all at once.
            spread = random.uniform(0, min(least, self._pace.waiting_for / _ASKS_PER_SECOND))
        now = time.monotonic()
        soonest = max(begun + least, now + spread, now + self._left(now))
        # Those whose time comes at about the same moment are woken together, which takes a fraction of the CPU.
        tick = least / _TICKS or 1.0
        await asyncio.sleep(max(0.0, min(math.ceil(soonest / tick) * tick, begun + longest) - now))

    def done(self) -> None:
        """Note that the job is done."""
        self._pace.learn(time.monotonic() - self._began, not_by=self._not_by)

    def _left(self, now: float) -> float:
        """The seconds until any earlier job was done, and no more than half of those that have gone by: a shorter film
        is done sooner than those before it.
        """
        soonest = self._pace.soonest
        if soonest is None:
            return 0.0
        return min(self._began + self._aim(soonest) - now, (now - self._began) * _LONGER)

    def _aim(self, soonest: float) -> float:
        if self._aims_at is None:
            if random.random() < _TRIED_SOONER:
                # Somewhere between what was too early and what was early enough; or models have become quicker.
                early = min(0.8 * soonest, max(self._pace.latest_not_done, 0.5 * soonest))
                self._aims_at = random.uniform(early, soonest)
            else:
                self._aims_at = soonest + random.uniform(0, min(0.25, soonest / 20))
        return self._aims_at
