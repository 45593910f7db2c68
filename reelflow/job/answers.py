"""What an answer says: its words, its dates and its names, read with care, since any proxy may have written it."""

from __future__ import annotations

import email.utils
import json
import re
import time
from typing import Any

MAX_RETRY_AFTER = 600.0
MAX_WORDS = 300

_CANONICAL = ("canonical_id", "canonical", "resolved_id", "resolved_model", "resolved", "id", "model", "name")


def words_of(body: bytes) -> tuple[str, str | None]:
    """The server's own words in one short line, and the form field that they name.

    A page of HTML, as proxies send, is told by its title only.
    """
    text = body[:65_536].decode("utf-8", "replace")
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError):
        if re.match(r"\s*<", text):
            title = re.search(r"<title[^>]*>(.*?)</title>", text, re.IGNORECASE | re.DOTALL)
            return (f"a web page, {line_of(title[1])!r}" if title and title[1].strip() else "a web page"), None
        return line_of(text), None
    detail = answer
    for name in ("detail", "error", "message"):
        if isinstance(detail, dict) and detail.get(name):
            detail = detail[name]
    if isinstance(detail, list):
        told = [_told(row) for row in detail]
        return line_of("; ".join(words for words, _ in told)), next((field for _, field in told if field), None)
    return line_of(detail if isinstance(detail, str) else json.dumps(detail)), None


def _told(row: Any) -> tuple[str, str | None]:
    """One row of a 422's detail: `{"loc": ["body", "prompt"], "msg": …}` is "prompt: …"."""
    if not isinstance(row, dict):
        return str(row), None
    place = row.get("loc")
    field = str(place[-1]) if isinstance(place, list) and place else None
    message = str(row.get("msg") or row.get("message") or "not accepted")
    return (f"{field}: {message}" if field else message), field


def line_of(text: str) -> str:
    """Anybody's text as one short line that can be printed."""
    shown = re.sub(r"\s+", " ", "".join(c if c.isprintable() or c.isspace() else "?" for c in text)).strip()
    return shown if len(shown) <= MAX_WORDS else f"{shown[:MAX_WORDS - 1]}…"


def retry_after_of(value: str | None) -> float | None:
    """Seconds to wait from a `Retry-After` header (seconds or an HTTP date), at most MAX_RETRY_AFTER."""
    if not value:
        return None
    if re.fullmatch(r"\s*\d+(\.\d+)?\s*", value):
        return min(float(value), MAX_RETRY_AFTER)
    try:
        at = email.utils.parsedate_to_datetime(value).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(0.0, at - time.time()), MAX_RETRY_AFTER)


def resolved_of(answer: Any, name: str) -> str | None:
    """What `name` stands for in an answer of `/v1/models/resolve`, whose shape the contract leaves open; or None."""
    if isinstance(answer, str):
        return answer or None
    if isinstance(answer, list):
        about = [row for row in answer if isinstance(row, dict) and name in row.values()]
        return next((found for row in about or answer if (found := resolved_of(row, name))), None)
    if not isinstance(answer, dict):
        return None
    for inner in ("models", "resolved", "data", "results"):
        if isinstance(answer.get(inner), dict | list):
            found = resolved_of(answer[inner], name)
            if found:
                return found
    if name in answer and (found := resolved_of(answer[name], name)):
        return found
    told = [answer[key] for key in _CANONICAL if isinstance(answer.get(key), str) and answer[key]]
    return next((value for value in told if value != name), told[0] if told else None)
