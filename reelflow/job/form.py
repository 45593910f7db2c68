"""The form of a submit on its way out: of known length, read from disk as it leaves, and never in memory as a whole."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from io import FileIO
from pathlib import Path

from reelflow.disk import in_thread
from reelflow.errors import BadInput
from reelflow.job.boundary import Boundary, reached
from reelflow.job.wire import Wish

OnBytes = Callable[[int, int | None], None]
"""Told how many bytes have gone, and of how many in all (None where that isn't known)."""

_PIECE = 512 * 1024
_TYPES = {
    ".mp4": "video/mp4", ".mov": "video/quicktime", ".webm": "video/webm",
    ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".webp": "image/webp",
}


class Form:
    """A wish as multipart/form-data. Sizes are bytes; raises BadInput for a file that can't be read.

    `left_whole` turns True just before the closing boundary is handed to the network: until then no queue can have
    taken the form, since its announced length has not come; from then on it may have, whatever fails afterwards.
    """

    def __init__(self, wish: Wish, on_bytes: OnBytes | None = None) -> None:
        self.left_whole = False
        self._on_bytes = on_bytes
        boundary = os.urandom(16).hex()
        head = bytearray()
        for name, value in wish.fields():
            head += f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode()
            try:
                head += value.encode() + b"\r\n"
            except UnicodeEncodeError:
                raise BadInput(f"The {name} holds characters that are no Unicode text.", field=name) from None
        self._parts: list[tuple[bytes, Path, int]] = []
        for name, path in wish.files():
            kind = _TYPES.get(path.suffix.lower(), "application/octet-stream")
            # A name of our own: people's file names say more than the queue has to know, and hold quotes.
            shown = name + (path.suffix.lower() if kind != "application/octet-stream" else "")
            head += (
                f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="{shown}"\r\n'
                f"Content-Type: {kind}\r\n\r\n"
            ).encode()
            self._parts.append((bytes(head), path, _size(path, name)))
            head = bytearray(b"\r\n")
        self._end = bytes(head) + f"--{boundary}--\r\n".encode()
        self.length = sum(len(before) + size for before, _, size in self._parts) + len(self._end)
        self.headers = {"Content-Type": f"multipart/form-data; boundary={boundary}", "Content-Length": str(self.length)}

    async def __aiter__(self) -> AsyncIterator[bytes]:
        gone = 0
        async for piece in self._pieces():
            gone += len(piece)
            self.left_whole = gone == self.length
            if self._on_bytes is not None:
                self._on_bytes(gone, self.length)
            yield piece
            reached(Boundary.AFTER_BODY if self.left_whole else Boundary.IN_BODY)

    async def _pieces(self) -> AsyncIterator[bytes]:
        for before, path, size in self._parts:
            head, left = before, size
            with _opened(path) as file:
                while left:
                    # In a thread: a slow disk must not hold up the polls of other jobs.
                    piece = _at_hand(file, min(_PIECE, left)) or await in_thread(file.read, min(_PIECE, left))
                    if not piece:
                        raise BadInput(f"The file {path} became shorter while it was sent; nothing was bought.")
                    left -= len(piece)
                    # A part's head goes with its first piece: each that is handed on is sent by itself.
                    yield head + piece
                    head = b""
                if head:
                    yield head
        yield self._end


def _at_hand(file: FileIO, size: int) -> bytes | None:
    """So many of a file's next bytes, or fewer, where the system has them in memory; None where it has to fetch them,
    or can't tell.
    """
    if not hasattr(os, "RWF_NOWAIT"):
        return None
    piece = bytearray(size)
    try:
        came = os.preadv(file.fileno(), [piece], at := file.tell(), os.RWF_NOWAIT)
    except OSError:
        return None
    file.seek(at + came)
    return bytes(memoryview(piece)[:came])


def _opened(path: Path, field: str | None = None) -> FileIO:
    try:
        return path.open("rb", buffering=0)
    except OSError as error:
        raise BadInput(f"The file {path} can't be read: {error.strerror}.", field=field) from None


def _size(path: Path, field: str) -> int:
    with _opened(path, field) as file:
        return os.fstat(file.fileno()).st_size
