"""The benchmarks' own arithmetic: sides in turn, ratios within a round, limits that are told as missed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest
from PIL import Image

from benchmarks.benchmark import PHASE, Benchmark, Outcome, Row, Side, run
from benchmarks.chart import draw, draw_phases
from benchmarks.checks import sync_of, vmaf
from benchmarks.clips import camera_clip
from benchmarks.table import as_text


def side(name: str, walls: Iterator[float], turns: list[str]) -> Side:
    def once() -> dict[str, float]:
        turns.append(name)
        return {"wall": next(walls), f"{PHASE}prepare": 0.25}

    return once


def measured(*, quick: bool = False) -> tuple[Outcome, list[str]]:
    turns: list[str] = []
    sides = {"reelflow": side("reelflow", iter([9.0, 1.0, 2.0, 6.0]), turns),
             "script": side("script", iter([9.0, 2.0, 8.0, 4.0]), turns)}
    rows = (Row("wall, against the script", "wall", 0.4, "script"), Row("wall", "wall", 2.0, unit="s"),
            Row("at least", "wall", 1.5, unit="s", least=True))
    one = Benchmark("one", "One of them", sides, rows, rounds=3, quick_rounds=2)
    return run(one, quick=quick, tell=lambda _: None), turns


def test_sides_take_turns_after_a_warm_up_that_does_not_count() -> None:
    outcome, turns = measured()
    assert turns == ["reelflow", "script"] * 4
    assert [found["wall"] for found in outcome.figures["reelflow"]] == [1.0, 2.0, 6.0]


def test_a_quick_look_has_few_rounds_and_no_warm_up_and_its_table_says_so() -> None:
    outcome, turns = measured(quick=True)
    assert turns == ["reelflow", "script"] * 2
    assert [found["wall"] for found in outcome.figures["reelflow"]] == [9.0, 1.0]
    assert "  2, cold  " in as_text([outcome])
    assert "cold" not in as_text([measured()[0]])


def test_a_ratio_is_that_of_a_round_and_its_median_is_held_against_the_limit() -> None:
    ratio, wall, least = measured()[0].results
    assert ratio.rounds == (0.5, 0.25, 1.5)
    assert (ratio.median, ratio.least, ratio.most, ratio.reached) == (0.5, 0.25, 1.5, False)
    assert (wall.median, wall.reached, least.reached) == (2.0, True, True)
    assert "MISSED" in as_text([measured()[0]])


def test_what_was_measured_is_drawn(tmp_path: Path) -> None:
    outcome = asdict(measured()[0])
    draw([outcome], tmp_path / "ratios.png")
    draw_phases([outcome], tmp_path / "where.png")
    for name in ("ratios", "where"):
        with Image.open(tmp_path / f"{name}.png") as picture:
            assert len(picture.getcolors(picture.width * picture.height) or ()) > 5


@pytest.mark.parametrize(("words", "told"), [
    (["one_clop"], "there is no benchmark one_clop: choose from startup, "),
    (["--rounds", "0"], "at least one is needed"),
])
def test_what_can_t_be_run_is_refused_in_a_sentence(words: list[str], told: str) -> None:
    refused = subprocess.run([sys.executable, "-m", "benchmarks", *words], capture_output=True, text=True, check=False)
    assert (refused.returncode, "Traceback" in refused.stderr) == (2, False)
    assert told in refused.stderr


def test_the_checks_see_sound_that_comes_late_and_a_picture_that_is_worse(tmp_path: Path, ffmpeg: Path) -> None:
    clip = camera_clip(tmp_path, ffmpeg, width=320, height=180, rate=30, seconds=4)
    late, poor = tmp_path / "late.mp4", tmp_path / "poor.mp4"
    subprocess.run([ffmpeg, "-y", "-v", "error", "-i", clip, "-itsoffset", "0.2", "-i", clip, "-map", "0:v", "-map",
                    "1:a", "-c", "copy", late], check=True)
    subprocess.run([ffmpeg, "-y", "-v", "error", "-i", clip, "-c:v", "libx264", "-crf", "45", "-an", poor], check=True)
    assert abs(sync_of(clip)) < 25
    assert 160 < sync_of(late) < 240
    assert vmaf(clip, clip, ffmpeg=ffmpeg) > 95
    assert vmaf(poor, clip, ffmpeg=ffmpeg) < 70
