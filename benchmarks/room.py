"""What the benchmarks share while they run: folders, clips, the queue, a Prefect server that is warm."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.measure import TimedFfmpeg
from reelflow.media.run import find_ffmpeg

ROOT = Path(__file__).parent.parent
ALTERNATIVES = Path(__file__).parent / "alternatives"
BIN = Path(sys.executable).parent
QUIET = {
    "DO_NOT_TRACK": "1", "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_TELEMETRY_ENABLE_RESOURCE_METRICS": "false", "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
}


class Queue:
    """The running queue of a benchmark."""

    def __init__(self, url: str) -> None:
        self.url = url

    def reset(self) -> None:
        """Begin to count anew."""
        self._ask("reset")

    def figures(self) -> dict[str, Any]:
        """What was asked since then."""
        found: dict[str, Any] = json.loads(self._ask("figures"))
        return found

    def last_film(self, path: Path) -> Path:
        """The film that was sent last, written to `path`."""
        path.write_bytes(self._ask("last"))
        return path

    def _ask(self, what: str) -> bytes:
        with urllib.request.urlopen(f"{self.url}/control/{what}", timeout=60) as answer:
            said: bytes = answer.read()
        return said


class Room:
    """The folder that a run of benchmarks uses, `kept` for what is drawn once, and what is started in it.

    Use as a context manager: servers end with it, and the scratch folder is removed.
    """

    def __init__(self, scratch: Path, kept: Path) -> None:
        self.scratch, self.kept = scratch, kept
        self._stack = contextlib.ExitStack()
        for folder in (scratch, kept):
            folder.mkdir(parents=True, exist_ok=True)
        self.real_ffmpeg = find_ffmpeg("bundled")
        self.ffmpeg = TimedFfmpeg(self.real_ffmpeg, scratch)

    def __enter__(self) -> Room:
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()
        shutil.rmtree(self.scratch, ignore_errors=True)

    def queue(self, **options: float | None) -> Queue:
        """A queue of this benchmark's own, that serves until the room is left."""
        words = [word for name, value in options.items() if value is not None for word in (f"--{name}", str(value))]
        process = self._stack.enter_context(_started([sys.executable, "-m", "benchmarks.queue_server", *words]))
        assert process.stdout is not None
        return Queue(process.stdout.readline().decode().strip())

    def environment(self, queue: Queue | None = None, **more: str) -> dict[str, str]:
        """The environment of both sides: nothing of reelflow's, Decart's or Prefect's but what is said here."""
        # Without that last one Python keeps what it has compiled, as it does wherever people work.
        clean = {name: value for name, value in os.environ.items()
                 if not name.startswith(("REELFLOW_", "DECART_", "PREFECT_", "PYTHONDONTWRITEBYTECODE"))}
        asked = {} if queue is None else {"DECART_BASE_URL": queue.url, "DECART_API_KEY": "benchmark"}
        return {
            **clean, **QUIET, "PATH": f"{BIN}:{os.environ['PATH']}", "PREFECT_HOME": str(self.scratch / "prefect"),
            "FFMPEG": str(self.ffmpeg.path), "REELFLOW_FFMPEG": str(self.ffmpeg.path), "PYTHONPATH": str(ROOT),
            **asked, **more,
        }

    def server(self, command: list[str], environment: dict[str, str]) -> Callable[[str], str]:
        """A program that answers each line with a line, until the room is left."""
        process = self._stack.enter_context(_started(command, environment, asks=True))
        asked, told = process.stdin, process.stdout
        assert asked is not None and told is not None

        def ask(line: str) -> str:
            asked.write(f"{line}\n".encode())
            asked.flush()
            said = told.readline().decode()
            if not said:
                raise RuntimeError(f"{' '.join(command)} ended, asked for {line!r}.")
            return said

        return ask

    @functools.cached_property
    def prefect(self) -> str:
        """The API of a Prefect server that is up and warm."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self._stack.enter_context(_started(
            [str(BIN / "prefect"), "server", "start", "--port", str(port)], self.environment(), whole_group=True))
        api = f"http://127.0.0.1:{port}/api"
        until = time.monotonic() + 180
        while time.monotonic() < until:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{api}/health", timeout=2):
                return api
            time.sleep(0.2)
        raise RuntimeError("Prefect's server did not answer within 180 s.")

    @contextlib.contextmanager
    def fresh(self) -> Iterator[Path]:
        """A folder of one run's own."""
        folder = self.scratch / f"run-{time.monotonic_ns()}"
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _started(
    command: list[str], environment: dict[str, str] | None = None, *, whole_group: bool = False, asks: bool = False
) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdin=subprocess.PIPE if asks else subprocess.DEVNULL,
        stdout=subprocess.DEVNULL if whole_group else subprocess.PIPE, stderr=None if asks else subprocess.DEVNULL,
        start_new_session=whole_group,
    )
    try:
        yield process
    finally:
        if whole_group:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, 15)
        else:
            process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
