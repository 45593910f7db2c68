"""A folder of pages over HTTP, on this machine alone: a listing, the pages, and their films with Range requests."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.convertors import Convertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import Route

from reelflow.errors import BadInput
from reelflow.page.card import Card
from reelflow.page.wall import Wall
from reelflow.served import listening, server_of

HOST = "127.0.0.1"
# What a page and its films need, and nothing else that may lie in the folder.
_KINDS = {
    ".html": "text/html; charset=utf-8", ".mp4": "video/mp4", ".m4v": "video/mp4", ".mov": "video/quicktime",
    ".mkv": "video/x-matroska", ".webm": "video/webm", ".webp": "image/webp", ".gif": "image/gif", ".png": "image/png",
    ".jpg": "image/jpeg", ".jpeg": "image/jpeg",
}
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
                               "img-src 'self' data:; media-src 'self'; base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-cache",
}
_GENERATOR = '<meta name="generator" content="reelflow">'
_CARD = re.compile(r'<script type="application/json" id="reelflow-card">(.*?)</script>', re.DOTALL)
# A page's card stands at its beginning.
_HEAD_BYTES = 64 * 1024
_MOST_PAGES = 2000


class _Name(Convertor[str]):
    """All that may stand in an address: Starlette's own paths end at a line break, which a file's name may hold."""

    regex = r"[\s\S]*"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("name", _Name())


class Gallery:
    """The folder `root`, as an application: nothing outside it, nothing hidden, nothing but pages, films and pictures.

    Raises:
        BadInput: there is no such folder.
    """

    def __init__(self, root: Path) -> None:
        if not root.is_dir():
            raise BadInput(f"{root} is not a folder: name the one that the films lie in.", field="folder")
        self._root = root.resolve()
        self.app = Starlette(
            routes=[Route("/", self._listed), Route("/{path:name}", self._file)],
            # Another site's name that leads to this machine must not be let in.
            middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])],
        )

    def cards(self) -> tuple[Card, ...]:
        """The runs in the folder, the newest first; addresses are from the folder on."""
        found = []
        for folder, below, names in os.walk(self._root):
            below[:] = sorted(name for name in below if not name.startswith("."))
            for name in names:
                path = Path(folder, name)
                if name.endswith(".html") and not name.startswith(".") and (card := self._card(path)) is not None:
                    found.append((path.stat().st_mtime, card))
            if len(found) >= _MOST_PAGES:
                break
        return tuple(card for _, card in sorted(found, key=lambda one: one[0], reverse=True))

    def _card(self, path: Path) -> Card | None:
        try:
            with path.open("rb") as opened:
                head = opened.read(_HEAD_BYTES).decode("utf-8", "replace")
            made = _CARD.search(head) if _GENERATOR in head else None
            if made is None:
                return None
            card = Card.model_validate(json.loads(made[1]))
        except (OSError, ValueError, ValidationError):
            return None
        there = path.parent.relative_to(self._root).as_posix()
        before = "" if there == "." else f"{_quoted(there)}/"
        poster = card.poster if card.poster and not card.poster.startswith(("../", "file:", "data:")) else None
        return card.model_copy(update={
            "page": f"./{before}{_quoted(path.name)}",
            "poster": None if poster is None else f"./{before}{poster.removeprefix('./')}",
        })

    async def _listed(self, _request: Request) -> Response:
        cards = await asyncio.to_thread(self.cards)
        wall = Wall(self._root.name or str(self._root), "gallery", cards, about="Newest first",
                    empty="There is no run's page in this folder yet: every run writes one beside its film.")
        return HTMLResponse(wall.html(), headers=_HEADERS)

    async def _file(self, request: Request) -> Response:
        # As it was sent: what is made text of it loses the bytes of a name that are not UTF-8.
        path = self.find(os.fsdecode(unquote_to_bytes(request.scope["raw_path"]))[1:])
        if path is None:
            raise HTTPException(404)
        return FileResponse(path, media_type=_KINDS[path.suffix.lower()], headers=_HEADERS)

    def find(self, asked: str) -> Path | None:
        """The file that an address means; None for one that is not to be seen."""
        parts = Path(asked).parts
        if "\0" in asked or any(part.startswith(".") or part == "/" for part in parts):
            return None
        try:
            # Links are followed first, so that one that leads out of the folder is seen to.
            path = (self._root / asked).resolve()
            is_inside = path.is_relative_to(self._root) and path != self._root
            return path if is_inside and path.suffix.lower() in _KINDS and path.is_file() else None
        except (OSError, RuntimeError):  # a name longer than any file's, or links that go round
            return None


def serve_gallery(root: Path, *, port: int) -> None:
    """Serve the folder until Ctrl-C; 0 takes a free port.

    Raises:
        BadInput: there is no such folder, or the port is taken.
    """
    gallery = Gallery(root)
    with listening(HOST, port, what="The gallery") as opened:
        sys.stdout.write(f"{len(gallery.cards())} runs of {root}: http://{HOST}:{opened.getsockname()[1]}/ "
                         "(Ctrl-C ends it)\n")
        sys.stdout.flush()
        server_of(gallery.app).run(sockets=[opened])


def _quoted(path: str) -> str:
    return quote(os.fsencode(path))
