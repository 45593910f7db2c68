"""What a person asks for, read from text."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reelflow.choices import parse_time
from reelflow.errors import BadInput
from reelflow.model_step import ModelStep
from reelflow.models import ModelTable, Point, check_trajectory
from reelflow.recipe import make_step
from reelflow.trajectory import PRESETS, parse_path, preset_path, read_trajectory


@pytest.mark.parametrize(("text", "seconds"), [
    ("12.5", 12.5), (3, 3.0), (".5", 0.5), ("0", 0.0), ("01:02.250", 62.25), ("1:02:03.5", 3723.5), (" 7 ", 7.0),
])
def test_a_time_is_read(text: str | float, seconds: float) -> None:
    assert parse_time(text, field="start") == seconds


@pytest.mark.parametrize("text", ["", "-1", -1, "1:99", "abc", "1e3", "nan", "::", True, "12s", float("nan")])
def test_what_is_no_time_is_refused(text: str | float) -> None:
    with pytest.raises(BadInput, match="start"):
        parse_time(text, field="start")


@pytest.mark.parametrize(("asked", "field"), [
    ({"start": 3, "end": 3}, "end"), ({"start": 3, "end": "2"}, "end"), ({"duration": 0}, "duration"),
    ({"end": 3, "duration": 2}, "duration"),
])
def test_a_span_that_can_t_be_is_refused(asked: dict[str, float], field: str) -> None:
    with pytest.raises(BadInput, match=field):
        make_step("trim", **asked)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_a_good_trajectory_over_all_frames(name: str) -> None:
    path = preset_path(name, frames=125)
    assert (path[0].frame, path[-1].frame) == (0, 124)
    check_trajectory(path)
    step = make_step("motion", preset=name)
    assert isinstance(step, ModelStep)
    step.check(ModelTable.standard()["lucy-motion"])


def test_a_path_is_read_from_text() -> None:
    assert parse_path("0:0.2,0.5 60:.5,0.3") == (Point(0, 0.2, 0.5), Point(60, 0.5, 0.3))


@pytest.mark.parametrize("text", ["0:0.2", "0:0.2,0.5", "a:1,1 b:0,0", "0:1.2.3,0 5:0,0", "0:0,0 5:2,0", ""])
def test_a_path_that_can_t_be_read_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        parse_path(text)


def test_a_trajectory_is_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "path.json"
    file.write_text(json.dumps([{"frame": 0, "x": 0, "y": 0.5}, {"frame": 5, "x": 1, "y": 1}]))
    assert read_trajectory(file) == (Point(0, 0.0, 0.5), Point(5, 1.0, 1.0))


@pytest.mark.parametrize(("text", "told"), [
    ("[", "is not JSON"), ("{}", "must be a list"), ('[{"frame": 0, "x": 0, "y": 0}]', "1 point"),
    ('[{"frame": 0.5, "x": 0, "y": 0}, {"frame": 1, "x": 0, "y": 0}]', "point 1 needs a whole number"),
    ('[{"frame": 0, "x": 0, "y": 0}, {"frame": 1, "y": 0}]', "point 2"),
    ('[{"frame": 0, "x": NaN, "y": 0}, {"frame": 1, "x": 0, "y": 0}]', "x and y go from 0 to 1"),
])
def test_a_wrong_trajectory_file_is_refused(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "path.json"
    file.write_text(text)
    with pytest.raises(BadInput, match=told):
        read_trajectory(file)


def test_a_missing_trajectory_file_is_named() -> None:
    with pytest.raises(BadInput, match=r"nowhere\.json can't be read: No such file"):
        read_trajectory(Path("nowhere.json"))
