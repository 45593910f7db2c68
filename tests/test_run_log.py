"""The log of a run: a JSON object a line, nothing secret in it, and no more of them than are of use."""

from __future__ import annotations

import json
import logging
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from reelflow.run_log import KEPT, JsonLines, new_log


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return new_log(tmp_path, "a / b")


@pytest.fixture
def telling(log: Path) -> Iterator[logging.Logger]:
    """A logger whose lines go into the log, which belongs to job_1 and hides a key."""
    logger, file = logging.getLogger("reelflow.test"), JsonLines(log, lambda _: {"job": "job_1"}, secrets=["k\"ey", ""])
    logger.setLevel(logging.DEBUG)
    logger.addHandler(file)
    yield logger
    logger.removeHandler(file)
    file.close()


def lines(log: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in log.read_text("utf-8").splitlines()]


def test_each_line_has_time_level_ids_and_message(telling: logging.Logger, log: Path) -> None:
    telling.info("%s of %s\nand more", 1, 2)
    telling.debug("not at this level")
    (line,) = lines(log)
    assert line.pop("time").endswith("+00:00")
    assert line == {"level": "INFO", "job": "job_1", "logger": "reelflow.test", "message": "1 of 2\nand more"}


def test_an_error_comes_with_its_trace(telling: logging.Logger, log: Path) -> None:
    try:
        raise ValueError("of no use")
    except ValueError:
        telling.exception("It failed.")
    assert "ValueError: of no use" in lines(log)[0]["trace"]


@pytest.mark.parametrize(("said", "written"), [
    ('The key is k"ey.', "The key is ***."), ("s3://me:word@host/a", "s3://***@host/a"),
    ("at https://films.example/a.mp4?X-Amz-Signature=abc, it", "at https://films.example/a.mp4?*** it"),
    ("http://127.0.0.1:8642/v1/jobs/x is fine", "http://127.0.0.1:8642/v1/jobs/x is fine"),
])
def test_no_key_login_or_signature_is_written(
    telling: logging.Logger, log: Path, said: str, written: str
) -> None:
    telling.info("%s", said)
    assert lines(log)[0]["message"] == written
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


def test_a_log_s_name_is_safe_and_the_oldest_go_when_there_are_enough(tmp_path: Path, log: Path) -> None:
    assert "a-b" in log.name
    for number in range(KEPT + 5):
        (log.parent / f"2020-{number:03d}.jsonl").touch()
    log.touch()
    new_log(tmp_path, "next").touch()
    left = sorted(path.name for path in log.parent.iterdir())
    assert len(left) == KEPT
    assert left[0] == "2020-007.jsonl"
    assert log.name in left
