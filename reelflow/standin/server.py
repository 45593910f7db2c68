"""Runs the stand-in queue: inside another program, on a thread of its own, or alone in the foreground."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from pathlib import Path

import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from reelflow.errors import BadInput
from reelflow.models import ModelTable
from reelflow.served import listening
from reelflow.standin.answers import TRANSPORT
from reelflow.standin.app import QueueApp
from reelflow.standin.faults import FaultBook
from reelflow.standin.jobs import TIMEOUT_SECONDS, JobBook
from reelflow.standin.record import Received, Recorder

log = logging.getLogger("reelflow.standin")

_STOP_SECONDS = 1


class StandIn:
    """A running stand-in: where it listens and what has come in. Its numbers may be read from any thread."""

    def __init__(self, url: str, routes: QueueApp, jobs: JobBook, recorder: Recorder, faults: FaultBook) -> None:
        self.url = url
        self.faults = faults
        self._routes, self._jobs, self._recorder = routes, jobs, recorder

    @property
    def posts(self) -> int:
        """How many submits began, whatever became of them."""
        return self._recorder.posts

    @property
    def jobs_made(self) -> int:
        """How many jobs were accepted, that is: what the real queue would have billed."""
        return self._jobs.made

    @property
    def pictures_made(self) -> int:
        """How many pictures were ordered of the image models, which the real queue bills too."""
        return self._routes.pictures_made

    @property
    def received(self) -> list[Received]:
        """The forms that came in whole, oldest first."""
        return self._recorder.received


class _Protocol(H11Protocol):
    """HTTP as uvicorn speaks it; a request's scope holds its transport, so that a fault can hang up on it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        inner = self.app

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            scope[TRANSPORT] = transport
            await inner(scope, receive, send)

        self.app = app


class _Server(uvicorn.Server):
    """uvicorn's server, ended by whoever started it: it takes no signals of its own, and says when it is up."""

    def __init__(self, config: uvicorn.Config, *, on_started: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_started = on_started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_started()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _make(
    work_dir: Path, opened: socket.socket, *, ffmpeg: Path, workers: int, service_seconds: float, timeout: float,
    api_key: str | None, faults: Iterable[str], control: bool, models: ModelTable | None,
    on_started: Callable[[StandIn], None],
) -> tuple[StandIn, _Server]:
    try:
        work_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=work_dir):
            pass
    except OSError as error:
        raise BadInput(
            f"The stand-in can't write to {work_dir}: {error.strerror}. Set REELFLOW_WORK_DIR to a folder of yours.",
            field="work_dir",
        ) from None
    book, recorder = FaultBook(faults), Recorder()
    jobs = JobBook(work_dir, ffmpeg=ffmpeg, workers=workers, service_seconds=service_seconds, timeout=timeout)
    routes = QueueApp(
        jobs, work_dir, ffmpeg=ffmpeg, models=models or ModelTable.standard(), api_key=api_key, faults=book,
        recorder=recorder, control=control,
    )
    host, port = opened.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    running = StandIn(f"http://{shown}:{port}", routes, jobs, recorder, book)
    server = _Server(uvicorn.Config(
        routes.app, http=_Protocol, ws="none", lifespan="on", log_config=None, access_log=False, server_header=False,
        timeout_graceful_shutdown=_STOP_SECONDS,
    ), on_started=lambda: on_started(running))
    return running, server


@contextlib.asynccontextmanager
async def running_standin(
    work_dir: Path,
    *,
    ffmpeg: Path,
    host: str = "127.0.0.1",
    port: int = 0,
    workers: int = 2,
    service_seconds: float = 0.0,
    timeout: float = TIMEOUT_SECONDS,
    api_key: str | None = None,
    faults: Iterable[str] = (),
    control: bool = False,
    models: ModelTable | None = None,
) -> AsyncIterator[StandIn]:
    """A stand-in queue that runs while the block does, on a thread and event loop of its own.

    `port` 0 takes a free one, `service_seconds` is the least time a job takes, after `timeout` seconds an unfinished
    job fails, `api_key` None takes any key, `faults` are `NAME=COUNT`, `control` opens the control routes.

    Raises:
        BadInput: the address can't be had, or a fault isn't known.
    """
    opened = listening(host, port, what="The stand-in")
    try:
        loop = asyncio.get_running_loop()
        up: asyncio.Future[bool] = loop.create_future()
        over = asyncio.Event()

        def tell(started: bool) -> None:
            loop.call_soon_threadsafe(lambda: None if up.done() else up.set_result(started))

        standin, server = _make(
            work_dir, opened, ffmpeg=ffmpeg, workers=workers, service_seconds=service_seconds, timeout=timeout,
            api_key=api_key, faults=faults, control=control, models=models,
            on_started=lambda _running: tell(True),
        )

        def run() -> None:
            try:
                asyncio.run(server.serve(sockets=[opened]))
            finally:
                tell(False)
                loop.call_soon_threadsafe(over.set)

        thread = threading.Thread(target=run, name="stand-in", daemon=True)
        thread.start()
        try:
            if not await up:
                raise BadInput(f"The stand-in could not start in {work_dir}: its log says why.", field="work_dir")
            yield standin
        finally:
            server.should_exit = True
            try:
                await over.wait()
            finally:
                # Also when we are cancelled while we wait: its children must be gone when the block is left.
                thread.join()
    finally:
        opened.close()


def serve(
    work_dir: Path,
    *,
    ffmpeg: Path,
    host: str = "127.0.0.1",
    port: int = 8642,
    workers: int = 2,
    service_seconds: float = 0.0,
    api_key: str | None = None,
    faults: Iterable[str] = (),
    control: bool = False,
    models: ModelTable | None = None,
) -> None:
    """Run the stand-in queue in the foreground until Ctrl-C or SIGTERM; parameters as for `running_standin`.

    Raises:
        BadInput: the address can't be had, or a fault isn't known.
    """
    opened = listening(host, port, what="The stand-in")
    try:
        _, server = _make(
            work_dir, opened, ffmpeg=ffmpeg, workers=workers, service_seconds=service_seconds,
            timeout=TIMEOUT_SECONDS, api_key=api_key, faults=faults, control=control, models=models,
            on_started=_say_where,
        )
        shown = logging.StreamHandler(sys.stderr)
        shown.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
        log.addHandler(shown)
        log.setLevel(logging.INFO)
        asyncio.run(_until_told(server, opened))
    finally:
        opened.close()


async def _until_told(server: _Server, opened: socket.socket) -> None:
    def stop() -> None:
        server.should_exit = True

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    await server.serve(sockets=[opened])


def _say_where(running: StandIn) -> None:
    sys.stdout.write(f"The stand-in queue listens on {running.url} (DECART_BASE_URL={running.url}); Ctrl-C ends it.\n")
    sys.stdout.flush()
