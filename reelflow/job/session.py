"""Connections to one queue, by aiohttp: opened with the first request, counted, and nothing is sent twice over them.

Of all that speak HTTP it takes the least CPU, since its parser is C: a job is asked about a dozen times, and a thousand
may be in flight; by httpx a question takes ten times as much, and a form more than twice. Decart's SDK uses it too.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import importlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reelflow.errors import QueueFault
from reelflow.job.answers import line_of
from reelflow.job.route import Route

if TYPE_CHECKING:
    import aiohttp
    import yarl

    Response = aiohttp.ClientResponse

MAX_ANSWER = 256 * 1024
SILENCE = "no byte of an answer in time"
# An answer to a form must not be lost for its headers: aiohttp's own 8 KiB and 128 lines are less than some write.
_MAX_HEADER, _MAX_HEADERS = 64 * 1024, 1024
_CLOSING_SECONDS = 1.0


class Unreached(Exception):
    """No answer came. Its text is the reason in a few words, for a sentence in brackets."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds to wait: for a free connection, for one to be made, for a piece to be taken, for the next byte back."""

    pool: float
    connect: float
    write: float
    read: float


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer's head; its headers are known by any case."""

    status: int
    headers: Mapping[str, str]

    @property
    def is_good(self) -> bool:
        """Whether what was asked for comes with it."""
        return 200 <= self.status < 300


