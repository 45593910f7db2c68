"""Where a film comes from: a path, an address (http, s3, …), or the sample clip that reelflow makes itself."""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from reelflow import remote
from reelflow.disk import in_stoppable_thread
from reelflow.errors import BadInput, SourceFault
from reelflow.home import expanded
from reelflow.media.sample import sample_film, sample_picture
from reelflow.whole import written_whole

SAMPLE = "sample"
_CHUNK = 1 << 20


def is_address(source: str) -> bool:
    """Whether a source is an address: http(s), s3 or another that fsspec reads."""
    return remote.is_web(source) or remote.is_remote(source)


def show_source(source: str) -> str:
    """A source as it may be shown: an address without its password and without its query, which may be a signature."""
    if remote.is_remote(source):
        return remote.shown(source)
    if not remote.is_web(source):
        return source
    parts = urlsplit(source)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def path_of(text: str | Path | None) -> Path | None:
    """A local path as a form gives it: absolute, `~` written out; None for an empty text."""
    return expanded(text).absolute() if text else None


def source_stem(source: str) -> str:
    """The part of a source's name that outputs are named after; a program would take one that begins with - for an
    option.
    """
    is_web = remote.is_web(source)
    name = PurePosixPath(unquote(urlsplit(source).path)).name if is_web else Path(source).name
    return re.sub(r"[^\w.\- ]+", "-", Path(name).stem).rstrip(". ").lstrip("-. ") or "film"


async def stage_source(
    source: str, scratch: Path, *, work_dir: Path, ffmpeg: Path, max_bytes: int, allow_private: bool = False,
    picture: bool = False,
) -> Path:
    """A local path for `source`; what lies at an address is brought into `scratch` first, at constant memory.

    `picture` says that a picture is wanted, which decides what the sample is. A redirect into a private network is
    refused unless `allow_private`. Raises BadInput that names the source.
    """
    if source == SAMPLE and not Path(source).exists():
        return await (sample_picture if picture else sample_film)(work_dir, ffmpeg=ffmpeg)
    if remote.is_web(source):
        target = scratch / _staged_name(PurePosixPath(unquote(urlsplit(source).path)).name)
        await _download(source, target, max_bytes=max_bytes, allow_private=allow_private)
        return target
    if remote.is_remote(source):
        target = scratch / _staged_name(source.rpartition("/")[2])
        await in_stoppable_thread(remote.fetch, source, target, max_bytes=max_bytes)
        return target
    return expanded(source).absolute()


def _staged_name(name: str) -> str:
    return "source-" + re.sub(r"[^A-Za-z0-9._-]+", "-", name or "source")[-80:]


async def _download(address: str, target: Path, *, max_bytes: int, allow_private: bool) -> None:
    import aiohttp

    shown = show_source(address)
    watch = aiohttp.TraceConfig()
    if not allow_private:
        watch.on_request_redirect.append(_refuse_private)
    patience = aiohttp.ClientTimeout(sock_connect=10, sock_read=60)
    try:
        async with (
            aiohttp.ClientSession(
                trace_configs=[watch], timeout=patience, auto_decompress=False, headers={"Accept-Encoding": "identity"},
            ) as session,
            session.get(address) as response,
        ):
            if response.status != 200:
                kind = SourceFault if response.status >= 500 or response.status == 429 else BadInput
                raise kind(f"{shown} answered {response.status} {response.reason}: check the address, and "
                               "whether it needs a login.", field="source")
            if (packed := response.headers.get("Content-Encoding", "identity").lower()) != "identity":
                raise BadInput(f"{shown} comes packed ({packed}), and not as it is: name an address that gives "
                               "the file itself.", field="source")
            with written_whole(target) as part, part.open("wb") as file:
                copied = 0
                async for chunk in response.content.iter_chunked(_CHUNK):
                    copied += len(chunk)
                    if copied > max_bytes:
                        raise BadInput(
                            f"{shown} is larger than {max_bytes / 1e6:.0f} MB: raise REELFLOW_MAX_SOURCE_BYTES to "
                            "take it.", field="source",
                        )
                    await asyncio.to_thread(file.write, chunk)
    except aiohttp.InvalidURL:
        raise BadInput(f"{shown} is no address of a file: check how it is written.", field="source") from None
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        # The words of these hold the whole address, which may be signed.
        is_telling = isinstance(error, aiohttp.ClientResponseError)
        why = type(error).__name__ if is_telling else str(error) or type(error).__name__
        raise SourceFault(f"{shown} can't be fetched: {why}.", field="source") from None


async def _refuse_private(_session: Any, _context: Any, step: Any) -> None:
    """Follow a redirect to another host only to where everybody can go, not into this machine's own network."""
    target = urlsplit(step.response.headers.get("Location", "")).hostname
    if target is None or target == step.url.host:
        return
    found = await asyncio.get_running_loop().getaddrinfo(target, None, type=socket.SOCK_STREAM)
    if any(not ipaddress.ip_address(str(entry[4][0]).partition("%")[0]).is_global for entry in found):
        raise BadInput(
            f"The source redirects to {target}, in a private network: name the file itself, or set "
            "REELFLOW_PRIVATE_SOURCES=true.", field="source",
        )
