"""Media in an answer of the queue: what its headers say of it, read with care, since any proxy may write them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

from reelflow.errors import QueueFault
from reelflow.job.answers import line_of


@dataclass(frozen=True, slots=True)
class Content:
    """Media that is coming in: from byte `at` of `total` (None where the queue does not say), piece by piece.

    `validator` is what proves in a later request that the content is still the same (None: nothing does).
    """

    at: int
    total: int | None
    validator: str | None
    pieces: AsyncIterator[bytes]


def read_content(
    address: str, status: int, headers: Mapping[str, str], pieces: AsyncIterator[bytes], *, asked_at: int = 0
) -> Content:
    """The media in a good answer to a question for it from byte `asked_at` on; `headers` know no case.

    Raises QueueFault where the answer holds something else.
    """
    kind = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind.startswith("text/") or kind in ("application/json", "application/problem+json"):
        raise QueueFault(f"The queue at {address} answered with {line_of(kind)} in place of media.")
    if headers.get("Content-Encoding", "identity").lower() != "identity":
        raise QueueFault(f"The queue at {address} packed the media in a way that was not asked for.")
    length = headers.get("Content-Length", "")
    at, total = 0, int(length) if length.isdecimal() else None
    if status == 206:
        # A part may end before the whole does, so its own length says nothing of the whole's.
        at, total = _range_of(headers.get("Content-Range", ""))
        if at != asked_at:
            raise QueueFault(f"The queue at {address} answered with another part than the one asked for.")
    return Content(at=at, total=total, validator=_validator_of(headers), pieces=pieces)


def read_picture(address: str, status: int, headers: Mapping[str, str], pieces: AsyncIterator[bytes]) -> Content:
    """The picture in a good answer. Raises QueueFault where the answer holds something else."""
    kind = headers.get("Content-Type", "image/png").lower()
    if not kind.startswith(("image/", "application/octet-stream")):
        raise QueueFault(f"The answer holds {line_of(kind)} in place of a picture.")
    return read_content(address, status, headers, pieces)


def _range_of(content_range: str) -> tuple[int, int | None]:
    """Where a part begins and how long the whole is (None: not said); it begins at -1 where that can't be read."""
    found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", content_range.strip())
    if found is None:
        return -1, None
    return int(found[1]), None if found[2] == "*" else int(found[2])


def _validator_of(headers: Mapping[str, str]) -> str | None:
    """A strong ETag, else a date; a weak ETag proves nothing."""
    tag = headers.get("ETag", "")
    return tag if tag.startswith('"') else headers.get("Last-Modified")
