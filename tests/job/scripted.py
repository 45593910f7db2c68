"""A server that answers as it is told, byte for byte: for what goes wrong on the wire itself."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it came: its line, its headers (names in small letters), as much body as came, its connection."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    connection: int


Act = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that rests on what was asked."""

    to: Callable[[Asked], bytes | Act]


Answer = bytes | Act | Reply


@dataclass(slots=True)
class Server:
    """Where it listens and what it was asked."""

    url: str
    asked: list[Asked] = field(default_factory=list)
    connections: int = 0


def answer(status: int, body: bytes | str = b"", **headers: str) -> bytes:
    """A whole answer; header names with underscores for hyphens."""
    payload = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(payload)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + payload


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Close the connection without a word."""
    writer.close()


async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Break the connection, so that the other side's next call fails."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Say nothing until the other side has had enough."""
    await reader.read()


async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Neither read nor answer."""
    await asyncio.Event().wait()


def then(first: bytes, act: Act) -> Act:
    """Send some bytes, and then do something."""
    async def both(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(first)
        await writer.drain()
        await act(reader, writer)
    return both


@contextlib.asynccontextmanager
async def scripted(*answers: Answer, read_body: bool = True) -> AsyncIterator[Server]:
    """A server that gives these answers in this order, the last of them for ever.

    Without `read_body` it acts as soon as it has a request's head.
    """
    left = list(answers)
    server = Server("")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.connections += 1
        connection = server.connections
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while not writer.is_closing():
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                line, *rest = head.strip().split("\r\n")
                method, path, _ = line.split(" ")
                headers = {name.strip().lower(): value.strip() for name, value in (row.split(":", 1) for row in rest)}
                body = await reader.readexactly(int(headers.get("content-length", 0))) if read_body else b""
                server.asked.append(Asked(method, path, headers, body, connection))
                act = left.pop(0) if len(left) > 1 else left[0]
                if isinstance(act, Reply):
                    act = act.to(server.asked[-1])
                if isinstance(act, bytes):
                    writer.write(act)
                    await writer.drain()
                else:
                    await act(reader, writer)
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        listening.close()
