"""A film's clock is found in the times of its frames, whatever its header says."""

from __future__ import annotations

import random
from fractions import Fraction

import pytest

from reelflow.media.timing import USUAL_RATES, find_clock


def even(rate: Fraction, count: int) -> list[Fraction]:
    return [index / rate for index in range(count)]


@pytest.mark.parametrize("rate", [rate for rate in USUAL_RATES if rate > 10])
def test_thousandths_of_a_second_still_give_the_rate(rate: Fraction) -> None:
    times = [Fraction(round(time * 1000), 1000) for time in even(rate, 900)]
    clock = find_clock(times, rate, Fraction(0))
    assert (clock.rate, clock.varies, clock.seconds) == (rate, False, 900 / rate)
    assert clock.unevenness <= 0.001


def test_a_wrong_header_is_put_right() -> None:
    assert find_clock(even(Fraction(25), 100), Fraction(50), Fraction(0)).rate == 25
    assert find_clock(even(Fraction(30000, 1001), 9000), Fraction(30), Fraction(0)).rate == Fraction(30000, 1001)
    assert find_clock(even(Fraction(25), 100), Fraction(90_000), Fraction(0)).rate == 25


def test_what_a_container_s_own_clock_makes_of_a_usual_rate_is_that_rate() -> None:
    times = [Fraction(round(time * 1000), 1000) for time in even(Fraction(60000, 1001), 300)]
    assert find_clock(times, Fraction(19001, 317), Fraction(0)).rate == Fraction(60000, 1001)


def test_a_missing_frame_makes_it_vary_and_keeps_its_length() -> None:
    times = even(Fraction(30), 90)
    del times[40]
    clock = find_clock(times, Fraction(30), Fraction(1, 30))
    assert clock.varies and clock.rate == 30 and clock.seconds == 3


def test_a_screen_recording_gets_its_busiest_rate() -> None:
    chosen = random.Random(1)
    times = [Fraction(0)]
    for _ in range(300):
        times.append(times[-1] + Fraction(chosen.choice([1, 1, 1, 7]), 60))
    clock = find_clock(times, Fraction(1000), Fraction(1, 60))
    assert clock.varies and clock.rate == 60


def test_one_frame_lasts_one_frame() -> None:
    assert find_clock([Fraction(5)], Fraction(25), Fraction(0)).seconds == Fraction(1, 25)
    assert find_clock([], Fraction(0), Fraction(0)).rate == 25


def test_a_last_frame_that_is_held_counts_for_as_long_as_it_is_shown() -> None:
    held = find_clock(even(Fraction(30), 60), Fraction(30), Fraction(5))
    assert (held.rate, held.seconds, held.varies) == (30, Fraction(59, 30) + 5, True)
    assert find_clock([Fraction(0)], Fraction(1, 5), Fraction(5)).seconds == 5
    # A field's or a muxer's rounding is no hold, and a day is not believed.
    for last in (Fraction(1, 30), Fraction(1, 20), Fraction(86_400)):
        assert find_clock(even(Fraction(30), 60), Fraction(30), last).seconds == 2
