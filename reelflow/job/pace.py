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
_SLOWER_IN_A_CROWD = 16.0
_LONGER = 0.5
_SOON = 0.3
_TRIED_SOONER = 1 / 8
_TICKS = 40
_CROWD = 200
_CROWDED_TICKS = 4
_WIDER = 0.05
_ASKS_PER_SECOND = 1000


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
            first = least * (random.uniform(0.5, 0.7) if self._is_alone else random.uniform(0.25, 1.1))
            return self._tick_of_a_crowd(self._began + first, least) - self._began if self._is_crowded else first
        aim = self._aim(self._pace.soonest)
        return aim - least * max(0.0, (aim - least * _SOON) // least)

    async def pause(self, least: float, longest: float, *, apart: float | None = None) -> None:
        """Wait until the job is worth asking about again: `least` seconds, but no more than `longest`.

        `apart` are the seconds that asks are apart where nothing is wrong: `least`, unless it is said.
        """
        begun = time.monotonic()
        self._not_by = begun - self._began
        usual = least if apart is None else apart
        # Those who were submitted together must not ask together ever after; of a crowd, many do.
        soonest, spread = begun + least + (0.0 if self._is_crowded else usual * random.uniform(0, _WIDER)), 0.0
        if self._pace.soonest is None and not self._is_scout:
            slower = _SLOWER_IN_A_CROWD if self._is_crowded else _SLOWER
            seldom = max(least, usual * slower, (begun - self._began) * _LONGER)
            if self._is_crowded:
                seldom = self._tick_of_a_crowd(begun + seldom, usual) - begun
            if not await self._pace.known_within(min(seldom, longest)):
                return
            # All of them were waiting for this: they must not ask all at once.
            spread = random.uniform(0, min(least, self._pace.waiting_for / _ASKS_PER_SECOND))
        now = time.monotonic()
        aim = max(soonest, now + spread, now + self._left(now))
        moment = self._moment(aim, aim - soonest, usual) if usual else aim
        await asyncio.sleep(max(0.0, min(moment, begun + longest) - now))

    def _moment(self, aim: float, room: float, usual: float) -> float:
        """When those are woken together whose time comes at about `aim`, which takes a fraction of the CPU.

        It is a little later, and more so in a crowd, where `room` says how much later than it might it is asked anyway:
        a question alone costs several times what it costs among others, since both sides have to be woken for it.
        """
        tick = usual / _TICKS
        if self._is_crowded:
            crowded = self._tick_of_a_crowd(aim, usual)
            if crowded - aim <= max(usual * _WIDER, room / 4):
                return crowded
        return math.ceil(aim / tick) * tick

    @staticmethod
    def _tick_of_a_crowd(moment: float, usual: float) -> float:
        """The next moment at which a crowd asks. A question later by the usual pause, and by half of what that may be
        wider, is at such a moment again.
        """
        tick = usual * (1 + _WIDER / 2) / _CROWDED_TICKS
        return math.ceil(moment / tick) * tick if tick else moment

    @property
    def _is_crowded(self) -> bool:
        return self._pace.waiting_for >= _CROWD

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
