"""A multipart form as it arrives: file parts go straight to disk, text parts stay in memory, and all are noted."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path
from typing import IO

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser

MAX_TEXT_BYTES = 2**20
MAX_PARTS = 100


class BadForm(Exception):
    """A body that isn't the form that was announced; the message is a sentence for the sender."""


@dataclass(slots=True)
class Part:
    """One part: a text has `text`, a file has `path`; `size` is in bytes, `headers` are as they were sent."""

    name: str
    filename: str | None
    content_type: str | None
    headers: tuple[tuple[str, str], ...]
    text: str | None = None
    path: Path | None = None
    size: int = 0
    sha256: str = ""


@dataclass(slots=True)
class Form:
    """The parts in the order in which they came; of several with one name the last counts."""

    parts: list[Part] = field(default_factory=list)

    def text(self, name: str) -> str | None:
        """The text part `name`; None where there is none."""
        return next((part.text for part in reversed(self.parts) if part.name == name), None)

    def part(self, name: str) -> Part | None:
        """The part `name`, of either kind."""
        return next((part for part in reversed(self.parts) if part.name == name), None)

    @property
    def texts(self) -> dict[str, str]:
        """The text parts by name."""
        return {part.name: part.text for part in self.parts if part.text is not None}


class _Writer:
    """The parser's callbacks. A part with a filename goes to a file in `folder`, under a name of our own."""

    def __init__(self, folder: Path) -> None:
        self.form = Form()
        self._folder = folder
        self._file: IO[bytes] | None = None
        self._digest = hashlib.sha256()
        self._text = bytearray()
        self._header_name = self._header_value = b""
        self._headers: list[tuple[str, str]] = []
        self.ended = False

    def on_part_begin(self) -> None:
        if len(self.form.parts) >= MAX_PARTS:
            raise BadForm(f"The form has more than {MAX_PARTS} parts.")
        self._headers, self._text, self._digest = [], bytearray(), hashlib.sha256()

    def on_header_field(self, chunk: bytes, start: int, end: int) -> None:
        self._header_name += chunk[start:end]

    def on_header_value(self, chunk: bytes, start: int, end: int) -> None:
        self._header_value += chunk[start:end]

    def on_header_end(self) -> None:
        self._headers.append((_text(self._header_name), _text(self._header_value)))
        self._header_name = self._header_value = b""

    def on_headers_finished(self) -> None:
        named = {name.lower(): value for name, value in self._headers}
        words = Message()
        words["content-disposition"] = named.get("content-disposition", "")
        name = words.get_param("name", header="content-disposition")
        if not isinstance(name, str):
            raise BadForm("A part of the form has no name.")
        filename = words.get_filename()
        part = Part(name, filename, named.get("content-type"), tuple(self._headers))
        self.form.parts.append(part)
        if filename is not None:
            part.path = self._folder / uuid.uuid4().hex
            self._file = part.path.open("xb")

    def on_part_data(self, chunk: bytes, start: int, end: int) -> None:
        piece = memoryview(chunk)[start:end]
        self.form.parts[-1].size += len(piece)
        self._digest.update(piece)
        if self._file is not None:
            self._file.write(piece)
        elif len(self._text) + len(piece) > MAX_TEXT_BYTES:
            raise BadForm(f"A text part of the form is longer than {MAX_TEXT_BYTES} bytes.")
        else:
            self._text += piece

    def on_part_end(self) -> None:
        part = self.form.parts[-1]
        part.sha256 = self._digest.hexdigest()
        if self._file is not None:
            self._file.close()
            self._file = None
        else:
            part.text = _text(bytes(self._text))

    def on_end(self) -> None:
        self.ended = True

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


def _text(sent: bytes) -> str:
    try:
        return sent.decode("utf-8")
    except UnicodeDecodeError:
        return sent.decode("latin-1")


async def read_form(content_type: str, body: AsyncIterator[bytes], folder: Path) -> Form:
    """Read a multipart form, its files into `folder`, holding no more of it in memory than a chunk.

    Raises:
        BadForm: it isn't multipart, it is broken, or it ends too early.
    """
    words = Message()
    words["content-type"] = content_type
    boundary = words.get_param("boundary")
    if words.get_content_type() != "multipart/form-data" or not isinstance(boundary, str):
        raise BadForm("The body must be multipart/form-data with a boundary.")
    writer = _Writer(folder)
    try:
        parser = MultipartParser(boundary, {
            "on_part_begin": writer.on_part_begin, "on_part_data": writer.on_part_data,
            "on_part_end": writer.on_part_end, "on_header_field": writer.on_header_field,
            "on_header_value": writer.on_header_value, "on_header_end": writer.on_header_end,
            "on_headers_finished": writer.on_headers_finished, "on_end": writer.on_end,
        })
        async for chunk in body:
            parser.write(chunk)
    except FormParserError as error:
        raise BadForm(f"The form can't be read: {error}.") from None
    finally:
        writer.close()
    if not writer.ended:
        raise BadForm("The form ends before its last boundary.")
    return writer.form
