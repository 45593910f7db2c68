"""Which clips a batch works through: those of a folder, a glob, a prefix on another machine, or a list."""

from __future__ import annotations

import csv
import glob
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any

from reelflow import remote
from reelflow.errors import BadInput
from reelflow.home import expanded
from reelflow.legible import is_legible, legible
from reelflow.sources import is_address, show_source

FILMS = (
    ".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".flv", ".ogv", ".wmv",
    ".asf", ".3gp", ".3g2", ".mj2", ".gif",
)
PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
LISTS = (".txt", ".csv", ".jsonl")
MOST_CLIPS = 100_000
FILES = ("reference_image",)
"""Parameters that name a file, which in a list is found from the list's folder on."""

_MAX_LIST_BYTES = 64 * 2**20
_SOURCE_NAMES = ("source", "image")


@dataclass(frozen=True, slots=True)
class Row:
    """A clip as it is listed: its source, the parameters that are its own, and its line in the list (None: none)."""

    source: str
    own: dict[str, Any] = field(default_factory=dict)
    line: int | None = None


def read_rows(where: str, *, pictures: bool) -> tuple[Row, ...]:
    """The clips of a folder, a glob, a prefix such as s3://bucket/in/, or a list (.txt, .csv, .jsonl), in order.

    Of a folder and of a prefix it is what lies right in it and whose name ends as a film's does (or a picture's, with
    `pictures`). Sources in a list are found from the list's folder on.

    Raises:
        BadInput: there is nothing there, or it can't be read; every faulty line of a list is named.
    """
    if not where.strip():
        raise BadInput("Say which clips: a folder, a glob, a prefix such as s3://bucket/in/, or a list (.txt, .csv, "
                       ".jsonl).", field="sources")
    if where.lower().endswith(LISTS):
        rows = _listed(where)
    elif remote.is_remote(where):
        rows = tuple(Row(found.address) for found in remote.list_files(where)
                     if _is_clip(found.address, where, pictures))
    else:
        rows = tuple(Row(str(path)) for path in _found(where) if _is_clip(str(path), where, pictures))
    if illegible := [legible(row.source) for row in rows if not is_legible(row.source)]:
        more = f" and {len(illegible) - 1} more" if len(illegible) > 1 else ""
        raise BadInput(f"The name {illegible[0]}{more} is not in UTF-8, and no report could tell it: rename the file.",
                       field="sources")
    if not rows and not (is_address(where) or _has_magic(where) or expanded(where).exists()):
        raise BadInput(f"There is no folder and no film {where}: check its name.", field="sources")
    if not rows:
        kind = "pictures" if pictures else "films"
        raise BadInput(f"There are no {kind} in {show_source(where)}: name a folder, a glob, a prefix or a list that "
                       "has some.", field="sources")
    if len(rows) > MOST_CLIPS:
        raise BadInput(f"{show_source(where)} has {len(rows)} clips, and a batch takes {MOST_CLIPS}: make several of "
                       "it.", field="sources")
    return rows


def check_apart(sources: str, results: str, names: Iterable[str], *, pictures: bool) -> None:
    """Refuse results that would be taken for clips the next time, and made into more. Raises BadInput.

    `names` are what is made, each by its path below `results`, a folder or a prefix. A folder that clips are taken from
    is refused whatever is made.
    """
    if sources.lower().endswith(LISTS):
        return
    folder, pattern = _split(sources)
    films = [PurePosixPath(name).as_posix() for name in names if _is_clip(name, sources, pictures)]
    for there, here in zip(_places(folder), _places(results), strict=False):
        wanted = (*glob.escape(there.removesuffix("/")).split("/"), *pattern.split("/"))
        is_taken = any(_fits(wanted, f"{here.removesuffix('/')}/{name}".split("/")) for name in films)
        if is_taken or (here == there and "/" not in pattern):
            raise BadInput(f"The results would lie in {show_source(results)}, where the clips are taken from, and be "
                           "taken for clips the next time: choose another output.", field="output")


def _split(sources: str) -> tuple[str, str]:
    """The folder, or the prefix, that clips are looked for in, and the pattern of their paths below it."""
    if not _has_magic(sources) or (not is_address(sources) and expanded(sources).exists()):
        return sources, "*"
    before = sources[:next(at for at, sign in enumerate(sources) if sign in "*?[")]
    fixed = before[:before.rfind("/") + 1]
    return fixed or ".", sources[len(fixed):]


def _places(where: str) -> tuple[str, ...]:
    """A place as it can be held against others; a folder as it lies and as it is named, which links may keep apart."""
    lies = remote.place_of(where)
    return (lies,) if is_address(where) else (lies, str(expanded(where).absolute()))


