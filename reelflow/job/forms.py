"""Forms on their way to the queue, the only room that knows httpx and its engine, httpcore: each is sent once, over a
connection of its own.

httpx's client around that engine (its redirects, cookies, logins and events) takes a third of the CPU for a form, and
does nothing for one.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ssl
from collections.abc import AsyncIterable, AsyncIterator, Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, quote, unquote, urlsplit

import httpcore
import httpx

from reelflow.job.answers import line_of
from reelflow.job.form import Form
from reelflow.job.network import Network
from reelflow.job.questions import Answer

_FAILED = (
    httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError, httpcore.ProxyError,
    httpcore.UnsupportedProtocol, httpx.RequestError,
)


class BrokenOff(Exception):
    """No answer came, or not all of it; says why in a few words."""


@dataclass(frozen=True, slots=True)
class FormPatience:
    """Seconds to wait: for a free connection, for one to be made, for a piece to go, for the next byte of an answer."""

    pool: float
    connect: float
    write: float
    read: float


class Forms:
    """The connections to one queue that forms go over. Whoever finds none free waits for one."""

    def __init__(
        self, base_url: str, headers: Mapping[str, str], patience: FormPatience, *, max_connections: int,
        tls: ssl.SSLContext, proxy: str | None,
    ) -> None:
        self._patience = patience
        self._timeout = {"timeout": {"connect": patience.connect, "write": patience.write, "read": patience.read}}
        self._base = urlsplit(base_url)
        self._headers = [(name.encode(), value.encode()) for name, value in _headers_of(self._base, headers).items()]
        # httpcore's pool looks all of its waiters through for each that comes or goes, so whoever finds no connection
        # free waits here, and of the pool there is only what knows how to make one.
        self._free = asyncio.Semaphore(max_connections)
        self._pool = _pool(tls, proxy)

    @contextlib.asynccontextmanager
    async def posted(self, path: str, form: Form) -> AsyncIterator[tuple[Answer, AsyncIterator[bytes]]]:
        """The answer to a form, sent once, and its body as it was before it was packed. Both raise BrokenOff."""
        own = [(name.encode(), value.encode()) for name, value in form.headers.items()]
        request = httpcore.Request("POST", self._url(path), headers=[*self._headers, *own], content=form,
                                   extensions=self._timeout)
        await self._take_connection()
        try:
            # A kept connection may be closed by the server just as the form goes out on it, and then nobody knows
            # whether the form was read.
            connection = self._pool.create_connection(request.url.origin)
            try:
                response = await self._sent(request, connection)
                headers = httpx.Headers(response.headers)
                yield Answer(response.status, headers), self._pieces(response, headers)
            finally:
                await connection.aclose()
        finally:
            self._free.release()

    async def _sent(
        self, request: httpcore.Request, connection: httpcore.AsyncConnectionInterface
    ) -> httpcore.Response:
        try:
            return await connection.handle_async_request(request)
        except _FAILED as error:
            raise BrokenOff(self._why(error)) from None

    async def _pieces(self, response: httpcore.Response, headers: httpx.Headers) -> AsyncIterator[bytes]:
        """The body as it comes. Raises BrokenOff."""
        assert isinstance(response.stream, AsyncIterable)
        pieces: AsyncIterable[bytes] = response.stream
        if headers.get("Content-Encoding", "identity").lower() != "identity":
            # Nobody asked for it, but what it says may have been paid.
            pieces = httpx.Response(response.status, headers=headers, stream=_Packed(pieces)).aiter_bytes()
        try:
            async for piece in pieces:
                yield piece
        except _FAILED as error:
            raise BrokenOff(self._why(error)) from None

    def _url(self, path: str) -> httpcore.URL:
        whole = quote(f"{self._base.path}{path}", safe="/%!$&'()*+,;=:@-._~")
        return httpcore.URL(scheme=self._base.scheme, host=_host_of(self._base), port=self._base.port, target=whole)

    async def _take_connection(self) -> None:
        """Wait for the right to a connection, which is then to be given back. Raises BrokenOff."""
        if not self._free.locked():
            await self._free.acquire()
            return
        try:
            async with asyncio.timeout(self._patience.pool):
                await self._free.acquire()
        except TimeoutError:
            raise BrokenOff(f"no connection became free within {self._patience.pool:g} s") from None

    def _why(self, error: Exception) -> str:
        """The reason in a few words; httpcore leaves the text of its timeouts empty."""
        match error:
            case httpcore.ConnectTimeout():
                return f"no connection within {self._patience.connect:g} s"
            case httpcore.ReadTimeout():
                return "no byte of an answer in time"
            case httpcore.WriteTimeout():
                return f"no byte taken within {self._patience.write:g} s"
        return line_of(str(error)).rstrip(".") or type(error).__name__


class _Packed(httpx.AsyncByteStream):
    """A body as httpx wants it to unpack it."""

    def __init__(self, pieces: AsyncIterable[bytes]) -> None:
        self._pieces = pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._pieces:
            yield piece


def certificates() -> ssl.SSLContext:
    """Trusts whom SSL_CERT_FILE or SSL_CERT_DIR names, or else whom all the world does."""
    return httpx.create_ssl_context()


def _pool(tls: ssl.SSLContext, proxy: str | None) -> httpcore.AsyncConnectionPool:
    if proxy is None:
        return httpcore.AsyncConnectionPool(ssl_context=tls, network_backend=Network())
    address = urlsplit(proxy)
    login = None if address.username is None else (unquote(address.username), unquote(address.password or ""))
    url = httpcore.URL(scheme=address.scheme, host=_host_of(address), port=address.port, target="/")
    return httpcore.AsyncHTTPProxy(url, proxy_auth=login, ssl_context=tls, network_backend=Network())


def _headers_of(address: SplitResult, headers: Mapping[str, str]) -> dict[str, str]:
    """What goes with each form: its host, first of all, and the name and password that an address may hold."""
    login = {}
    if address.username is not None:
        said = f"{unquote(address.username)}:{unquote(address.password or '')}"
        login = {"Authorization": f"Basic {base64.b64encode(said.encode()).decode()}"}
    host = _host_of(address)
    shown = f"[{host}]" if ":" in host else host
    is_usual = address.port in (None, {"http": 80, "https": 443}.get(address.scheme))
    return {"Host": shown if is_usual else f"{shown}:{address.port}", **login, "Accept": "*/*", **headers}


def _host_of(address: SplitResult) -> str:
    host = address.hostname or ""
    return host if host.isascii() else host.encode("idna").decode()
