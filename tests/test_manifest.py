"""The manifest of a batch, as far as its disk goes."""

from __future__ import annotations

import resource
import signal
from pathlib import Path

import pytest

from reelflow.manifest import line_of, opened_manifest, read_manifest
from reelflow.report import Report, RunStatus


def test_a_disk_that_is_full_leaves_whole_lines_and_no_half_of_one(tmp_path: Path) -> None:
    line = line_of(Report("restyle", RunStatus.COMPLETED, source="a.mp4"), "a", took=1.0)
    before, limits = signal.signal(signal.SIGXFSZ, signal.SIG_IGN), resource.getrlimit(resource.RLIMIT_FSIZE)
    with opened_manifest(tmp_path / "manifest.jsonl") as manifest:
        try:
            manifest.add(line)
            resource.setrlimit(resource.RLIMIT_FSIZE, (manifest.path.stat().st_size + 10, limits[1]))
            with pytest.raises(OSError, match="too large"):
                manifest.add(line)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            signal.signal(signal.SIGXFSZ, before)
        manifest.add(line)
    assert len(read_manifest(tmp_path / "manifest.jsonl")) == manifest.lines == 2


def test_a_run_that_tells_of_no_clip_leaves_what_the_one_before_has_told(tmp_path: Path) -> None:
    line = line_of(Report("restyle", RunStatus.COMPLETED, source="a.mp4"), "a", took=1.0)
    path = tmp_path / "manifest.jsonl"
    for lines in (2, 0, 1):
        with opened_manifest(path) as manifest:
            if lines:
                manifest.begin()
            for _ in range(lines):
                manifest.add(line)
        assert len(read_manifest(path)) == (lines or 2)
