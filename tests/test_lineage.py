"""What was made of what: each file once, in order, and back from JSON as it was."""

from __future__ import annotations

import json

import pytest

from reelflow.lineage import Made, Stage, ends_of, in_order

SOURCE = Made(Stage.SOURCE, "a.mp4", "s", (), "/a.mp4")
PREPARED = Made(Stage.PREPARED, "1 for lucy", "p", ("s",))
FIRST = Made(Stage.GENERATED, "job_1", "g", ("p",))
SECOND = Made(Stage.GENERATED, "job_2", "h", ("g",))
FINISHED = Made(Stage.FINISHED, "b.mp4", "f", ("s", "h"), "/b.mp4")


def test_what_a_file_is_made_of_comes_before_it_and_each_comes_once() -> None:
    assert in_order((FINISHED, SECOND, FIRST, PREPARED, SOURCE, FIRST)) == (SOURCE, PREPARED, FIRST, SECOND, FINISHED)


def test_two_outputs_of_the_same_bytes_are_both_told() -> None:
    twin = Made(Stage.FINISHED, "c.mp4", "f", ("s",), "/c.mp4")
    assert in_order((SOURCE, FINISHED, twin)) == (SOURCE, FINISHED, twin)


def test_a_finished_file_is_made_of_the_source_and_of_what_went_into_no_other_model() -> None:
    assert ends_of((SOURCE, PREPARED, FIRST, SECOND)) == ("s", "h")
    assert ends_of((SOURCE,)) == ("s",)


@pytest.mark.parametrize("made", [SOURCE, PREPARED, FIRST, FINISHED])
def test_it_comes_back_from_json(made: Made) -> None:
    assert Made.from_dict(json.loads(json.dumps(made.to_dict()))) == made
