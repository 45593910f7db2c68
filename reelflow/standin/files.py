"""Uploaded files (`/v1/files`), kept on disk until their time is over; queue jobs don't use them."""

from __future__ import annotations

import json
import secrets
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from reelflow.standin.form import Form
from reelflow.standin.intake import Unprocessable

_DEFAULT_TTL = 86_400
_TTL = range(60, 2_592_001)


class FileShelf:
    """One folder a file: `content`, and `file.json` with what is told about it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, form: Form) -> dict[str, Any]:
        """Keep the form's `file` for its `ttl_seconds`. Raises Unprocessable."""
        part = form.part("file")
        if part is None or part.path is None:
            raise Unprocessable("body", "file", message="Field required", kind="missing")
        ttl = form.text("ttl_seconds") or str(_DEFAULT_TTL)
        if ttl != "persistent" and not (ttl.isascii() and ttl.isdecimal() and len(ttl) < 20 and int(ttl) in _TTL):
            raise Unprocessable(
                "body", "ttl_seconds", message=f"ttl_seconds must be {_TTL.start}..{_TTL[-1]} or persistent", sent=ttl
            )
        now = time.time()
        told = {
            "id": f"file_{secrets.token_hex(12)}", "filename": part.filename,
            "mime_type": part.content_type or "application/octet-stream", "size_bytes": part.size,
            "created_at": _iso(now), "expires_at": None if ttl == "persistent" else _iso(now + int(ttl)),
        }
        home = self._folder / str(told["id"])
        home.mkdir(parents=True)
        part.path.rename(home / "content")
        (home / "file.json").write_text(json.dumps(told), "utf-8")
        return told

    def find(self, file_id: str) -> dict[str, Any] | None:
        """What is told about a file; None where there is none, or its time is over."""
        if not file_id.isascii() or not file_id.removeprefix("file_").isalnum():
            return None
        try:
            told: dict[str, Any] = json.loads((self._folder / file_id / "file.json").read_text("utf-8"))
        except (OSError, ValueError):
            return None
        if told["expires_at"] is not None and datetime.fromisoformat(told["expires_at"]) <= datetime.now(UTC):
            shutil.rmtree(self._folder / file_id, ignore_errors=True)
            return None
        return told

    def drop(self, file_id: str) -> bool:
        """Delete a file; whether there was one."""
        if self.find(file_id) is None:
            return False
        shutil.rmtree(self._folder / file_id, ignore_errors=True)
        return True


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")
