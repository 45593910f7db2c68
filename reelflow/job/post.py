"""The POST of a form: sent once, over a connection of its own, and watched on its way out."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator

from reelflow.errors import QueueUnreachable, SubmitUnknown
from reelflow.job.form import Form
from reelflow.job.session import SILENCE, Answer, Patience, Session, Unreached


@contextlib.asynccontextmanager
async def posted(
    session: Session, url: str, form: Form, model: str
) -> AsyncIterator[tuple[Answer, AsyncIterator[bytes]]]:
    """The answer to a form, and its body in pieces, which raise QueueFault.

    Raises:
        QueueUnreachable: the form did not leave whole; nothing was bought.
        SubmitUnknown: it left, and no answer came.
        BadInput: a file of it can't be read; nothing was bought.
    """
    leaving = _Leaving(form, session.patience)
    async with contextlib.AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(session.connection())
            body = leaving.pieces()
            stack.push_async_callback(_closed, body)
            async with leaving.limited():
                response = await session.request("POST", url, form.headers, body=body)
        except Unreached as reason:
            if leaving.error is not None:
                raise leaving.error from None
            if not form.left_whole:
                raise QueueUnreachable(
                    f"The queue at {session.address} could not be reached ({reason}), nothing was bought: check the "
                    "address and the network."
                ) from None
            raise SubmitUnknown(
                f"The form for {model} went out to {session.address} and no answer came ({reason}): a job may or may "
                "not have been bought."
            ) from None
        stack.callback(response.close)
        yield Answer(response.status, response.headers), session.pieces(response)


async def _closed(body: AsyncGenerator[bytes]) -> None:
    """Close a form that has not left whole, and with it its file."""
    with contextlib.suppress(RuntimeError):  # It is being read just now, and closes itself behind that.
        await body.aclose()


class _Leaving:
    """A form on its way out: the network has to take each piece within a time, and then to bring an answer.

    `error` is what went wrong with the form itself, which aiohttp tells as a fault of the connection.
    """

    def __init__(self, form: Form, patience: Patience) -> None:
        self.error: Exception | None = None
        self._form, self._patience = form, patience
        self._limit: asyncio.Timeout | None = None
        self._waits_for = ""

    @contextlib.asynccontextmanager
    async def limited(self) -> AsyncIterator[None]:
        """The time in which the form has to leave and its answer to begin. Raises Unreached."""
        try:
            async with asyncio.timeout(None) as limit:
                self._limit = limit
                try:
                    yield
                finally:
                    # Whoever answers before all of the form has come does not want the rest.
                    self._limit = None
        except TimeoutError:
            raise Unreached(self._waits_for) from None

    async def pieces(self) -> AsyncGenerator[bytes]:
        """The form's pieces, each of which has to be taken before the next is read."""
        try:
            async for piece in self._form:
                self._wait(self._patience.write, f"no byte taken within {self._patience.write:g} s")
                yield piece
                self._wait(None)
        except Exception as error:
            self.error = error
            raise
        # aiohttp has a limit of its own for this, but none any more after a 1xx.
        self._wait(self._patience.read, SILENCE)

    def _wait(self, seconds: float | None, told: str = "") -> None:
        if self._limit is not None and not self._limit.expired():
            self._waits_for = told
            self._limit.reschedule(None if seconds is None else asyncio.get_running_loop().time() + seconds)
