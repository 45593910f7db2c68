"""Text as a picture, drawn by Pillow with a font that comes along: the same letters on every machine."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reelflow.errors import BadInput
from reelflow.media.geometry import Size, even

if TYPE_CHECKING:
    from PIL import ImageFont

_BOX = (12, 12, 16, 176)


def load_font(size: int, path: Path | None = None) -> ImageFont.FreeTypeFont:
    """A font, `size` pixels high: Source Sans (Latin, Greek, Cyrillic), or the TrueType or OpenType file at `path`.

    Raises:
        BadInput: the file isn't a font.
    """
    from PIL import ImageFont

    if path is None:
        own = files("font_source_sans_pro") / "files" / "SourceSansPro-Semibold.ttf"
        return ImageFont.truetype(BytesIO(own.read_bytes()), size)
    try:
        return ImageFont.truetype(str(path), size)
    except OSError:
        raise BadInput(f"{path} can't be read as a font: give a TrueType or OpenType file.", field="font") from None


def read_colour(colour: str) -> tuple[int, int, int]:
    """Red, green and blue of `#rrggbb` or of a name. Raises ValueError."""
    from PIL import ImageColor

    try:
        found = ImageColor.getrgb(colour.strip())
    except ValueError:
        raise ValueError(f"{colour!r} is not a colour: write #rrggbb or a name such as white or gold") from None
    return found[0], found[1], found[2]


@dataclass(frozen=True)
class Lettering:
    """Words as they are drawn: in lines of `size` pixels that are at most `widest` pixels wide, on a `background` of
    "shadow", "box" or "none"; `align` is "left", "center" or "right". With a `font` of one's own, its file.
    """

    text: str
    size: int
    widest: int
    colour: str = "white"
    background: str = "shadow"
    font: Path | None = None
    align: str = "center"

    def measure(self) -> Size:
        """How large the picture of it is. Raises BadInput for a font that can't be read or lacks a letter."""
        left, top, right, bottom = self._bounds
        return Size(even(right - left + 2 * self._room), even(bottom - top + 2 * self._room))

    def write(self, destination: Path) -> None:
        """The picture of it, as a PNG with transparency. Raises what `measure` raises."""
        from PIL import Image, ImageDraw, ImageFilter

        size = self.measure()
        whole = (size.width, size.height)
        picture = Image.new("RGBA", whole, (0, 0, 0, 0))
        dark = self._edge_colour
        if self.background == "box":
            ImageDraw.Draw(picture).rounded_rectangle(
                (0, 0, size.width - 1, size.height - 1), round(self.size * 0.22), fill=(*dark, _BOX[3]))
        elif self.background == "shadow":
            fallen = Image.new("L", whole, 0)
            self._draw(ImageDraw.Draw(fallen), 255, stroke=self._outline, down=max(1, self.size // 24))
            fallen = fallen.filter(ImageFilter.GaussianBlur(self.size / 16)).point([round(v * 0.8) for v in range(256)])
            picture = Image.new("RGBA", whole, (*dark, 0))
            picture.putalpha(fallen)
            outlined = Image.new("RGBA", whole, (*dark, 0))
            self._draw(ImageDraw.Draw(outlined), (*dark, 230), stroke=self._outline)
            picture = Image.alpha_composite(picture, outlined)
        red, green, blue = read_colour(self.colour)
        letters = Image.new("RGBA", whole, (red, green, blue, 0))
        self._draw(ImageDraw.Draw(letters), (red, green, blue, 255))
        Image.alpha_composite(picture, letters).save(destination)

    def _draw(self, pen: Any, fill: Any, *, stroke: int = 0, down: int = 0) -> None:
        # Line by line: Pillow's own lines lie further apart where they have an outline.
        left, top, _, _ = self._bounds
        for line, x, y in self._lines:
            pen.text((self._room - left + x, self._room - top + y + down), line, font=self._font, fill=fill,
                     anchor="ls", stroke_width=stroke)

    @property
    def _edge_colour(self) -> tuple[int, int, int]:
        """Dark behind light letters, and light behind dark ones."""
        red, green, blue = read_colour(self.colour)
        return _BOX[:3] if red * 0.299 + green * 0.587 + blue * 0.114 > 96 else (244, 244, 246)

    @property
    def _outline(self) -> int:
        return max(1, round(self.size / 22))

    @property
    def _room(self) -> int:
        """What is beside the letters, for what lies behind them."""
        return {"box": round(self.size * 0.4), "shadow": self._outline + round(self.size / 5)}.get(self.background, 2)

    @cached_property
    def _font(self) -> Any:
        return load_font(self.size, self.font)

    @cached_property
    def _bounds(self) -> tuple[int, int, int, int]:
        """What the letters cover, from the beginning of the first line on."""
        boxes = [self._font.getbbox(line, anchor="ls") for line, _, _ in self._lines]
        lefts, tops, rights, bottoms = zip(*(
            (box[0] + x, box[1] + y, box[2] + x, box[3] + y)
            for box, (_, x, y) in zip(boxes, self._lines, strict=True)), strict=True)
        return math.floor(min(lefts)), math.floor(min(tops)), math.ceil(max(rights)), math.ceil(max(bottoms))

    @cached_property
    def _lines(self) -> list[tuple[str, float, float]]:
        """Each line, and where it begins on its base line."""
        text = self.text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", "    ").strip("\n")
        self._check_letters(text)
        lines = [line for long in text.split("\n") for line in self._wrapped(long)]
        lengths = [self._font.getlength(line) for line in lines]
        share = {"left": 0.0, "right": 1.0}.get(self.align, 0.5)
        return [(line, (max(lengths) - length) * share, round(self.size * 1.22) * index)
                for index, (line, length) in enumerate(zip(lines, lengths, strict=True))]

    def _wrapped(self, line: str) -> list[str]:
        """A line as lines that fit: broken between words, and within one that is too long by itself."""
        made, rest = [""], line.split(" ")
        while rest:
            word = rest.pop(0)
            longer = f"{made[-1]} {word}" if made[-1] else word
            if self._fits(longer):
                made[-1] = longer
            elif made[-1]:
                made.append("")
                rest.insert(0, word)
            else:
                most = max((n for n in range(1, len(word)) if self._fits(word[:n])), default=1)
                made[-1] = word[:most]
                if word[most:]:
                    made.append("")
                    rest.insert(0, word[most:])
        return made

    def _fits(self, line: str) -> bool:
        return bool(self._font.getlength(line) <= self.widest - 2 * self._room)

    def _check_letters(self, text: str) -> None:
        def shape(letter: str) -> tuple[Any, bytes]:
            mask = self._font.getmask(letter)
            return mask.size, bytes(mask)

        unknown = shape("\U0010ffff")
        letters = dict.fromkeys(letter for letter in text if not letter.isspace())
        lacking = next((letter for letter in letters if shape(letter) == unknown), None)
        if lacking is not None:
            whose = "the built-in font" if self.font is None else str(self.font)
            raise BadInput(f"There is no letter {lacking!r} in {whose}: name a font file that has it.", field="font")


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
