"""What bytes are called."""

from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path

from reelflow.digest import digest_of, digest_of_source, known_digest_of


def test_a_source_that_was_changed_is_read_again_though_its_size_and_its_time_say_that_it_is_old(
    tmp_path: Path,
) -> None:
    path, hour_ago = tmp_path / "film.mp4", time.time() - 3600
    for content in (b"one", b"two"):
        path.write_bytes(content)
        os.utime(path, (hour_ago, hour_ago))
        assert [digest_of_source(path) for _ in range(2)] == [hashlib.sha256(content).hexdigest()] * 2


def test_a_digest_is_known_of_a_file_that_was_read_before_and_not_of_one_that_was_changed_a_moment_ago(
    tmp_path: Path,
) -> None:
    old, new = Path(json.__file__), tmp_path / "film.mp4"
    new.write_bytes(b"new")
    assert known_digest_of(old) is None
    for path in (old, new):
        digest_of_source(path)
    assert known_digest_of(old) == digest_of(old)
    assert known_digest_of(new) is None
