"""Timecode is counted as editors count it: round a day, at a whole number of frames, with numbers that are left out."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import islice

import pytest

from reelflow.media.timecode import find_timecode, later

NTSC, TWICE, FILM = (Fraction(rate * 1000, 1001) for rate in (30, 60, 24))


@pytest.mark.parametrize(("timecode", "frames", "rate", "wanted"), [
    ("01:00:00:00", 0, 25, "01:00:00:00"),
    ("01:00:00:00", 50, 25, "01:00:02:00"),
    ("01:00:59:24", 1, 25, "01:01:00:00"),
    ("09:59:59:23", 1, FILM, "10:00:00:00"),
    ("00:00:00:00", 1800, NTSC, "00:01:00:00"),
    ("00:00:00:49", 51, 50, "00:00:02:00"),
    ("23:59:59:24", 1, 25, "00:00:00:00"),
    ("23:59:59:59", 61, 60, "00:00:01:00"),
    ("01:00:00;00", 60, NTSC, "01:00:02;00"),
    ("01:00:59;29", 1, NTSC, "01:01:00;02"),
    ("01:08:59;29", 1, NTSC, "01:09:00;02"),
    ("01:09:59;29", 1, NTSC, "01:10:00;00"),
    ("01:00:59;59", 1, TWICE, "01:01:00;04"),
    ("01:09:59;59", 1, TWICE, "01:10:00;00"),
    ("23:59:59;29", 1, NTSC, "00:00:00;00"),
    ("23:59:59;29", 1801, NTSC, "00:01:00;02"),
    ("23:59:59;59", 3601, TWICE, "00:01:00;04"),
])
def test_frames_are_counted_on(timecode: str, frames: int, rate: Fraction, wanted: str) -> None:
    assert later(timecode, frames, Fraction(rate)) == wanted


def labels(counted: int, dropped: int) -> Iterator[str]:
    """Drop-frame timecode by its definition: all numbers of a day but those that are left out."""
    for minute in range(24 * 60):
        for number in range(dropped if minute % 10 else 0, 60 * counted):
            yield f"{minute // 60:02}:{minute % 60:02}:{number // counted:02};{number % counted:02}"


@pytest.mark.parametrize(("rate", "counted", "dropped"), [(NTSC, 30, 2), (TWICE, 60, 4)])
def test_drop_frame_timecode_leaves_out_what_it_has_to(rate: Fraction, counted: int, dropped: int) -> None:
    known = list(islice(labels(counted, dropped), 21 * 60 * counted))
    for start in (0, 1, 60 * counted - 1, 60 * counted, 600 * counted - 9 * dropped - 1, 600 * counted - 9 * dropped):
        for frames in range(0, 11 * 60 * counted, 7):
            assert later(known[start], frames, rate) == known[start + frames]
    # A day of it is a day, but for 86 ms.
    assert abs(float(sum(1 for _ in labels(counted, dropped)) / rate) - 86400) < 0.1


@pytest.mark.parametrize(("timecode", "rate"), [
    ("01:00:00:25", 25), ("01:00:00:00", 24.5), ("01:00:00:00", 48), ("01:00:00;00", 25), ("01:00:00;00", 30),
    ("01:01:00;01", NTSC), ("01:01:00;03", TWICE), ("24:00:00:00", 25), ("1:00:00:00", 25),
])
def test_what_does_not_count_a_film_s_frames_is_no_timecode_of_it(timecode: str, rate: Fraction) -> None:
    assert later(timecode, 1, Fraction(rate)) is None


def test_the_first_that_is_a_timecode_is_taken() -> None:
    told = ({"title": "x"}, {"timecode": "soon"}, {"TIMECODE": "01:00:00;00"}, {"timecode": "02:00:00:00"})
    assert find_timecode(told) == "01:00:00;00"
    for value in ("", "01:00:00", "01:00:00:00\n", "01:60:00:00", "01:00:00:000", "01.00.00.00", "٠١:00:00:00"):
        assert find_timecode([{"timecode": value}]) is None
