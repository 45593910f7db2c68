"""Connections to one queue, by aiohttp, whose parser is C: a question takes a tenth of the CPU that httpx's own engine
takes, and a form a third.
"""

from __future__ import annotations

import asyncio
import importlib
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.request import getproxies, proxy_bypass

from reelflow.errors import BadInput, QueueFault
from reelflow.job.answers import line_of

if TYPE_CHECKING:
    import aiohttp


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds to wait: for a free connection, for one to be made, for the next byte of an answer, for a piece of a form
    to be taken.
    """

    pool: float
    connect: float
    read: float
    write: float


class NoAnswer(QueueFault):
    """A request was not answered, for a reason that `why` tells in a few words."""

    def __init__(self, address: str, why: str) -> None:
        super().__init__(f"The queue at {address} could not be reached ({why}).")
        self.why = why


class Connections:
    """So many connections at once, made when they are needed. `address` is what errors call the queue.

    Those that are `kept` serve one request after another. One that is kept may be closed by the server just as a form
    goes out on it, and then nobody knows whether the form was read: so each form has a connection of its own.
    """

    def __init__(
        self, address: str, patience: Patience, *, most: int, tls: ssl.SSLContext, is_kept: bool
    ) -> None:
        self._address, self._patience, self._tls, self._is_kept = address, patience, tls, is_kept
        self._free = asyncio.Semaphore(most)
        self._opening = asyncio.Lock()
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close them."""
        if self._session is not None:
            await self._session.close()

    async def take(self) -> aiohttp.ClientSession:
        """The right to use one of them, which is then to be given back. Raises NoAnswer where none becomes free; so
        does each request that fails.
        """
        if not self._free.locked():
            await self._free.acquire()
        else:
            try:
                async with asyncio.timeout(self._patience.pool):
                    await self._free.acquire()
            except TimeoutError:
                why = f"no connection became free within {self._patience.pool:g} s"
                raise NoAnswer(self._address, why) from None
        if self._session is not None:
            return self._session
        try:
            return await self._opened()
        except BaseException:
            self._free.release()
            raise

    def give_back(self) -> None:
        """Let others use it."""
        self._free.release()

    async def _opened(self) -> aiohttp.ClientSession:
        """The session, made with the first request: importing aiohttp takes longer than a short run's requests do."""
        async with self._opening:
            if self._session is None:
                await asyncio.to_thread(importlib.import_module, "aiohttp")
                import aiohttp

                self._session = aiohttp.ClientSession(
                    # How many there are at once is counted here, where a wait for one has its own limit.
                    connector=aiohttp.TCPConnector(limit=0, ssl=self._tls, force_close=not self._is_kept),
                    cookie_jar=aiohttp.DummyCookieJar(), middlewares=(self._request_once,),
                )
            return self._session

    async def _request_once(
        self, request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """What stands around each request: aiohttp would ask again of itself where a connection breaks, but how often
        and how soon anything is asked again is decided by whoever asks it.
        """
        from aiohttp import ClientError

        try:
            return await send(request)
        except (ClientError, OSError, ValueError) as error:
            raise NoAnswer(self._address, self.why(error)) from None

    def why(self, error: Exception) -> str:
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


def proxy_for(scheme: str, host: str) -> str | None:
    """The proxy that the environment names for a host (HTTPS_PROXY, ALL_PROXY, NO_PROXY), with its scheme. Raises
    BadInput for one that doesn't speak HTTP.
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
