"""Connections for httpcore by asyncio itself: by anyio, which it takes of itself, a form costs twice the CPU."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Iterable
from typing import Any

import httpcore

_HELD = 256 * 1024
_NEXT_ADDRESS_AFTER = 0.25


class Network(httpcore.AsyncNetworkBackend):
    """Makes connections. Raises httpcore's errors, as do these."""

    async def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> Connection:
        """A connection, within `timeout` seconds; of a host with several addresses the first that answers."""
        has_one = ":" in host or host.replace(".", "").isdigit()
        try:
            async with _at_most(timeout, httpcore.ConnectTimeout):
                transport, line = await asyncio.get_running_loop().create_connection(
                    _Line, host, port, happy_eyeballs_delay=None if has_one else _NEXT_ADDRESS_AFTER)
        except (OSError, UnicodeError) as error:  # A name that can't be one is no Unicode to the resolver.
            raise httpcore.ConnectError(str(error)) from error
        return Connection(transport, line)

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


class Connection(httpcore.AsyncNetworkStream):
    """One connection; nothing is left of it, nor sent of what is not yet sent, when it is closed."""

    def __init__(self, transport: asyncio.Transport, line: _Line) -> None:
        self._transport, self._line = transport, line
        # A write is over when nothing is left of it here: only so it has a limit. (With 0, TLS would pause without
        # a reason.)
        transport.set_write_buffer_limits(high=1, low=0)
        line.transport = transport

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """What has come, or comes within `timeout` seconds; nothing where no more will."""
        line = self._line
        if not line.came and not line.is_over:
            async with _at_most(timeout, httpcore.ReadTimeout):
                await line.more_comes()
        if line.came:
            piece = bytes(line.came[:max_bytes])
            del line.came[:max_bytes]
            self._transport.resume_reading()
            return piece
        if line.error is not None:
            raise httpcore.ReadError(str(line.error)) from line.error
        return b""

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send it all, within `timeout` seconds."""
        if not buffer:
            return
        if not self._transport.is_closing():
            self._transport.write(buffer)
            if self._line.is_full:
                async with _at_most(timeout, httpcore.WriteTimeout):
                    await self._line.more_may_go()
        if self._transport.is_closing():
            raise httpcore.WriteError(str(self._line.error or "the connection was closed")) from self._line.error

    async def aclose(self) -> None:
        """Close it."""
        self._transport.abort()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> Connection:
        """The same connection, from now on by TLS."""
        self._line.is_tls = True
        try:
            async with _at_most(timeout, httpcore.ConnectTimeout):
                transport = await asyncio.get_running_loop().start_tls(
                    self._transport, self._line, ssl_context, server_hostname=server_hostname)
            if transport is None:
                raise ConnectionError("the connection was closed")
        except OSError as error:
            self._transport.abort()
            raise httpcore.ConnectError(str(error)) from error
        except BaseException:
            self._transport.abort()
            raise
        return Connection(transport, self._line)

    def get_extra_info(self, info: str) -> Any:
        """What httpcore wants to know of it."""
        return self._transport.get_extra_info(info)


class _Line(asyncio.Protocol):
    """What has come over a connection and was not read yet, and whether more comes, or may go."""

    def __init__(self) -> None:
        self.came = bytearray()
        self.error: Exception | None = None
        self.is_over = self.is_full = self.is_tls = False
        self.transport: asyncio.Transport
        self._waits: asyncio.Future[None] | None = None

    async def more_comes(self) -> None:
        """Wait until something has come, or no more will."""
        while not self.came and not self.is_over:
            await self._change()

    async def more_may_go(self) -> None:
        """Wait until the system has taken what was written, or the connection is gone."""
        while self.is_full and not self.transport.is_closing():
            await self._change()

    async def _change(self) -> None:
        self._waits = asyncio.get_running_loop().create_future()
        await self._waits

    def _changed(self) -> None:
        if self._waits is not None and not self._waits.done():
            self._waits.set_result(None)

    def data_received(self, piece: bytes) -> None:
        self.came += piece
        if len(self.came) >= _HELD:
            self.transport.pause_reading()
        self._changed()

    def eof_received(self) -> bool:
        self.is_over = True
        self._changed()
        # Who sends no more may still take what is sent to him; by TLS asyncio knows no such thing.
        return not self.is_tls

    def connection_lost(self, error: Exception | None) -> None:
        self.error, self.is_over = error, True
        self._changed()

    def pause_writing(self) -> None:
        self.is_full = True

    def resume_writing(self) -> None:
        self.is_full = False
        self._changed()


@contextlib.asynccontextmanager
async def _at_most(seconds: float | None, error: type[Exception]) -> AsyncIterator[None]:
    """Raise an error where what is in the block takes longer."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise error from None
