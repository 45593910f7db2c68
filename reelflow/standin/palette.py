"""The colours of a reference picture: a scale from its shadows to its lights, laid over a film."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from reelflow.media.run import run_ffmpeg
from reelflow.standin.opened import picture_input

SIDE = 24
_PLACES = (0.06, 0.35, 0.65, 0.96)

Rgb = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours (red, green, blue, 0..1) for shadows, darks, lights and highlights, each as bright as its place.

    `backdrop` says whether the picture stands before an even ground, which can be keyed out.
    """

    colours: tuple[Rgb, Rgb, Rgb, Rgb]
    backdrop: bool

    def graph(self, begin: str, end: str, *, weight: float) -> str:
        """The filter graph that tints the film at `begin` with the palette, by `weight` 0..1."""
        curves = ":".join(
            f"{name}='" + " ".join(
                f"{place:.3f}/{colour[channel]:.3f}" for place, colour in zip(_PLACES, self.colours, strict=True)
            ) + "'" for channel, name in enumerate("rgb")
        )
        keep = 1 - weight
        return (
            f"[{begin}]split[{end}a][{end}b];[{end}b]lutyuv=u=128:v=128,curves={curves},format=yuv420p[{end}c];"
            f"[{end}a][{end}c]blend=c0_opacity={1 - weight / 2:.3f}:c1_opacity={keep:.3f}:c2_opacity={keep:.3f}[{end}]"
        )


async def read_palette(picture: Path, *, ffmpeg: Path, timeout: float) -> Palette:
    """The palette of a picture. Raises MediaFailed where ffmpeg can't read it."""
    small = picture.with_name(f"{picture.name}.rgb")
    await run_ffmpeg(
        ["-y", *picture_input(picture), "-frames:v", "1", "-vf", f"scale={SIDE}:{SIDE}:flags=area,format=rgb24",
         "-f", "rawvideo", f"file:{small}"], ffmpeg=ffmpeg, timeout=timeout,
    )
    flat = small.read_bytes()
    small.unlink()
    pixels: list[Rgb] = [
        (flat[at] / 255, flat[at + 1] / 255, flat[at + 2] / 255) for at in range(0, SIDE * SIDE * 3, 3)
    ]
    by_light = sorted(pixels, key=_luma)
    quarter = len(by_light) // 4
    quarters = [by_light[part * quarter:(part + 1) * quarter] for part in range(4)]
    first, second, third, fourth = (
        _as_bright(_mean(part), place) for part, place in zip(quarters, _PLACES, strict=True)
    )
    corners = [pixels[at] for at in (0, SIDE - 1, SIDE * (SIDE - 1), SIDE * SIDE - 1)]
    alike = sum(_apart(pixel, corners[0]) < 0.12 for pixel in pixels) / len(pixels)
    even = all(_apart(corner, corners[0]) < 0.12 for corner in corners)
    return Palette((first, second, third, fourth), backdrop=even and 0.1 < alike < 0.85)


def _luma(colour: Rgb) -> float:
    return 0.2126 * colour[0] + 0.7152 * colour[1] + 0.0722 * colour[2]


def _mean(colours: list[Rgb]) -> Rgb:
    red, green, blue = (fmean(channel) for channel in zip(*colours, strict=True))
    return red, green, blue


def _as_bright(colour: Rgb, luma: float) -> Rgb:
    more = luma - _luma(colour)
    red, green, blue = (min(1.0, max(0.0, channel + more)) for channel in colour)
    return red, green, blue


def _apart(one: Rgb, other: Rgb) -> float:
    return max(abs(a - b) for a, b in zip(one, other, strict=True))