def _fits(pattern: Sequence[str], path: Sequence[str]) -> bool:
    """Whether a pattern takes a path, part by part; `**` stands for any number of folders."""
    if not pattern or not path:
        return not pattern and not path
    if pattern[0] == "**":
        return any(_fits(pattern[1:], path[at:]) for at in range(len(path) + 1))
    return fnmatchcase(path[0], pattern[0]) and _fits(pattern[1:], path[1:])


def _is_clip(source: str, where: str, pictures: bool) -> bool:
    """Whether a name is a clip's; a glob that says how names end means it."""
    name = source.rpartition("/")[2].lower()
    if name.startswith("."):
        return False
    return name.endswith(PICTURES if pictures else FILMS) or (_has_magic(where) and "." in where.rpartition("*")[2])


def _has_magic(text: str) -> bool:
    return any(sign in text for sign in "*?[")


def _found(where: str) -> list[Path]:
    path = expanded(where).absolute()
    if path.is_dir():
        return sorted(one for one in path.iterdir() if one.is_file())
    if path.exists() or not _has_magic(where):
        return [path] if path.exists() else []
    fixed = next(at for at, part in enumerate(path.parts) if _has_magic(part))
    return sorted(one for one in Path(*path.parts[:fixed]).glob("/".join(path.parts[fixed:])) if one.is_file())


def _listed(where: str) -> tuple[Row, ...]:
    """The rows of a list, each with its line."""
    text = _text_of(where)
    kind = where.rpartition(".")[2].lower()
    try:
        if kind == "csv":
            found = _csv_rows(text)
        elif kind == "jsonl":
            found = _json_rows(text)
        else:
            found = [Row(line.strip(), {}, number) for number, line in enumerate(_lines_of(text), 1)
                     if line.strip() and not line.lstrip().startswith("#")]
    except (csv.Error, ValueError) as error:
        raise BadInput(f"The list {show_source(where)} can't be read: {error}.", field="sources") from None
    folder = None if is_address(where) else expanded(where).absolute().parent
    base = where.rpartition("/")[0]
    return tuple(Row(_from(row.source, folder, base), _with_files(row.own, folder), row.line) for row in found)


def _from(source: str, folder: Path | None, base: str) -> str:
    if is_address(source) or source == "sample":
        return source
    return f"{base}/{source}" if folder is None else str((folder / expanded(source)).absolute())


def _with_files(own: dict[str, Any], folder: Path | None) -> dict[str, Any]:
    if folder is None:
        return own
    found = {name: str((folder / expanded(str(value))).absolute()) for name, value in own.items()
             if name.rpartition(".")[2] in FILES}
    return {**own, **found}


def _csv_rows(text: str) -> list[Row]:
    reader = csv.DictReader(io.StringIO(text), strict=True)
    names = [name.strip() for name in reader.fieldnames or ()]
    if not set(names) & set(_SOURCE_NAMES):
        raise ValueError("its first line has no column `source`")
    reader.fieldnames = names
    rows = []
    for one in reader:
        if None in one:
            raise ValueError(f"line {reader.line_num} has more cells than the first line has names")
        given = {name: cell.strip() for name, cell in one.items() if cell and cell.strip()}
        if given:
            rows.append(_row(given, reader.line_num))
    return rows


def _lines_of(text: str) -> list[str]:
    """The lines of a list: not `splitlines`, since a prompt in JSON may hold what that takes for the end of a line."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _json_rows(text: str) -> list[Row]:
    rows = []
    for number, line in enumerate(_lines_of(text), 1):
        if not line.strip():
            continue
        try:
            given = json.loads(line)
        except ValueError:
            raise ValueError(f"line {number} is not JSON") from None
        if not isinstance(given, dict):
            raise ValueError(f"line {number} is not an object")
        rows.append(_row({name: value for name, value in given.items() if value not in (None, "")}, number))
    return rows


def _row(given: dict[str, Any], line: int) -> Row:
    source = next((given.pop(name) for name in _SOURCE_NAMES if name in given), None)
    if not isinstance(source, str):
        raise ValueError(f"line {line} has no source")
    return Row(source, given, line)


def _text_of(where: str) -> str:
    shown = show_source(where)
    try:
        if remote.is_remote(where):
            raw = remote.read(where, max_bytes=_MAX_LIST_BYTES, field="sources")
        else:
            path = expanded(where)
            if path.stat().st_size > _MAX_LIST_BYTES:
                raise BadInput(f"The list {shown} is larger than {_MAX_LIST_BYTES // 2**20} MiB.", field="sources")
            raw = path.read_bytes()
        return raw.decode("utf-8-sig")
    except OSError as error:
        raise BadInput(f"The list {shown} can't be read: {error.strerror or error}.", field="sources") from None
    except UnicodeDecodeError:
        raise BadInput(f"The list {shown} is not text in UTF-8.", field="sources") from None
