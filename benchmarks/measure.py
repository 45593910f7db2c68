"""Running a command and measuring it: wall seconds, CPU seconds with all of its children, peak memory."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_TIMES = re.compile(r"(\d+)m([\d.]+)s (\d+)m([\d.]+)s")


@dataclass(frozen=True, slots=True)
class Measured:
    """A command that ended well: seconds, CPU seconds of its whole tree, the most bytes that one process of it had."""

    wall: float
    cpu: float
    peak_bytes: int
    said: str


def measure(command: Sequence[str | Path], environment: Mapping[str, str], *, folder: Path | None = None) -> Measured:
    """Run a command to its end. Raises RuntimeError with its last words where it fails."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        began = time.monotonic()
        process = subprocess.Popen(
            [str(word) for word in command], env=dict(environment), cwd=folder, stdin=subprocess.DEVNULL, stdout=out,
            stderr=errors,
        )
        _, status, used = os.wait4(process.pid, 0)
        wall = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        errors.seek(0)
        said = out.read().decode("utf-8", "replace")
        if process.returncode:
            last = (said + errors.read().decode("utf-8", "replace"))[-2000:]
            raise RuntimeError(f"{' '.join(map(str, command))} ended with {process.returncode}: {last}")
    return Measured(wall, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024, said)


class TimedFfmpeg:
    """An ffmpeg for both sides that writes down how much CPU it used, at the price of one start of a shell."""

    def __init__(self, ffmpeg: Path, folder: Path) -> None:
        self.path, self._log = folder / "ffmpeg", folder / "ffmpeg.times"
        self.path.write_text(
            f'#!/bin/bash\n"{ffmpeg}" "$@"\ncode=$?\ntimes >> "{self._log}"\nexit $code\n', "utf-8")
        self.path.chmod(0o755)

    def cpu(self) -> float:
        """CPU seconds since this was last asked."""
        told = self._log.read_text("ascii") if self._log.exists() else ""
        self._log.unlink(missing_ok=True)
        return sum(
            int(minutes) * 60 + float(seconds) + int(more_minutes) * 60 + float(more_seconds)
            for minutes, seconds, more_minutes, more_seconds in _TIMES.findall(told)
        )