class Session:
    """The connections to one queue, with one key: kept ones, or (not `is_kept`) a new one for each request, which is
    broken off where its answer is not read to the end.
    """

    def __init__(self, route: Route, key: str, patience: Patience, *, max_connections: int, is_kept: bool) -> None:
        self.address, self.patience = route.address, patience
        self._route, self._key, self._is_kept = route, key, is_kept
        self._headers = {"X-API-KEY": key, "User-Agent": "reelflow", "Accept-Encoding": "identity"}
        self._is_closed = False
        self._free = asyncio.Semaphore(max_connections)
        self._opening = asyncio.Lock()
        self._session: aiohttp.ClientSession | None = None
        self._patiences: dict[float | None, aiohttp.ClientTimeout] = {}

    async def close(self) -> None:
        """Close the connections."""
        self._is_closed = True
        if self._session is not None:
            # Requests that are under way still may have bytes to send that nobody takes.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_CLOSING_SECONDS):
                    await self._session.close()

    @contextlib.asynccontextmanager
    async def connection(self) -> AsyncIterator[None]:
        """The right to one of the connections. Raises Unreached."""
        if self._free.locked():
            try:
                async with asyncio.timeout(self.patience.pool):
                    await self._free.acquire()
            except TimeoutError:
                raise Unreached(f"no connection became free within {self.patience.pool:g} s") from None
        else:
            await self._free.acquire()
        try:
            yield
        finally:
            self._free.release()

    async def request(
        self, verb: str, url: str, headers: Mapping[str, str], *, json: object = None,
        body: AsyncIterator[bytes] | None = None, read_timeout: float | None = None,
    ) -> Response:
        """Send one request, once, and give its answer's head; to be released or closed. Raises Unreached."""
        session = self._session or await self._opened()
        if (patience := self._patiences.get(read_timeout)) is None:
            patience = self._patiences[read_timeout] = self._patience_for(read_timeout)
        # The headers go with each request and not with the session, which would show a proxy the key too.
        return await session.request(
            verb, _parsed(url), json=json, data=body, timeout=patience,
            headers={**self._headers, **headers} if headers else self._headers, allow_redirects=False,
            proxy=self._route.proxy,
        )

    async def pieces(self, response: Response) -> AsyncIterator[bytes]:
        """An answer's body as it comes. Where it breaks off, aiohttp throws away what has come and was not read yet.

        Raises QueueFault.
        """
        from aiohttp import ClientError

        try:
            while True:
                # After a 1xx aiohttp has no limit of its own any more.
                async with asyncio.timeout(self.patience.read):
                    piece = await response.content.readany()
                if not piece:
                    return
                yield piece
        except (ClientError, OSError) as error:
            raise QueueFault(f"The answer of {self.address} broke off ({self._why(error)}).") from None

    def _patience_for(self, read_timeout: float | None) -> aiohttp.ClientTimeout:
        from aiohttp import ClientTimeout

        return ClientTimeout(
            # The name's look-up and a proxy's answer count too: `sock_connect` alone leaves them without an end.
            total=None, connect=self.patience.connect, sock_connect=self.patience.connect,
            sock_read=min(self.patience.read, read_timeout or self.patience.read),
        )

    async def _ask_once(
        self, request: aiohttp.ClientRequest, ask: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """What stands around each request: aiohttp would ask again of itself where a connection breaks, but how often
        and how soon something is asked again is decided by whoever asks it.
        """
        from aiohttp import ClientError

        try:
            return await ask(request)
        except (ClientError, OSError, ValueError) as error:
            raise Unreached(self._why(error)) from None

    async def _opened(self) -> aiohttp.ClientSession:
        """The session, made with the first request: importing aiohttp takes longer than a short run's requests do."""
        async with self._opening:
            if self._session is None:
                await asyncio.to_thread(importlib.import_module, "aiohttp")
                import aiohttp

                if self._is_closed:
                    raise Unreached("the client was closed before")
                self._session = aiohttp.ClientSession(
                    # How many there are at once is counted here, where a wait for one has its own limit.
                    connector=aiohttp.TCPConnector(limit=0, ssl=self._route.tls, force_close=not self._is_kept),
                    cookie_jar=aiohttp.DummyCookieJar(), middlewares=(self._ask_once,),
                    max_line_size=_MAX_HEADER, max_field_size=_MAX_HEADER, max_headers=_MAX_HEADERS,
                    response_class=aiohttp.ClientResponse if self._is_kept else _broken_off(),
                )
            return self._session

    def _why(self, error: Exception) -> str:
        """The reason in a few words."""
        import aiohttp

        match error:
            case aiohttp.ConnectionTimeoutError():
                said = f"no connection within {self.patience.connect:g} s"
            case TimeoutError():
                said = SILENCE
            case aiohttp.ServerDisconnectedError():
                # Its own text may be as much of the answer as came.
                said = "it hung up before it answered"
            case aiohttp.ClientConnectorCertificateError():
                said = str(error.certificate_error)
            case aiohttp.ClientConnectorError():
                # Its own text holds the address of an object in memory.
                said = error.os_error.strerror or str(error.os_error)
            case aiohttp.ClientHttpProxyError():
                said = f"the proxy answered {error.status} {error.message}"
            case aiohttp.ClientResponseError():
                # Its own text goes on with the line that could not be read, and the address.
                said = f"no readable answer: {error.message}".partition("\n")[0].rstrip(" :")
            case _:
                said = str(error)
        # A server may repeat the request's headers.
        return line_of(said.replace(self._key, "[key]")).rstrip(".") or type(error).__name__


@functools.cache
def _broken_off() -> type[Response]:
    """An answer that, closed before its end, does not wait until what is left of the request has gone out."""
    import aiohttp

    class BrokenOff(aiohttp.ClientResponse):
        def close(self) -> None:
            if self.connection is not None and self.connection.transport is not None:
                self.connection.transport.abort()
            super().close()

    return BrokenOff


@functools.lru_cache(maxsize=4096)
def _parsed(url: str) -> yarl.URL:
    """An address as it is. A job is asked about by the same one a dozen times."""
    from yarl import URL

    return URL(url, encoded=True)


async def read_short(address: str, pieces: AsyncIterator[bytes]) -> bytes:
    """All of an answer that is to be short. Raises QueueFault."""
    body = bytearray()
    async for piece in pieces:
        body += piece
        if len(body) > MAX_ANSWER:
            raise QueueFault(f"The answer of {address} is far longer than it should be.")
    return bytes(body)
