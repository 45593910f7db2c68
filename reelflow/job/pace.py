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


class Pace:
    """The jobs of one model at one queue: how soon one was done, and how many are waited for.

    Until the quickest of the last ones was done, a job is asked about ever more seldom, and then at once (now and then
    a little earlier, to see whether they have become quicker). While none has been done yet, and many are waited for,
    only the first few are asked about as often as may be: what they show is what all go by. The others are asked about
    ever more seldom meanwhile, but no pause is longer than half of what was waited before it, once that is long.
    """

    def __init__(self) -> None:
        self._took: deque[float] = deque(maxlen=_REMEMBERED)
        self._waiting = 0
        self._known = asyncio.Event()

    @contextlib.contextmanager
    def waiting(self) -> Iterator[Turn]:
        """One job that is waited for, from now on."""
        turn = Turn(self, is_scout=self._waiting < _SCOUTS)
        self._waiting += 1
        try:
            yield turn
        finally:
            self._waiting -= 1

    @property
    def soonest(self) -> float | None:
        """The seconds that the quickest of the last jobs took; None where none is known."""
        return min(self._took, default=None)

    def learn(self, seconds: float) -> None:
        """Note that a job was done by then."""
        self._took.append(seconds)
        self._known.set()

    async def known_within(self, seconds: float) -> bool:
        """Wait so long, or until it is known how soon jobs are done; says whether it is."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._known.wait()
        return self._known.is_set()


class Turn:
    """One job's turn; its time counts from its making."""

    def __init__(self, pace: Pace, *, is_scout: bool) -> None:
        self._pace, self._is_scout = pace, is_scout
        self._began = time.monotonic()
        self._aims_at: float | None = None

    def first(self, least: float) -> float:
        """The seconds until a job that was submitted only just now is asked about for the first time.

        Just after half of the `least` seconds between two asks, since none is done at once; where it is known how long
        jobs take, such that an ask falls on that.
        """
        if self._pace.soonest is None:
            return least * random.uniform(0.5, 0.7)
        aim = self._aim(self._pace.soonest)
        return aim - least * max(0.0, (aim - least * _SOON) // least)

    async def pause(self, least: float, longest: float) -> None:
        """Wait until the job is worth asking about again: `least` seconds, but no more than `longest`."""
        begun = time.monotonic()
        spread = 0.0
        if self._pace.soonest is None and not self._is_scout:
            seldom = max(least * _SLOWER, (begun - self._began) * _LONGER)
            if not await self._pace.known_within(min(seldom, longest)):
                return
            # All of them were waiting for this: they must not ask all at once.
            spread = random.uniform(0, least)
        now = time.monotonic()
        soonest = max(begun + least, now + spread, now + self._left(now))
        # Those whose time comes at about the same moment are woken together, which takes a fraction of the CPU.
        tick = least / _TICKS or 1.0
        await asyncio.sleep(max(0.0, min(math.ceil(soonest / tick) * tick, begun + longest) - now))

    def done(self) -> None:
        """Note that the job is done."""
        self._pace.learn(time.monotonic() - self._began)

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
            tries_sooner = random.random() < _TRIED_SOONER
            self._aims_at = soonest * random.uniform(0.8, 1.0) if tries_sooner else soonest + random.uniform(
                0, min(0.25, soonest / 20))
        return self._aims_at
