"""Answers of the stand-in that are more than a JSON object: the contract's errors, and replies that go wrong."""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import json
import socket
import struct
import time
from pathlib import Path
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.types import Message, Receive, Scope, Send

from reelflow.standin.faults import Fault
from reelflow.standin.intake import Unprocessable

TRANSPORT = "reelflow.transport"
"""Where the server leaves the connection's transport in a request's scope."""

BUSY_SECONDS = 1
LATE_SECONDS = 3.0


class _HungUp(Exception):
    """The connection was closed in the middle of an answer."""


async def drain(request: Request) -> None:
    """Read a body to its end: an answer that comes before it would get lost in a broken pipe."""
    async for _ in request.stream():
        pass


async def json_body(request: Request) -> dict[str, Any]:
    """The body as a JSON object. Raises Unprocessable."""
    try:
        body = json.loads(await request.body())
    except (ValueError, RecursionError):
        raise Unprocessable("body", message="JSON decode error", kind="json_invalid") from None
    if not isinstance(body, dict):
        raise Unprocessable("body", message="Input should be an object", kind="dict_type")
    return body


async def before_accept(fault: Fault | None, request: Request) -> Response | None:
    """What a fault answers to a submit that it does not let in; None where it does, or there is no fault."""
    match fault:
        case Fault.DROP_BEFORE_ACCEPT:
            return await hang_up(request)
        case Fault.BUSY_SECONDS:
            return busy(str(BUSY_SECONDS))
        case Fault.BUSY_DATE:
            # Dates have whole seconds: one more, or the wait could be over before it began.
            return busy(email.utils.formatdate(time.time() + BUSY_SECONDS + 1, usegmt=True))
        case Fault.ERROR_500:
            return server_error()
        case Fault.ERROR_503:
            return JSONResponse({"detail": "Service Unavailable"}, 503)
    return None


async def after_accept(fault: Fault | None, request: Request, answer: Response) -> Response:
    """What a fault makes of the answer to a submit that was let in."""
    match fault:
        case Fault.DROP_AFTER_ACCEPT:
            return await hang_up(request)
        case Fault.HANG_AFTER_ACCEPT:
            return await until_gone(request)
        case Fault.LATE_REPLY:
            await asyncio.sleep(LATE_SECONDS)
        case Fault.ERROR_502:
            return bad_gateway()
        case Fault.NOT_JSON:
            return PlainTextResponse("accepted, thank you", answer.status_code)
    return answer


def busy(retry_after: str) -> Response:
    """429 with a Retry-After."""
    return JSONResponse({"detail": "Too Many Requests"}, 429, {"Retry-After": retry_after})


def server_error() -> Response:
    """500."""
    return JSONResponse({"detail": "Internal Server Error"}, 500)


def bad_gateway() -> Response:
    """502, as a proxy says it."""
    return HTMLResponse(
        "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n"
        "<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n", 502,
    )


async def hang_up(request: Request) -> Response:
    """Close the connection without a reply; the response that is returned goes nowhere."""
    _transport(request.scope).close()
    return await until_gone(request)


async def until_gone(request: Request) -> Response:
    """Say nothing until the other side hangs up."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
    return Response()


class Torn(FileResponse):
    """A file of which half the announced bytes are sent; then the connection closes, or is reset."""

    def __init__(self, path: Path, *, reset: bool) -> None:
        super().__init__(path, media_type="video/mp4")
        self._reset = reset

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        left = 0

        async def torn(message: Message) -> None:
            nonlocal left
            if message["type"] == "http.response.start":
                left = int(dict(message["headers"])[b"content-length"]) // 2
                await send(message)
                return
            piece = message["body"][:left]
            left -= len(piece)
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            if left == 0:
                raise _HungUp
        with contextlib.suppress(_HungUp):
            await super().__call__(scope, receive, torn)
        transport = _transport(scope)
        if self._reset:
            opened = transport.get_extra_info("socket")
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            transport.abort()
        else:
            transport.close()
        while (await receive())["type"] != "http.disconnect":
            pass


def _transport(scope: Scope) -> asyncio.Transport:
    transport = scope[TRANSPORT]
    assert isinstance(transport, asyncio.Transport)
    return transport


def say_http(_request: Request, error: Exception) -> Response:
    """`{"detail": "Not Found"}` and the like."""
    assert isinstance(error, HTTPException)
    return JSONResponse({"detail": error.detail}, error.status_code, error.headers)


def say_unprocessable(_request: Request, error: Exception) -> Response:
    """422 with the place of what is wrong."""
    assert isinstance(error, Unprocessable)
    return JSONResponse({"detail": [error.detail]}, 422)


def say_bad_form(_request: Request, error: Exception) -> Response:
    """422 for a body that isn't a form."""
    return JSONResponse({"detail": str(error)}, 422)


def say_broken(_request: Request, _error: Exception) -> Response:
    """500 for our own mistakes."""
    return server_error()


def say_nothing(_request: Request, _error: Exception) -> Response:
    """For a sender that has gone before its form was read."""
    return Response(status_code=400)
