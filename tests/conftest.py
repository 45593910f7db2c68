"""What every test shares: a clean environment, the bundled ffmpeg, and one Prefect server for the whole session."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from reelflow.media.run import find_ffmpeg

for name in [name for name in os.environ if name.startswith(("REELFLOW_", "DECART_", "PREFECT_"))]:
    del os.environ[name]
os.environ.update(
    DO_NOT_TRACK="1",
    PREFECT_SERVER_ANALYTICS_ENABLED="false",
    PREFECT_TELEMETRY_ENABLE_RESOURCE_METRICS="false",
    PREFECT_LOGGING_LEVEL="WARNING",
)


@pytest.fixture(scope="session", autouse=True)
def own_prefect_home(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Nothing that a test does reaches the developer's own Prefect."""
    os.environ["PREFECT_HOME"] = str(tmp_path_factory.mktemp("prefect-home"))


@pytest.fixture(scope="session")
def ffmpeg() -> Path:
    """The static ffmpeg that reelflow brings along."""
    return find_ffmpeg("bundled")


@pytest.fixture
def work_dir(tmp_path: Path) -> Path:
    """A work folder of the test's own."""
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


@pytest.fixture(scope="session")
def prefect_server(own_prefect_home: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Prefect server with all its services; started once, since most of its time is migrations. Its API URL."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("prefect") / "server.log"
    environment = {**os.environ, "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "2",
                   "PREFECT_SERVER_CONCURRENCY_MAXIMUM_CONCURRENCY_SLOT_WAIT_SECONDS": "1",
                   "PREFECT_UI_API_URL": f"http://127.0.0.1:{port}/api"}
    with log.open("wb") as written:
        server = subprocess.Popen(
            [str(Path(sys.executable).parent / "prefect"), "server", "start", "--port", str(port)], env=environment,
            stdin=subprocess.DEVNULL, stdout=written, stderr=subprocess.STDOUT, start_new_session=True,
        )
    api = f"http://127.0.0.1:{port}/api"
    try:
        _wait_until_healthy(f"{api}/health", server, log)
        from prefect.events.worker import EventsWorker
        from prefect.logging.handlers import APILogWorker
        from prefect.settings import PREFECT_API_URL, temporary_settings

        os.environ["PREFECT_API_URL"] = api
        with temporary_settings({PREFECT_API_URL: api}):
            yield api
            # What is still to be sent must not find the server gone, and fill the screen with it.
            EventsWorker.drain_all()
            APILogWorker.instance().drain()
    finally:
        os.environ.pop("PREFECT_API_URL", None)
        os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(20)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGKILL)


def _wait_until_healthy(address: str, server: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + 180
    while time.monotonic() < until:
        assert server.poll() is None, log.read_text()[-2000:]
        with contextlib.suppress(OSError), urllib.request.urlopen(address, timeout=2):
            return
        time.sleep(0.2)
    raise AssertionError(f"Prefect's server did not answer within 180 s: {log.read_text()[-2000:]}")
