"""Addresses of files as a page beside them names them."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote


def link_to(target: Path, page: Path) -> str:
    """`target` as the file `page` links to it: from the page's folder on where both lie below one folder of their own,
    else as a file: address.
    """
    target, folder = target.absolute(), page.absolute().parent
    shared = Path(os.path.commonpath([target, folder]))
    if shared == Path(shared.anchor):
        return target.as_uri()
    way = quote(os.path.relpath(target, folder))
    # "a:b.mp4" would be read as an address of the kind "a:".
    return way if way.startswith("../") else f"./{way}"
