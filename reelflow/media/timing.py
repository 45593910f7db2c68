"""A film's clock, from the times of its frames; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise

USUAL_RATES = (
    *(Fraction(rate * 1000, 1001) for rate in (24, 30, 48, 60, 120)),
    *(Fraction(rate) for rate in (5, 6, 8, 10, 12, 15, 16, 18, 20, 22, 24, 25, 30, 48, 50, 60, 90, 100, 120)),
)
_MAX_RATE = 120
_LONGEST_HOLD = 30  # seconds; a last frame that claims more is not believed
# Two rates are the same that differ by less than one part in so many: by a frame in half an hour at 60 a second.
_SAME = 100_000
# A frame further than this part of a frame from its place on an even clock could be taken for its neighbour.
_LOOSE = Fraction(2, 5)


@dataclass(frozen=True, slots=True)
class Clock:
    """A film's rate in frames per second, its length in seconds, and how far its frames lie off an even clock."""

    rate: Fraction
    seconds: Fraction
    varies: bool
    unevenness: Fraction


def find_clock(times: Sequence[Fraction], guess: Fraction, last: Fraction) -> Clock:
    """The clock behind `times` (sorted, seconds); `guess` is the container's idea, `last` the last frame's length.

    The rate is the usual one that all the frames keep to; else the container's, else the average. Where they keep to
    none, or the last is held for more than two frames' time, the film varies: its rate is then only what it is played
    at.
    """
    # Matroska's milliseconds make 19001/317 of 60000/1001.
    guess = next((rate for rate in USUAL_RATES if abs(rate - guess) * _SAME <= rate), guess)
    count = len(times)
    if count < 2:
        rate = guess if 1 <= guess <= _MAX_RATE else Fraction(25)
        return _with_last(Clock(rate, 1 / rate, varies=False, unevenness=Fraction(0)), last)
    span = times[-1] - times[0]
    average = (count - 1) / span if span else guess
    near = [rate for rate in USUAL_RATES if abs(rate - average) <= average / 50]
    best: Clock | None = None
    for rate in dict.fromkeys((guess, *sorted(near, key=lambda one: abs(one - average)), average)):
        if not 0 < rate <= 1000:
            continue
        off = _unevenness(times, rate)
        if off * rate <= _LOOSE and (best is None or off * 2 < best.unevenness):
            best = Clock(rate, count / rate, varies=False, unevenness=off)
    if best is not None:
        return _with_last(best, last)
    rate = guess if average <= guess <= _MAX_RATE else _busiest_rate(times)
    held = last if 0 < last <= _LONGEST_HOLD else 1 / rate
    return Clock(rate, span + held, varies=True, unevenness=_unevenness(times, rate))


def _with_last(clock: Clock, last: Fraction) -> Clock:
    """The clock of a film whose last frame stands for `last` seconds."""
    if not 2 / clock.rate < last <= _LONGEST_HOLD:
        return clock
    return replace(clock, seconds=clock.seconds - 1 / clock.rate + last, varies=True)


def _unevenness(times: Sequence[Fraction], rate: Fraction) -> Fraction:
    # Floats are exact enough for hours of film and a hundred times faster than fractions over a long one.
    first, speed = float(times[0]), float(rate)
    widest = max(abs(float(time) - first - index / speed) for index, time in enumerate(times))
    return Fraction(round(widest * 1e9), 10**9)


def _busiest_rate(times: Sequence[Fraction]) -> Fraction:
    """The usual rate that is nearest to the film's typical step."""
    steps = sorted(after - before for before, after in pairwise(times))
    typical = steps[len(steps) // 4] or steps[-1]
    wanted = min(1 / typical, Fraction(_MAX_RATE)) if typical else Fraction(25)
    return min(USUAL_RATES, key=lambda rate: abs(rate - wanted))
