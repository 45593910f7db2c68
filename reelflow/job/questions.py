"""Questions to the queue, which cost nothing and may be asked again; over kept connections. Forms never leave here."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reelflow.errors import QueueFault
from reelflow.job.connections import Connections, Patience

if TYPE_CHECKING:
    import aiohttp
    import yarl

MAX_ANSWER = 256 * 1024


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
    """What a queue is asked over some kept connections. `address` is what errors call it."""

    def __init__(
        self, connections: Connections, address: str, headers: Mapping[str, str], patience: Patience, proxy: str | None
    ) -> None:
        self._connections, self._address = connections, address
        self._headers, self._patience, self._proxy = headers, patience, proxy
        self._patiences: dict[float | None, aiohttp.ClientTimeout] = {}

    async def answer(
        self, url: str, *, json: object = None, read_timeout: float | None = None
    ) -> tuple[Answer, bytes]:
        """A short answer, whole: to a GET of `url`, or to a POST of `json` to it; of a bad one, as much of its body as
        comes. Raises QueueFault where none comes.
        """
        session = await self._connections.take()
        try:
            response = await self._asked(session, url, {}, json, read_timeout)
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
            self._connections.give_back()

    @contextlib.asynccontextmanager
    async def opened(self, url: str, headers: Mapping[str, str]) -> AsyncIterator[tuple[Answer, AsyncIterator[bytes]]]:
        """The answer to a GET of `url`, and its body in pieces, which raise QueueFault. Raises QueueFault."""
        session = await self._connections.take()
        try:
            response = await self._asked(session, url, headers, None, None)
            try:
                yield Answer(response.status, response.headers), self._pieces(response)
            finally:
                response.release()
        finally:
            self._connections.give_back()

    async def _asked(
        self, session: aiohttp.ClientSession, url: str, headers: Mapping[str, str], json: object,
        read_timeout: float | None,
    ) -> aiohttp.ClientResponse:
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

    async def _pieces(self, response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
        """The body as it comes. Where it breaks off, aiohttp throws away what has come and was not read yet."""
        from aiohttp import ClientError

        try:
            async for piece in response.content.iter_any():
                yield piece
        except (ClientError, OSError) as error:
            raise QueueFault(f"The answer of {self._address} broke off ({self._connections.why(error)}).") from None


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
