"""Our templates: HTML with everything in it, so that a page needs no network and no other file but its films."""

from __future__ import annotations

import base64
import functools
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

CARD_MARK = 'id="reelflow-card"'
_TEMPLATES = Path(__file__).parent / "templates"


@functools.cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, keep_trailing_newline=True,
    )
    made.filters |= {"clock": clock, "jpeg": as_data, "code": with_code}
    return made


def render(name: str, **values: Any) -> str:
    """A template of ours as text; whatever is put into it is escaped."""
    return _environment().get_template(name).render(**values)


def clock(seconds: float) -> str:
    """A moment as people write it: 0:07.5, 12:03, 1:02:03."""
    tenths = int(seconds * 10 + 1e-6)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    whole, tenth = divmod(rest, 10)
    if hours:
        return f"{hours}:{minutes:02d}:{whole:02d}"
    return f"{minutes}:{whole:02d}" + (f".{tenth}" if not minutes else "")


def with_code(text: str) -> Markup:
    """A sentence of ours, what stands between backticks in it as code."""
    parts = text.split("`")
    if len(parts) % 2 == 0:  # one that stands alone is a sign like others
        return escape(text)
    return Markup("").join(Markup("<code>{}</code>").format(part) if at % 2 else escape(part)
                           for at, part in enumerate(parts))


def as_data(jpeg: bytes) -> str:
    """A JPEG as a `data:` address."""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode("ascii")


def is_ours(path: Path) -> bool:
    """Whether a page was written by reelflow, so that it may be written anew."""
    try:
        return CARD_MARK in path.read_text("utf-8", errors="replace")
    except OSError:
        return False
