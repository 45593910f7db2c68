"""Files on other machines, through fsspec: s3://bucket/… and whatever else it reads. All calls block.

Those that may take long look, after each chunk, whether they were `stopped` meanwhile; SourceFault says that they were.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reelflow.errors import BadInput, SourceFault
from reelflow.home import expanded
from reelflow.whole import name_part, was_left_here, written_whole

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
_LOGIN = re.compile(r"^([a-z][a-z0-9+.-]+://)[^/]*@", re.IGNORECASE)
_MAGIC = re.compile(r"[*?[]")
_TOP = re.compile(r":///?\Z")
_WEB = ("http://", "https://")
_SAME = {"s3a": "s3", "gcs": "gs"}
_CHUNK = 1 << 20
# Where a file is there whole or not at all, without our renaming it.
_WHOLE = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "adl", "oss", "memory"})


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file at an address: its size in bytes, and what changes when it does (an ETag, or when it was written)."""

    address: str
    size_bytes: int
    mark: str


def is_web(text: str) -> bool:
    """Whether a source is an http(s) address, which is read by other rules."""
    return text.lower().startswith(_WEB)


def is_remote(text: str) -> bool:
    """Whether a source or an output is an address that fsspec reads."""
    return bool(_ADDRESS.match(text)) and not is_web(text)


def shows_whole(address: str) -> bool:
    """Whether a file at an address can be seen only once it is whole, as in an object store."""
    return address.partition("://")[0].lower() in _WHOLE


def join(prefix: str, name: str) -> str:
    """The address of a name below a prefix."""
    return f"{prefix.rstrip('/')}/{name}"


def place_of(address: str) -> str:
    """An address, or a folder's path, as it can be held against others."""
    scheme, sign, rest = shown(address).rpartition("://")
    if not sign or scheme.lower() == "file":
        return str(expanded(rest).resolve())
    return f"{_SAME.get(scheme.lower(), scheme.lower())}://{rest.strip('/')}"


def list_files(address: str, *, field: str = "sources", may_be_empty: bool = False) -> tuple[RemoteFile, ...]:
    """The files right below a prefix, or those that fit a glob, by name.

    An object store knows no folders: a prefix below which nothing lies is not there, and refused unless it
    `may_be_empty`. Raises BadInput.
    """
    with _opened(address, field) as (system, path, scheme):
        system.invalidate_cache()
        lies, where = path, address
        if (magic := _MAGIC.search(path)) is not None:
            lies = path[:path.rfind("/", 0, magic.start()) + 1]
            where = address.rstrip("/").removesuffix(path[len(lies):].rstrip("/"))
            found = list(system.glob(path, detail=True).values())
        elif system.isdir(path):
            found = system.ls(path, detail=True)
        else:
            try:
                found = [system.info(path)]
            except FileNotFoundError:
                if not (may_be_empty and scheme in _WHOLE):
                    raise
                # Nothing comes of it but an error, where the bucket isn't there or may not be read.
                found = list(system.find(path, detail=True).values())
        files = [one for one in found if one["type"] == "file" and not str(one["name"]).endswith("/")]
        return tuple(_remote_file(one, _address(str(one["name"]), lies, where))
                     for one in sorted(files, key=lambda one: str(one["name"])))


def look_at(address: str, *, field: str = "source") -> RemoteFile | None:
    """The file at an address; None where there is none. Raises BadInput."""
    with _opened(address, field) as (system, path, _):
        system.invalidate_cache()
        try:
            found = system.info(path)
        except FileNotFoundError:
            return None
        return _remote_file(found, address) if found["type"] == "file" else None


def read(address: str, *, max_bytes: int, field: str = "source") -> bytes:
    """The bytes of a file. Raises BadInput where it is larger than `max_bytes`, or can't be read."""
    with _opened(address, field) as (system, path, _), system.open(path, "rb") as file:
        got = bytes(file.read(max_bytes + 1))
    if len(got) > max_bytes:
        raise BadInput(f"{shown(address)} is larger than {max_bytes / 1e6:.0f} MB.", field=field)
    return got


def fetch(address: str, target: Path, *, max_bytes: int, stopped: threading.Event | None = None) -> None:
    """Bring a file here, whole or not at all, at constant memory.

    Raises:
        BadInput: it is larger than `max_bytes`, or is not there, or may not be read.
        SourceFault: it could not be read in a way that may pass.
    """
    with _opened(address, "source") as (system, path, _):
        if system.info(path)["size"] > max_bytes:
            raise _too_large(address, max_bytes)
        with system.open(path, "rb") as there, written_whole(target) as part, part.open("wb") as here:
            copied = 0
            for chunk in _chunks(there, stopped):
                copied += len(chunk)
                if copied > max_bytes:
                    raise _too_large(address, max_bytes)
                here.write(chunk)


def digest(address: str, *, stopped: threading.Event | None = None) -> str:
    """The SHA-256 of a file's bytes, in hex. Raises BadInput, SourceFault."""
    with _opened(address, "source") as (system, path, _), system.open(path, "rb") as there:
        found = hashlib.sha256()
        for chunk in _chunks(there, stopped):
            found.update(chunk)
    return found.hexdigest()


