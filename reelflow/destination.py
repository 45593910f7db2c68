"""Where a finished film goes, checked before anything is made or bought."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from reelflow.errors import BadInput
from reelflow.media.outputs import choose_encoding

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg")
LEAST_FREE_BYTES = 64 * 2**20


def choose_output(
    wanted: str | Path | None, *, folder: Path, name: str, is_film: bool, overwrite: bool, codec: str | None = None,
    source: Path | None = None, need_bytes: int = 0,
) -> Path:
    """The final path: `wanted`, or `name` in `wanted` where that is a folder, or `name` in `folder`.

    `need_bytes` is about what the run will write. Folders are made as needed. Raises BadInput: exists already, is the
    source itself, wrong suffix, a codec that it can't hold, folder not writable, no space.
    """
    ending = ".mp4" if is_film else ".png"
    if wanted is None or str(wanted) == "":
        target = folder / f"{name}{ending}"
    else:
        target = Path(wanted).expanduser().absolute()
        if target.is_dir() or str(wanted).endswith(("/", os.sep)):
            target = target / f"{name}{ending}"
    if is_film:
        choose_encoding(target, codec)
    elif target.suffix.lower() not in PICTURE_SUFFIXES:
        raise BadInput(f"{target.name!r} does not end in {', '.join(PICTURE_SUFFIXES)}: a picture is made.",
                       field="output")
    if source is not None and target.exists() and source.exists() and target.samefile(source):
        raise BadInput(f"The output {target} is the source itself: choose another name.", field="output")
    if target.exists() and not overwrite:
        raise refuse_existing(target)
    check_folder(target.parent, need_bytes=need_bytes)
    return target


def companions(target: Path, *, is_film: bool) -> dict[str, Path]:
    """The pictures that are written beside a finished file, by what they are: its poster (films), before and after."""
    made = {"poster": target.with_name(f"{target.stem}.poster.jpg")} if is_film else {}
    return made | {"before_after": target.with_name(f"{target.stem}.before-after.jpg")}


def check_companions(target: Path, *, is_film: bool, overwrite: bool, source: Path) -> None:
    """Check the names of the pictures beside a file that isn't there yet. Raises BadInput: one is taken."""
    for beside in companions(target, is_film=is_film).values():
        if beside.exists() and source.exists() and beside.samefile(source):
            raise BadInput(f"The source {source} has the name that a picture beside {target.name} gets: choose another "
                           "output.", field="output")
        if beside.exists() and not overwrite and not target.exists():
            raise refuse_existing(beside)


def refuse_existing(target: Path) -> BadInput:
    """What is said where the output exists."""
    return BadInput(f"The output {target} exists: choose another name or allow it to be replaced (--overwrite).",
                    field="output")


def check_folder(folder: Path, *, need_bytes: int = 0, field: str = "output") -> None:
    """Make `folder` where it's missing, and refuse one that can't be written or has no room. Raises BadInput."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"The folder {folder} can't be made: {error.strerror}.", field=field) from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise BadInput(f"The folder {folder} can't be written to: choose another one.", field=field)
    need = max(LEAST_FREE_BYTES, need_bytes)
    if (free := shutil.disk_usage(folder).free) < need:
        raise BadInput(
            f"The folder {folder} has {free / 1e6:.0f} MB free and about {need / 1e6:.0f} MB are needed: make room or "
            "choose another one.", field=field,
        )
