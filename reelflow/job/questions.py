"""Questions to the queue, which cost nothing and may be asked again: over kept connections, and by aiohttp.

A job is asked about a dozen times, and a thousand may be in flight: aiohttp's parser is C, and it takes a tenth of the
CPU for a question that httpx does. Forms never leave from here.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import importlib
import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.request import getproxies, proxy_bypass

from reelflow.errors import BadInput, QueueFault
from reelflow.job.answers import line_of

if TYPE_CHECKING:
    import aiohttp
    import yarl

MAX_ANSWER = 256 * 1024


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds to wait: for a free connection, for one to be made, for the next byte of an answer."""

    pool: float
    connect: float
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


class Questions:
    """The connections to one queue that questions go over. `address` is what errors call it."""

    def __init__(
        self, address: str, headers: Mapping[str, str], patience: Patience, *, max_connections: int,
        tls: ssl.SSLContext, proxy: str | None,
    ) -> None:
        self._address, self._headers, self._patience, self._tls, self._proxy = address, headers, patience, tls, proxy
        self._free = asyncio.Semaphore(max_connections)
        self._opening = asyncio.Lock()
        self._session: aiohttp.ClientSession | None = None
        self._patiences: dict[float | None, aiohttp.ClientTimeout] = {}

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    async def answer(
        self, url: str, *, json: object = None, read_timeout: float | None = None
    ) -> tuple[Answer, bytes]:
        """A short answer, whole: to a GET of `url`, or to a POST of `json` to it; of a bad one, as much of its body as
        comes. Raises QueueFault where none comes.
        """
        await self._take_connection()
        try:
            response = await self._asked(url, {}, json, read_timeout)
            answer = Answer(response.status, response.headers)
            try:
                return answer, await read_short(self._address, self._pieces(response))
            except QueueFault:
                if answer.is_good:
                    raise
                return answer, b""
            finally:
                # Read to its end, it leaves its connection to the next question; else that is closed.
                response.release()
        finally:
            self._free.release()

    @contextlib.asynccontextmanager
    async def opened(self, url: str, headers: Mapping[str, str]) -> AsyncIterator[tuple[Answer, AsyncIterator[bytes]]]:
        """The answer to a GET of `url`, and its body in pieces, which raise QueueFault. Raises QueueFault."""
        await self._take_connection()
        try:
            response = await self._asked(url, headers, None, None)
            try:
                yield Answer(response.status, response.headers), self._pieces(response)
            finally:
                response.release()
        finally:
            self._free.release()

    async def _asked(
        self, url: str, headers: Mapping[str, str], json: object, read_timeout: float | None
    ) -> aiohttp.ClientResponse:
        session = self._session or await self._opened()
        if (patience := self._patiences.get(read_timeout)) is None:
            patience = self._patiences[read_timeout] = self._patience_for(read_timeout)
        # The headers go with each question and not with the session, which would show a proxy the key too.
        return await session.request(
            "GET" if json is None else "POST", _parsed(url), json=json, timeout=patience,
            headers={**self._headers, **headers} if headers else self._headers, allow_redirects=False,
            proxy=self._proxy,
        )

    def _patience_for(self, read_timeout: float | None) -> aiohttp.ClientTimeout:
        from aiohttp import ClientTimeout

        return ClientTimeout(
            # The name's look-up and a proxy's answer count too: `sock_connect` alone leaves them without an end.
            total=None, connect=self._patience.connect, sock_connect=self._patience.connect,
            sock_read=min(self._patience.read, read_timeout or self._patience.read),
        )

    async def _ask_once(
        self, request: aiohttp.ClientRequest, ask: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """What stands around each request: aiohttp would ask again of itself where a connection breaks, but how often
        and how soon a question is asked again is decided by whoever asks it.
        """
        from aiohttp import ClientError

        try:
            return await ask(request)
        except (ClientError, OSError, ValueError) as error:
            raise QueueFault(f"The queue at {self._address} could not be reached ({self._why(error)}).") from None

    async def _pieces(self, response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
        """The body as it comes. Where it breaks off, aiohttp throws away what has come and was not read yet."""
        from aiohttp import ClientError

        try:
            async for piece in response.content.iter_any():
                yield piece
        except (ClientError, OSError) as error:
            raise QueueFault(f"The answer of {self._address} broke off ({self._why(error)}).") from None

    async def _opened(self) -> aiohttp.ClientSession:
        """The session, made with the first question: importing aiohttp takes longer than a short run's questions do."""
        async with self._opening:
            if self._session is None:
                await asyncio.to_thread(importlib.import_module, "aiohttp")
                import aiohttp

                self._session = aiohttp.ClientSession(
                    # How many there are at once is counted here, where a wait for one has its own limit.
                    connector=aiohttp.TCPConnector(limit=0, ssl=self._tls), cookie_jar=aiohttp.DummyCookieJar(),
                    middlewares=(self._ask_once,),
                )
            return self._session

    async def _take_connection(self) -> None:
        """Wait for the right to a connection, which is then to be given back. Raises QueueFault."""
        if not self._free.locked():
            await self._free.acquire()
            return
        try:
            async with asyncio.timeout(self._patience.pool):
                await self._free.acquire()
        except TimeoutError:
            raise QueueFault(f"The queue at {self._address} could not be reached (no connection became free within "
                             f"{self._patience.pool:g} s).") from None

    def _why(self, error: Exception) -> str:
        """The reason in a few words."""
        import aiohttp

        match error:
            case aiohttp.ConnectionTimeoutError():
                return f"no connection within {self._patience.connect:g} s"
            case aiohttp.SocketTimeoutError():
                return "no byte of an answer in time"
            case aiohttp.ClientConnectorCertificateError():
                return line_of(str(error.certificate_error))
            case aiohttp.ClientConnectorError():
                # Its own text holds the address of an object in memory.
                return line_of(error.os_error.strerror or str(error.os_error))
        return line_of(str(error)).rstrip(".") or type(error).__name__


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


def proxy_for(scheme: str, host: str) -> str | None:
    """The proxy that the environment names for a host (HTTPS_PROXY, ALL_PROXY, NO_PROXY), with its scheme: worked out
    once, so that forms and questions go the same way. Raises BadInput for one that doesn't speak HTTP.
    """
    named = getproxies()
    proxy = named.get(scheme) or named.get("all")
    if not proxy or proxy_bypass(host):
        return None
    kind, colon, _ = proxy.partition("://")
    if colon and kind.lower() not in ("http", "https"):
        raise BadInput(f"The proxy that HTTPS_PROXY or ALL_PROXY names is of the kind {kind}, and only http:// and "
                       "https:// can be used here.", field="ALL_PROXY")
    return proxy if colon else f"http://{proxy}"