def put(path: Path, address: str, *, stopped: threading.Event | None = None) -> None:
    """Bring a file there, under its name only once it is whole, in a part of its own until then.

    It is the filesystem that sends it: some do so in one go, and can't be stopped. Raises BadInput, SourceFault.
    """
    with _opened(address, "output") as (system, there, scheme):
        if scheme in _WHOLE:
            system.put_file(str(path), there, callback=_heeding(stopped))
            return
        folder, sign, name = there.rpartition("/")
        system.makedirs(folder, exist_ok=True)
        _clear_left(system, folder)
        part = f"{folder}{sign}{name_part(name)}"
        try:
            system.put_file(str(path), part, callback=_heeding(stopped))
            system.mv(part, there)
        except BaseException:
            with contextlib.suppress(Exception):  # why it could not be brought is what counts
                system.rm_file(part)
            raise


def write(address: str, raw: bytes, *, field: str = "output") -> None:
    """Write a small file. Raises BadInput, SourceFault."""
    with _opened(address, field) as (system, path, scheme):
        if scheme not in _WHOLE:
            system.makedirs(path.rpartition("/")[0], exist_ok=True)
        system.pipe_file(path, raw)


def move(address: str, target: str) -> None:
    """Move a file to another address on the same system. Raises BadInput, SourceFault."""
    with _opened(address, "source") as (system, path, scheme):
        there = system._strip_protocol(target)
        if scheme not in _WHOLE:
            system.makedirs(there.rpartition("/")[0], exist_ok=True)
        system.mv(path, there)


def shown(address: str) -> str:
    """An address as it may be shown: without a password. A key may hold any sign, `?` and `#` too."""
    return _LOGIN.sub(r"\1", address)


@functools.cache  # a long list is not to be had for each file
def _clear_left(system: Any, folder: str) -> None:
    """Remove the parts that processes of this machine, which were killed, have left in a folder."""
    with contextlib.suppress(Exception):  # they are in nobody's way, and a folder may be one to write to only
        for left in system.ls(folder, detail=False):
            if was_left_here(left.rpartition("/")[2]):
                system.rm_file(left)


@contextlib.contextmanager
def _opened(address: str, field: str) -> Iterator[tuple[Any, str, str]]:
    """The filesystem of an address, and the path in it; errors come out as ours."""
    import fsspec

    scheme = address.partition("://")[0].lower()
    if "::" in address or scheme in ("local", "reference", "dir"):
        raise BadInput(f"{shown(address)} can't be used: name the file itself, such as s3://bucket/film.mp4.",
                       field=field)
    try:
        system, path = fsspec.core.url_to_fs(address)
    except ImportError:
        extra = "reelflow[s3]" if scheme in ("s3", "s3a") else "what fsspec asks for"
        raise BadInput(f"Addresses that begin with {scheme}:// need {extra}: install it where reelflow runs.",
                       field=field) from None
    except ValueError:
        raise BadInput(f"Addresses that begin with {scheme}:// are not known.", field=field) from None
    except Exception as error:  # some call their machine at once
        raise _unreached(address, field, error) from error
    try:
        yield system, path, scheme
    except FileNotFoundError:
        raise BadInput(f"There is nothing at {shown(address)}.", field=field) from None
    except PermissionError as error:
        raise BadInput(f"{shown(address)} may not be used from here ({_reason(error)}): check the credentials.",
                       field=field) from None
    except BadInput:
        raise
    except Exception as error:  # every filesystem has errors of its own
        raise _unreached(address, field, error) from error


def _unreached(address: str, field: str, error: Exception) -> BadInput:
    """An error of a filesystem as ours: what may pass, unless it has no login at all."""
    if "Credential" in type(error).__name__:
        return BadInput(f"{shown(address)} may not be used from here ({_reason(error)}): check the credentials.",
                        field=field)
    return SourceFault(f"{shown(address)} can't be reached: {_reason(error)}.", field=field)


def _chunks(file: Any, stopped: threading.Event | None) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK):
        _heed(stopped)
        yield chunk


def _heeding(stopped: threading.Event | None) -> Any:
    """What a filesystem calls with each chunk that it has sent."""
    from fsspec.callbacks import Callback

    return Callback(hooks={"heed": lambda *_, **__: _heed(stopped)})


def _heed(stopped: threading.Event | None) -> None:
    if stopped is not None and stopped.is_set():
        raise SourceFault("It was stopped.")


def _address(name: str, path: str, where: str) -> str:
    """The address of what a filesystem lists as `name`, at or below a `path` of which `where` is the address.

    What is part of the one and not of the other, such as a host, stays as it was given.
    """
    below = name.strip("/").removeprefix(path.strip("/")).lstrip("/")
    if not below:
        return where
    return f"{where}{below}" if _TOP.search(where) else join(where, below)


def _remote_file(found: dict[str, Any], address: str) -> RemoteFile:
    mark = next((str(found[name]) for name in ("ETag", "etag", "md5", "LastModified", "mtime", "created")
                 if found.get(name)), "")
    return RemoteFile(address, int(found.get("size") or 0), mark)


def _too_large(address: str, max_bytes: int) -> BadInput:
    return BadInput(f"{shown(address)} is larger than {max_bytes / 1e6:.0f} MB: raise REELFLOW_MAX_SOURCE_BYTES to "
                    "take it.", field="source")


def _reason(error: BaseException) -> str:
    return str(error).partition("\n")[0].strip().rstrip(".") or type(error).__name__
