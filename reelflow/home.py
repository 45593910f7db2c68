"""Paths as people write them, with `~` for a home folder."""

from __future__ import annotations

import os
from pathlib import Path


def expanded(path: str | Path) -> Path:
    """A path with its `~` spelled out, as a shell does it: where there is no such user it is a name like any other.

    `Path.expanduser` raises RuntimeError for a film that is called `~clip.mp4`.
    """
    return Path(os.path.expanduser(path))  # noqa: PTH111 - see above
