"""Files that get their names when they are whole."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from reelflow.errors import MediaStopped, OutputTaken
from reelflow.whole import written_whole


def test_a_file_gets_its_name_only_when_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "film.mp4"
    with pytest.raises(RuntimeError), written_whole(target) as part:
        part.write_bytes(b"half")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    with written_whole(target) as part:
        part.write_bytes(b"whole")
        assert not target.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["film.mp4"]


def test_what_a_killed_process_left_of_a_file_is_removed(tmp_path: Path) -> None:
    target = tmp_path / "film.mp4"
    dies = ("import os, sys; from pathlib import Path; from reelflow.whole import written_whole\n"
            "with written_whole(Path(sys.argv[1])) as part: part.touch(); os._exit(0)")
    subprocess.run([sys.executable, "-c", dies, target], check=True)
    (left,) = tmp_path.iterdir()
    with written_whole(target) as going_on:
        going_on.touch()
        with written_whole(target) as part:
            part.write_bytes(b"whole")
        assert sorted(path.name for path in tmp_path.iterdir()) == [going_on.name, "film.mp4"]
    assert not left.exists()


@pytest.mark.parametrize("machine", ["0a1b2c3d-", ""])
def test_what_another_machine_writes_is_left_alone_until_nothing_was_written_for_a_day(
    machine: str, tmp_path: Path
) -> None:
    """Of one that says no machine, as before there were names of machines, nobody knows where it is written."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    target, others = tmp_path / "film.mp4", tmp_path / f".film.mp4.{machine}{ended.pid}-deadbeef.part"
    for hours, stays in ((0, True), (23, True), (25, False)):
        others.touch()
        os.utime(others, (time.time() - hours * 3600,) * 2)
        with written_whole(target) as part:
            part.write_bytes(b"whole")
        assert others.exists() == stays


def test_a_name_may_be_as_long_as_the_disk_takes_it(tmp_path: Path) -> None:
    target = tmp_path / f"{'é' * 125}.mp4"
    with written_whole(target) as part:
        part.touch()
    assert list(tmp_path.iterdir()) == [target]


def test_what_came_to_lie_there_meanwhile_is_not_replaced_unless_that_is_asked(tmp_path: Path) -> None:
    target = tmp_path / "film.mp4"
    with (pytest.raises(OutputTaken, match="has been written by another run meanwhile"),
          written_whole(target, replaces=False) as part):
        part.write_bytes(b"ours")
        target.write_bytes(b"another's")
    assert (target.read_bytes(), list(tmp_path.iterdir())) == (b"another's", [target])
    with written_whole(target) as part:
        part.write_bytes(b"ours")
    assert target.read_bytes() == b"ours"
    with written_whole(tmp_path / "new.mp4", replaces=False) as part:
        part.write_bytes(b"new")
    assert (tmp_path / "new.mp4").read_bytes() == b"new" and len(list(tmp_path.iterdir())) == 2


def test_where_nothing_was_written_that_is_told_as_ended_and_what_lies_there_stays(tmp_path: Path) -> None:
    target = tmp_path / "film.mp4"
    target.write_bytes(b"before")
    with pytest.raises(MediaStopped, match="Nothing was written"), written_whole(target):
        pass
    assert target.read_bytes() == b"before"
