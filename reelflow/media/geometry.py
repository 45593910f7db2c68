"""Fit a picture into a model's frame, and back again: whole numbers worked out once and kept for both ways."""

from __future__ import annotations

from dataclasses import dataclass

from reelflow.choices import Fit


@dataclass(frozen=True, slots=True)
class Size:
    """Width and height in pixels."""

    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"

    @property
    def turned(self) -> Size:
        """The same size on its side."""
        return Size(self.height, self.width)


@dataclass(frozen=True, slots=True)
class Box:
    """A part of a picture: its size and where its top left corner lies, in pixels."""

    x: int
    y: int
    width: int
    height: int

    @property
    def size(self) -> Size:
        """The size without the place."""
        return Size(self.width, self.height)


@dataclass(frozen=True, slots=True)
class Geometry:
    """The way of a picture into the frame and back.

    `taken` is the part of the stored picture (turned upright) that is used, `placed` is where it lies in `frame`,
    `restored` is the size that `placed` is given on the way back.
    """

    taken: Box
    frame: Size
    placed: Box
    restored: Size

    @property
    def is_padded(self) -> bool:
        """Whether there is black beside the picture in the frame."""
        return self.placed.size != self.frame


def even(value: float) -> int:
    """The even number nearest to `value`, at least 2; halves go up."""
    return max(2, 2 * int(value / 2 + 0.5))


def even_size(size: Size) -> Size:
    """The same in even numbers, as 4:2:0 has it."""
    return Size(even(size.width), even(size.height))


def even_down(value: float) -> int:
    """The largest even number that isn't over `value`; 0 for what is under 2."""
    return 2 * int(value / 2 + 1e-9)


def orient(frame: Size, shown: Size) -> Size:
    """The model's (landscape) frame in the orientation of the picture; a square picture gets the landscape one."""
    upright = shown.height > shown.width
    return frame.turned if upright == (frame.width > frame.height) and frame.width != frame.height else frame


def fit_into(stored: Size, shown: Size, frame: Size, fit: Fit) -> Geometry:
    """The geometry for a picture stored as `stored` pixels (upright), meant to be seen as `shown`, in `frame`.

    All that ffmpeg sees of it is even, since 4:2:0 has no halves of a colour sample.
    """
    whole = Box(0, 0, stored.width, stored.height)
    full = Box(0, 0, frame.width, frame.height)
    restored = even_size(shown)
    if fit is Fit.STRETCH:
        return Geometry(whole, frame, full, restored)
    if fit is Fit.PAD:
        scale = min(frame.width / shown.width, frame.height / shown.height)
        width, height = min(frame.width, even(shown.width * scale)), min(frame.height, even(shown.height * scale))
        placed = Box(even_down((frame.width - width) / 2), even_down((frame.height - height) / 2), width, height)
        return Geometry(whole, frame, placed, restored)
    scale = max(frame.width / shown.width, frame.height / shown.height)
    part = Size(
        min(stored.width, even(frame.width / scale * stored.width / shown.width)),
        min(stored.height, even(frame.height / scale * stored.height / shown.height)),
    )
    taken = Box(
        even_down((stored.width - part.width) / 2), even_down((stored.height - part.height) / 2), part.width,
        part.height,
    )
    # What is under 4 pixels is no film any more.
    cut = Size(
        min(restored.width, max(4, even(part.width * shown.width / stored.width))),
        min(restored.height, max(4, even(part.height * shown.height / stored.height))),
    )
    return Geometry(taken, frame, full, cut)


def scale_box(box: Box, frame: Size, actual: Size) -> Box:
    """`box` in `frame`, found again in a picture of `actual` pixels; even, and inside the picture."""
    across, down = actual.width / frame.width, actual.height / frame.height
    x, y = even_down(box.x * across), even_down(box.y * down)
    width = min(even(box.width * across), even_down(actual.width - x))
    height = min(even(box.height * down), even_down(actual.height - y))
    return Box(x, y, width, height)
