"""Text as a picture, drawn by Pillow with the font that it brings along: the same letters on every machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from reelflow.errors import BadInput

if TYPE_CHECKING:
    from PIL import ImageFont


def load_font(size: int, path: Path | None = None) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """A font, `size` pixels high: Pillow's own (Latin letters), or the TrueType or OpenType file at `path`.

    Raises:
        BadInput: the file isn't a font.
    """
    from PIL import ImageFont

    if path is None:
        return ImageFont.load_default(size)
    try:
        return ImageFont.truetype(str(path), size)
    except OSError:
        raise BadInput(f"{path} can't be read as a font: give a TrueType or OpenType file.", field="font") from None


def write_label(text: str, destination: Path, *, width: int, height: int) -> None:
    """One line of text in the middle of a dark strip, as a PNG; what does not fit is cut, and says so with `…`."""
    from PIL import Image, ImageDraw

    picture = Image.new("RGB", (width, height), (16, 16, 20))
    pen = ImageDraw.Draw(picture)
    font = load_font(max(10, round(height * 0.6)))
    shown = text
    while shown and pen.textlength(shown if shown == text else f"{shown}…", font=font) > width * 0.94:
        shown = shown[:-1]
    pen.text((width / 2, height / 2), shown if shown == text else f"{shown.rstrip()}…", font=font, anchor="mm",
             fill=(236, 236, 240))
    picture.save(destination)
