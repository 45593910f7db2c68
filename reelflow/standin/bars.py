"""The black bars around a film: where the picture is in its frame, so that nothing is drawn where the picture ends."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import takewhile
from pathlib import Path

from reelflow.media.geometry import Box, Size
from reelflow.media.run import run_ffmpeg

_BLACK = 28
_LOOKED_AT = 16


async def inside_bars(
    source: list[str], in_frame: str, frame: Size, seconds: float, *, beside: Path, ffmpeg: Path, timeout: float
) -> Box | None:
    """The part of `frame` that is not black all along; None where that is all of it, or nothing worth drawing.

    `source` are the arguments that open the film (of `seconds`, 0 for a picture), `in_frame` the filters that bring it
    into the frame; the frames' brightest are written to a file next to `beside`, which is gone afterwards.

    Raises MediaFailed or MediaTimeout.
    """
    brightest = beside.with_name(f"{beside.name}.luma")
    rate = _LOOKED_AT / seconds if seconds > 1 else _LOOKED_AT
    try:
        await run_ffmpeg(
            ["-y", *source, "-map", "0:v:0", "-vf", f"fps={rate:.6f},{in_frame},extractplanes=y,lagfun=decay=1",
             "-c:v", "rawvideo", "-f", "image2", "-update", "1", f"file:{brightest}"], ffmpeg=ffmpeg, timeout=timeout,
        )
        luma = brightest.read_bytes()
    finally:
        brightest.unlink(missing_ok=True)
    return _picture(luma, frame)


def _picture(luma: bytes, frame: Size) -> Box | None:
    width, height = frame.width, frame.height
    left, right = _bar(luma[x::width] for x in range(width)), _bar(luma[x::width] for x in reversed(range(width)))
    rows = [luma[y * width:(y + 1) * width] for y in range(height)]
    top, bottom = _bar(rows), _bar(reversed(rows))
    # A film that is dark all along has no bars, and a sliver of it is none either.
    if not left + right + top + bottom or left + right > width * 3 // 4 or top + bottom > height * 3 // 4:
        return None
    return Box(left, top, width - left - right, height - top - bottom)


def _bar(lines: Iterable[bytes]) -> int:
    """How many lines at the beginning are black: even, since colours have half the resolution."""
    return (sum(1 for _ in takewhile(lambda line: max(line) <= _BLACK, lines)) + 1) // 2 * 2
