"""The pictures of a run: a filmstrip and stills for its page, a poster, and before and after.

Passes that have the pictures in their hands leave them in a folder (see `strip_command`); what is not there is read
anew, in one ffmpeg pass. Both are gathered here.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from reelflow.errors import MediaFailed
from reelflow.media.geometry import Size, even
from reelflow.media.probe import Probe
from reelflow.media.run import run_ffmpeg
from reelflow.media.strip_command import BEFORE, CELLS, HALF_WAY, cell_size, spread, strip_arguments
from reelflow.whole import written_whole

if TYPE_CHECKING:
    from PIL.Image import Image

_STILL_PIXELS = 480 * 270
_PAIR_WIDTH = 960
# Noise costs ten times what a quiet picture does: what comes out too large is written again, coarser.
_QUALITIES = (85, 60, 40, 25)
_MOST_BYTES = 150_000
_KEPT_QUALITY = 92
_TIMEOUT = 240.0


@dataclass(frozen=True, slots=True)
class Cell:
    """One picture of a filmstrip: a JPEG, and when it is seen, in seconds from the film's first frame."""

    at: float
    jpeg: bytes


@dataclass(frozen=True, slots=True)
class Strip:
    """Pictures of a result spread over its length (none for a picture), and a still each of source and result."""

    cells: tuple[Cell, ...]
    before: bytes
    after: bytes | None


async def make_strip(
    before: Probe, after: Probe | None, *, at_before: float, ffmpeg: Path, left: Path | None = None,
    poster: Path | None = None, pair: Path | None = None,
) -> Strip:
    """JPEGs of at most 150 kB in all; `at_before` is the source's moment (seconds) that is half-way in the result.

    `after` is None where the result is no film and no picture that can be read. What is half-way in it is also written
    to `poster`, at its own size, and beside the source's to `pair`, both JPEG, where they are given. `left` is a folder
    in which earlier passes may have left the pictures.

    Raises:
        MediaFailed, MediaTimeout: ffmpeg failed; neither file is written.
    """
    with tempfile.TemporaryDirectory(prefix="reelflow-") as room:
        folder = left or Path(room)
        await read_missing(before, after, folder, at_before=at_before, ffmpeg=ffmpeg)
        return await asyncio.to_thread(_gathered, after, folder, poster, pair)


async def read_missing(
    before: Probe | None, after: Probe | None, folder: Path, *, at_before: float, ffmpeg: Path
) -> None:
    """Have the pictures of a source and of a result in `folder`: those that aren't there are read, in one pass.

    Raises:
        MediaFailed, MediaTimeout: ffmpeg failed, or found no such picture.
    """
    wanted_before = None if _are_there(folder, BEFORE) else before
    names = (HALF_WAY,) if after is not None and after.is_picture else (HALF_WAY, CELLS)
    wanted_after = None if _are_there(folder, *names) else after
    if wanted_before is None and wanted_after is None:
        return
    words = strip_arguments(wanted_before, wanted_after, folder, at_before=at_before)
    await run_ffmpeg(words, ffmpeg=ffmpeg, timeout=_TIMEOUT)
    if not _are_there(folder, *(() if before is None else (BEFORE,)), *(() if after is None else names)):
        raise MediaFailed("ffmpeg found no frame for the pictures beside the film.")


def write_small_poster(folder: Path, destination: Path, *, width: int) -> bool:
    """Write the picture half-way that a pass has left, `width` pixels wide, as JPEG; False where none was left."""
    if not _are_there(folder, HALF_WAY):
        return False
    whole = _opened(folder / HALF_WAY)
    with written_whole(destination) as part:
        part.write_bytes(_jpeg(_sized(whole, Size(width, even(width * whole.height / whole.width))), _KEPT_QUALITY))
    return True


def _are_there(folder: Path, *names: str) -> bool:
    return all((folder / name).exists() and (folder / name).stat().st_size for name in names)


def _gathered(after: Probe | None, folder: Path, poster: Path | None, pair: Path | None) -> Strip:
    before = _opened(folder / BEFORE)
    if after is None:
        return Strip((), _within([_sized(before, _still_size(before))])[0], None)
    half_way = _opened(folder / HALF_WAY)
    frames = () if after.is_picture else spread(after.frames)
    cells = _cells(folder / CELLS, frames, cell_size(after.shown)) if frames else []
    stills = [_sized(one, _still_size(one)) for one in (before, half_way)]
    first, second, *row = _within([*stills, *cells])
    with contextlib.ExitStack() as written:
        if poster is not None:
            shutil.copyfile(folder / HALF_WAY, written.enter_context(written_whole(poster)))
        if pair is not None:
            both = _side_by_side(before, half_way)
            written.enter_context(written_whole(pair)).write_bytes(_jpeg(both, _KEPT_QUALITY))
    return Strip(tuple(Cell(float(frame / after.rate), jpeg) for frame, jpeg in zip(frames, row, strict=True)),
                 first, second)


def _cells(path: Path, frames: tuple[int, ...], size: Size) -> list[Image]:
    """The small pictures; the film's first one comes ahead of them, unless it is one of them."""
    from PIL import Image

    each, held = size.width * size.height * 3, path.read_bytes()
    first = len({0, *frames}) - len(frames)
    if len(held) != each * (first + len(frames)):
        raise MediaFailed("ffmpeg found other pictures than were asked for, for the film's page.")
    return [Image.frombytes("RGB", (size.width, size.height), held[each * place:each * (place + 1)])
            for place in range(first, first + len(frames))]


def _within(pictures: list[Image]) -> list[bytes]:
    """The pictures as JPEGs that are together no larger than a page should be."""
    made: list[bytes] = []
    for quality in _QUALITIES:
        made = [_jpeg(picture, quality) for picture in pictures]
        if sum(map(len, made)) <= _MOST_BYTES:
            break
    return made


def _side_by_side(before: Image, after: Image) -> Image:
    """Two pictures beside one another, equally tall."""
    from PIL import Image

    shapes = [one.width / one.height for one in (before, after)]
    height = even(_PAIR_WIDTH / sum(shapes))
    widths = [even(height * shape) for shape in shapes]
    pair = Image.new("RGB", (sum(widths), height))
    for picture, width, left in zip((before, after), widths, (0, widths[0]), strict=True):
        pair.paste(_sized(picture, Size(width, height)), (left, 0))
    return pair


def _opened(path: Path) -> Image:
    from PIL import Image

    with Image.open(path) as picture:
        return picture.convert("RGB")


def _sized(picture: Image, size: Size) -> Image:
    from PIL import Image

    return picture.resize((size.width, size.height), Image.Resampling.LANCZOS)


def _jpeg(picture: Image, quality: int) -> bytes:
    made = io.BytesIO()
    picture.save(made, "jpeg", quality=quality, optimize=True)
    return made.getvalue()


def _still_size(picture: Image) -> Size:
    scale = min(1.0, (_STILL_PIXELS / (picture.width * picture.height)) ** 0.5)
    return Size(even(picture.width * scale), even(picture.height * scale))
