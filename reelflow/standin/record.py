"""What was sent to the stand-in, noted so that tests can compare what two clients send."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import asdict, dataclass
from typing import Any

from reelflow.standin.form import Form

_KEPT = 500


@dataclass(frozen=True, slots=True)
class ReceivedPart:
    """A part of a form: `text` for a text, None for a file; `size` in bytes; `headers` as they were sent."""

    name: str
    text: str | None
    filename: str | None
    content_type: str | None
    size: int
    sha256: str
    headers: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Received:
    """A form as it was posted, without the key."""

    path: str
    headers: tuple[tuple[str, str], ...]
    parts: tuple[ReceivedPart, ...]

    def to_json(self) -> dict[str, Any]:
        """The same as JSON values."""
        return asdict(self)


class Recorder:
    """The last forms that came in, and how many there were; may be read from another thread than the server's."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._received: deque[Received] = deque(maxlen=_KEPT)
        self._posts = 0

    def post(self) -> None:
        """Count a submit that has begun."""
        with self._lock:
            self._posts += 1

    def note(self, path: str, headers: list[tuple[str, str]], form: Form) -> None:
        """Keep a form that was read whole."""
        shown = tuple((name, value) for name, value in headers if name.lower() != "x-api-key")
        parts = tuple(
            ReceivedPart(part.name, part.text, part.filename, part.content_type, part.size, part.sha256, part.headers)
            for part in form.parts
        )
        with self._lock:
            self._received.append(Received(path, shown, parts))

    @property
    def posts(self) -> int:
        """How many submits began, whatever became of them."""
        with self._lock:
            return self._posts

    @property
    def received(self) -> list[Received]:
        """The forms, oldest first."""
        with self._lock:
            return list(self._received)
