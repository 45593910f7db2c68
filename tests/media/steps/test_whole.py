"""What is left away on purpose is no damage, and what is damaged is still told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from making import Make
from numbered import write_numbered


@pytest.mark.parametrize(("steps", "outputs"), [
    ([], [{"path": "a.png", "at": 0.5}]), (["denoise"], [{"path": "a.mp4", "clip": {"duration": 1}}]),
    ([{"flip": "vertical"}, {"trim": {"end": 1}}], []), ([{"flip": "vertical"}, {"still": 1}], [{"path": "a.png"}]),
    ([{"speed": 20}], []), ([{"rate": 1}], []), ([{"speed": 5}, {"rate": 2}], [{"path": "a.webp", "fps": 1}]),
    ([], [{"path": "a.mp4", "fps": 2}]),
])
async def test_a_whole_film_of_which_not_all_is_read_is_not_called_damaged(
    tmp_path: Path, make: Make, either: Path, steps: list[Any], outputs: list[Any]
) -> None:
    source = write_numbered(tmp_path / "n.mp4", frames=130, sound=None)
    outputs = [*outputs, {"path": "p.png"}] if outputs and outputs[0]["path"] == "a.webp" else outputs
    made = await make(steps, source, outputs[::-1], build=either)
    assert made.finished.warnings == ()


@pytest.mark.parametrize("steps", [["denoise"], [{"speed": 2}], [{"fade": {"in": 1}}, {"crop": "1:1"}]])
async def test_a_film_that_can_t_be_read_to_its_end_is(
    tmp_path: Path, make: Make, either: Path, steps: list[Any]
) -> None:
    source = write_numbered(tmp_path / "n.mp4", frames=130, sound=None, file_options={"movflags": "+faststart"})
    whole = source.read_bytes()
    source.write_bytes(whole[:len(whole) * 6 // 10])
    made = await make(steps, source, build=either)
    assert any("is damaged" in told for told in made.finished.warnings)
