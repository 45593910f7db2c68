"""Paths with a `~`."""

from __future__ import annotations

from pathlib import Path

from reelflow.home import expanded


def test_a_home_is_spelled_out_and_a_film_s_name_may_begin_as_one() -> None:
    assert expanded("~/film.mp4") == Path.home() / "film.mp4"
    assert expanded("~no-such-user.mp4") == Path("~no-such-user.mp4")
