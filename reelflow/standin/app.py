"""The stand-in's routes: the queue's contract, answered by an ASGI app."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import logging
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from reelflow.errors import BadInput, MediaFailed
from reelflow.job.wire import STANDIN_HEADER, JobStatus
from reelflow.models import Kind, Model, ModelTable
from reelflow.standin.answers import (
    BUSY_SECONDS,
    Torn,
    after_accept,
    before_accept,
    busy,
    drain,
    hang_up,
    json_body,
    say_bad_form,
    say_broken,
    say_http,
    say_nothing,
    say_unprocessable,
    server_error,
)
from reelflow.standin.faults import Act, Fault, FaultBook
from reelflow.standin.files import FileShelf
from reelflow.standin.form import BadForm, read_form
from reelflow.standin.intake import Unprocessable, read_order, take
from reelflow.standin.jobs import JobBook, hold_lock
from reelflow.standin.record import Recorder
from reelflow.standin.render import Order, render

log = logging.getLogger("reelflow.standin")

_PICTURE_TIMEOUT = 60.0
_PICTURES_AT_ONCE = 2


class QueueApp:
    """The queue's routes over a folder of jobs; `app` is what a server runs."""

    def __init__(
        self, jobs: JobBook, work_dir: Path, *, ffmpeg: Path, models: ModelTable, api_key: str | None,
        faults: FaultBook, recorder: Recorder, control: bool,
    ) -> None:
        self._jobs = jobs
        self._work_dir = work_dir
        self._ffmpeg = ffmpeg
        self._models = models
        self._api_key = api_key
        self._faults = faults
        self._recorder = recorder
        self._shelf = FileShelf(work_dir / "files")
        self._pictures = asyncio.Semaphore(_PICTURES_AT_ONCE)
        self.pictures_made = 0
        routes = [
            Route("/v1/jobs/{name}", self._keyed(self._submit), methods=["POST"]),
            Route("/v1/jobs/{job_id}", self._keyed(self._status), methods=["GET"]),
            Route("/v1/jobs/{job_id}/content", self._keyed(self._content), methods=["GET"]),
            Route("/v1/generate/{name}", self._keyed(self._generate), methods=["POST"]),
            Route("/v1/models/resolve", self._keyed(self._resolve), methods=["POST"]),
            Route("/v1/files", self._keyed(self._keep_file), methods=["POST"]),
            Route("/v1/files/{file_id}", self._keyed(self._show_file), methods=["GET"]),
            Route("/v1/files/{file_id}", self._keyed(self._drop_file), methods=["DELETE"]),
        ]
        if control:
            routes += [
                Route("/control/state", self._control_state, methods=["GET"]),
                Route("/control/faults", self._control_faults, methods=["POST", "DELETE"]),
                Route("/control/submits", self._control_submits, methods=["GET"]),
            ]
        self.app: ASGIApp = _Marked(Starlette(
            routes=routes, lifespan=self._lifespan,
            exception_handlers={
                HTTPException: say_http, Unprocessable: say_unprocessable, BadForm: say_bad_form,
                ClientDisconnect: say_nothing, Exception: say_broken,
            },
        ))

    @contextlib.asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        log.info("This is reelflow's stand-in queue: it draws with ffmpeg, it is not Decart's, and it costs nothing.")
        with _own_folder(self._work_dir) as self._incoming:
            async with self._jobs:
                yield

    def _keyed(
        self, answer: Callable[[Request], Awaitable[Response]]
    ) -> Callable[[Request], Awaitable[Response]]:
        """Only with a key; a refused body is read to its end all the same, so that its sender hears the answer."""
        async def keyed(request: Request) -> Response:
            key = request.headers.get("x-api-key")
            if key and (self._api_key is None or hmac.compare_digest(key.encode(), self._api_key.encode())):
                return await answer(request)
            await drain(request)
            if key is None:
                raise Unprocessable("header", "x-api-key", message="Field required", kind="missing")
            return JSONResponse({"detail": "Invalid API key"}, 401)
        return keyed

    def _model(self, name: str, *, image: bool) -> Model | None:
        try:
            model = self._models[name]
        except BadInput:
            return None
        return model if (model.kind is Kind.IMAGE) is image else None

    @contextlib.asynccontextmanager
    async def _received(self, request: Request, model: Model) -> AsyncIterator[tuple[Path, Order]]:
        """The form in a folder of its own, read and checked; what is left of the folder goes when the block ends."""
        folder = Path(tempfile.mkdtemp(dir=self._incoming))
        try:
            form = await read_form(request.headers.get("content-type", ""), request.stream(), folder)
            self._recorder.note(request.url.path, request.headers.items(), form)
            order = await read_order(model, form)
            take(form, folder)
            yield folder, order
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    async def _submit(self, request: Request) -> Response:
        return await self._sell(request, image=False)

    async def _generate(self, request: Request) -> Response:
        return await self._sell(request, image=True)

    async def _sell(self, request: Request, *, image: bool) -> Response:
        """A POST that costs money on the real queue: refused, accepted and answered, or gone wrong as told."""
        self._recorder.post()
        model = self._model(request.path_params["name"], image=image)
        if model is None:
            await drain(request)
            raise HTTPException(404)
        fault = self._faults.take(Act.SUBMIT)
        if fault is Fault.DROP_IN_BODY:
            await anext(aiter(request.stream()))
            return await hang_up(request)
        async with self._received(request, model) as (folder, order):
            if (refused := await before_accept(fault, request)) is not None:
                return refused
            answer = await self._paint(model, folder, order) if image else self._accept(model, folder, order)
        return await after_accept(fault, request, answer)

    def _accept(self, model: Model, folder: Path, order: Order) -> Response:
        job = self._jobs.accept(folder, model.name, order, self._faults.take(Act.JOB))
        return JSONResponse({"job_id": job.job_id, "status": JobStatus.PENDING.value})

    async def _paint(self, model: Model, folder: Path, order: Order) -> Response:
        self.pictures_made += 1
        try:
            async with self._pictures:
                made = await render(order, folder, ffmpeg=self._ffmpeg, timeout=_PICTURE_TIMEOUT)
        except MediaFailed as error:
            log.warning("a picture failed: %s", error.message)
            return server_error()
        log.info("made a picture for %s: %s", model.name, order.told)
        return Response(made.read_bytes(), media_type="image/png")

    async def _status(self, request: Request) -> Response:
        job = self._jobs.find(request.path_params["job_id"])
        if job is None:
            raise HTTPException(404)
        status: str = job.status.value
        match self._faults.take(Act.STATUS):
            case Fault.STATUS_404:
                raise HTTPException(404)
            case Fault.STATUS_500:
                return server_error()
            case Fault.STATUS_429:
                return busy(str(BUSY_SECONDS))
            case Fault.STATUS_DROP:
                return await hang_up(request)
            case Fault.STATUS_NOT_JSON:
                return HTMLResponse("<html><body>One moment, please.</body></html>")
            case Fault.UNKNOWN_STATUS:
                status = "warming_up"
        return JSONResponse({"job_id": job.job_id, "status": status})

    async def _content(self, request: Request) -> Response:
        job = self._jobs.find(request.path_params["job_id"])
        if job is None or job.status is not JobStatus.COMPLETED:
            raise HTTPException(404)
        path = self._jobs.result_path(job.job_id)
        match self._faults.take(Act.CONTENT):
            case Fault.CONTENT_500:
                return server_error()
            case Fault.CONTENT_CUT:
                return Torn(path, reset=False)
            case Fault.CONTENT_RESET:
                return Torn(path, reset=True)
        return FileResponse(path, media_type="video/mp4")

    async def _resolve(self, request: Request) -> Response:
        asked = await json_body(request)
        names = asked.get("models") if isinstance(asked.get("models"), list) else [asked.get("model")]
        assert isinstance(names, list)
        for name in names:
            if not isinstance(name, str) or name not in self._models.names:
                where = "models" if "models" in asked else "model"
                raise Unprocessable("body", where, message=f"Unknown model: {name}", sent=name)
        found = {name: self._models.canonical(name) for name in names}
        return JSONResponse({"models": found} if "models" in asked else {"model": next(iter(found.values()))})

    async def _keep_file(self, request: Request) -> Response:
        folder = Path(tempfile.mkdtemp(dir=self._incoming))
        try:
            form = await read_form(request.headers.get("content-type", ""), request.stream(), folder)
            return JSONResponse(self._shelf.keep(form))
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    async def _show_file(self, request: Request) -> Response:
        kept = self._shelf.find(request.path_params["file_id"])
        if kept is None:
            raise HTTPException(404)
        return JSONResponse(kept)

    async def _drop_file(self, request: Request) -> Response:
        if not self._shelf.drop(request.path_params["file_id"]):
            raise HTTPException(404)
        return Response(status_code=204)

    async def _control_state(self, _request: Request) -> Response:
        return JSONResponse({
            "posts": self._recorder.posts, "jobs_made": self._jobs.made, "pictures_made": self.pictures_made,
            "faults": self._faults.left,
        })

    async def _control_faults(self, request: Request) -> Response:
        if request.method == "DELETE":
            self._faults.clear()
        else:
            asked = await json_body(request)
            try:
                self._faults.add(*(f"{name}={count}" for name, count in asked.items()))
            except BadInput as error:
                raise Unprocessable("body", message=error.message) from None
        return JSONResponse(self._faults.left)

    async def _control_submits(self, _request: Request) -> Response:
        return JSONResponse([received.to_json() for received in self._recorder.received])


@contextlib.contextmanager
def _own_folder(work_dir: Path) -> Iterator[Path]:
    """A folder for what comes in, on the jobs' own disk; those that dead stand-ins left behind are removed."""
    for left in work_dir.glob("incoming-*"):
        if (lock := hold_lock(left)) is not None:
            lock.close()
            shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix="incoming-", dir=work_dir))
    lock = hold_lock(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if lock is not None:
            lock.close()


class _Marked:
    """Every answer says that it is the stand-in's."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (STANDIN_HEADER.lower().encode(), b"1")]
            await send(message)
        await self._app(scope, receive, marked)
