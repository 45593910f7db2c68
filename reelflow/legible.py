"""Names of files as text: Linux takes any bytes for a name, and reports, pages and Prefect take text alone."""

from __future__ import annotations

import re

# What Python puts in the place of bytes that are no UTF-8, and what JSON may hold that is no text.
_NO_TEXT = re.compile("[\ud800-\udfff]")


def is_legible(name: str) -> bool:
    """Whether a name is text."""
    return _NO_TEXT.search(name) is None


def legible(name: str) -> str:
    """A name as it can be shown: a mark stands for each byte that is no text."""
    return _NO_TEXT.sub("\ufffd", name)


def shortened(name: str, most: int) -> str:
    """A name of at most so many bytes: its beginning, where it is longer."""
    return name.encode("utf-8", "surrogateescape")[:most].decode("utf-8", "ignore")
