"""The full log of a run that was started from the command line: a file of its own, one JSON object a line."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import logging
import os
import re
import time
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path

from reelflow.store import Usage

KEPT = 200
"""How many logs are kept: the oldest go when a new one is begun."""

Ids = Callable[[logging.LogRecord], dict[str, str]]
"""What a line belongs to: `run`, `task`, `clip` and `job`, as far as they are known."""

_LOGIN = re.compile(r"(\w+://)[^/\s@]+@")
_QUERY = re.compile(r"(https?://[^\s?\"'<>]+)\?[^\s\"'<>)]+")


def new_log(work_dir: Path, name: str) -> Path:
    """Where the log of a run of `name` goes that begins now. Raises OSError where the folder can't be made."""
    folder = work_dir / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    old = sorted(folder.glob("*.jsonl"))
    for path in old[:max(0, len(old) - KEPT + 1)]:
        path.unlink(missing_ok=True)
    at = dt.datetime.now(dt.UTC).strftime("%Y%m%dT%H%M%S.%f")[:-3]
    safe = re.sub(r"[^\w.-]+", "-", name)
    return folder / f"{at}Z-{safe}-{os.getpid()}.jsonl"


class JsonLines(logging.Handler):
    """Writes each record of INFO and above as one JSON object: time, level, ids, logger, message, trace.

    What is in `secrets`, a login in an address, and an address's query (which may be a signature) are left out. Only
    the user may read the file. Raises OSError where it can't be opened.
    """

    def __init__(self, path: Path, ids: Ids, *, secrets: Iterable[str] = ()) -> None:
        super().__init__(logging.INFO)
        self._ids, self._secrets = ids, tuple(filter(None, secrets))
        self._file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "w", encoding="utf-8")

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line, at once; a disk that is full ends no run."""
        try:
            self._file.write(self._hidden(self._line(record)) + "\n")
            self._file.flush()
        except (OSError, ValueError, TypeError):
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:
        """A log that can't be written is no reason to fill the terminal."""

    def close(self) -> None:
        """Close the file."""
        with contextlib.suppress(OSError):
            self._file.close()
        super().close()

    def _line(self, record: logging.LogRecord) -> str:
        at = dt.datetime.fromtimestamp(record.created, dt.UTC).isoformat(timespec="milliseconds")
        told = {"time": at, "level": record.levelname, **self._ids(record), "logger": record.name,
                "message": record.getMessage()}
        if record.exc_info and record.exc_info[1] is not None:
            told["trace"] = "".join(traceback.format_exception(record.exc_info[1]))
        return json.dumps(told, ensure_ascii=False)

    def _hidden(self, line: str) -> str:
        for secret in self._secrets:
            line = line.replace(json.dumps(secret, ensure_ascii=False)[1:-1], "***")
        return _QUERY.sub(r"\1?***", _LOGIN.sub(r"\1***@", line))


def clear_logs(work_dir: Path, *, unused_for: float) -> Usage:
    """Remove logs, and pages of failed runs that are kept here, of so many seconds ago; says what was removed."""
    before, sizes = time.time() - unused_for, []
    for path in (*work_dir.glob("logs/*.jsonl"), *work_dir.glob("failed/*.html")):
        with contextlib.suppress(FileNotFoundError):
            if (stat := path.stat()).st_mtime < before:
                path.unlink()
                sizes.append(stat.st_size)
    return Usage(len(sizes), sum(sizes))
