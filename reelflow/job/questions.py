"""Questions to the queue, which cost nothing and may be asked again: over kept connections."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING

from reelflow.errors import QueueFault
from reelflow.job.session import SILENCE, Answer, Session, Unreached, read_short

if TYPE_CHECKING:
    from reelflow.job.session import Response


class Questions:
    """The questions to one queue. Forms never leave from here."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def answer(
        self, url: str, *, json: object = None, read_timeout: float | None = None
    ) -> tuple[Answer, bytes]:
        """A short answer, whole: to a GET of `url`, or to a POST of `json` to it; of a bad one, as much of its body as
        comes. Raises QueueFault where none comes.
        """
        async with self._asked(url, {}, json, read_timeout) as response:
            answer = Answer(response.status, response.headers)
            try:
                return answer, await read_short(self._session.address, self._session.pieces(response))
            except QueueFault:
                if answer.is_good:
                    raise
                return answer, b""

    @contextlib.asynccontextmanager
    async def opened(self, url: str, headers: Mapping[str, str]) -> AsyncIterator[tuple[Answer, AsyncIterator[bytes]]]:
        """The answer to a GET of `url`, and its body in pieces, which raise QueueFault. Raises QueueFault."""
        async with self._asked(url, headers, None, None) as response:
            yield Answer(response.status, response.headers), self._session.pieces(response)

    @contextlib.asynccontextmanager
    async def _asked(
        self, url: str, headers: Mapping[str, str], json: object, read_timeout: float | None
    ) -> AsyncIterator[Response]:
        session, patience = self._session, self._session.patience
        try:
            async with session.connection():
                try:
                    # After a 1xx aiohttp has no limit of its own any more.
                    async with asyncio.timeout(patience.connect + min(patience.read, read_timeout or patience.read)):
                        response = await session.request(
                            "GET" if json is None else "POST", url, headers, json=json, read_timeout=read_timeout)
                except TimeoutError:
                    raise Unreached(SILENCE) from None
                try:
                    yield response
                finally:
                    # Read to its end, it leaves its connection to the next question; else that is closed.
                    response.release()
        except Unreached as reason:
            raise QueueFault(f"The queue at {session.address} could not be reached ({reason}).") from None
