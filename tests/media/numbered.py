"""Films whose every picture carries its number as a pattern of light and dark, with a beep each second; and reading
them back. Written with PyAV, so that each picture's time is exactly what the test says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

BITS = 14
_COLUMNS, _ROWS = 5, 4  # 14 bits, 2 parity bits, and 4 cells that are always light, dark, light, dark
_PART = 0.5  # of the picture's smaller side, in its middle: a crop leaves it whole
SAMPLE_RATE = 48_000
BEEP_SECONDS = 0.05


@dataclass(frozen=True)
class Shown:
    """One picture of a film: when, in seconds on the file's clock, and which number (None: not readable)."""

    time: float
    number: int | None


def cells(number: int) -> list[bool]:
    """The pattern of a number, row by row."""
    bits = [bool(number >> index & 1) for index in range(BITS)]
    return [*bits, sum(bits) % 2 == 1, sum(bits[::2]) % 2 == 1, True, False, True, False]


def draw(number: int, width: int, height: int) -> np.ndarray[Any, Any]:
    """The picture with this number: a slow gradient, and the pattern in its middle."""
    across = np.linspace(60, 180, width)[None, :].repeat(height, 0)
    picture = np.stack([across, np.linspace(60, 180, height)[:, None].repeat(width, 1), 240 - across], 2)
    side = min(width, height) * _PART
    left, top = (width - side) / 2, (height - side) / 2
    for index, light in enumerate(cells(number)):
        row, column = divmod(index, _COLUMNS)
        y0, y1 = round(top + side * row / _ROWS), round(top + side * (row + 1) / _ROWS)
        x0, x1 = round(left + side * column / _COLUMNS), round(left + side * (column + 1) / _COLUMNS)
        picture[y0:y1, x0:x1] = 235 if light else 20
    return picture.astype(np.uint8)


def read_number(picture: np.ndarray[Any, Any]) -> int | None:
    """The number in a grey picture; None where the pattern isn't whole."""
    height, width = picture.shape
    side = min(width, height) * _PART
    left, top = (width - side) / 2, (height - side) / 2
    found = []
    for index in range(_COLUMNS * _ROWS):
        row, column = divmod(index, _COLUMNS)
        y, x = top + side * (row + 0.5) / _ROWS, left + side * (column + 0.5) / _COLUMNS
        reach_y, reach_x = max(1, side / _ROWS / 5), max(1, side / _COLUMNS / 5)
        patch = picture[round(y - reach_y):round(y + reach_y), round(x - reach_x):round(x + reach_x)]
        found.append(bool(patch.mean() > 127))
    number = sum(1 << index for index in range(BITS) if found[index])
    return number if cells(number) == found else None


def write_numbered(
    path: Path,
    *,
    rate: Fraction | int = 25,
    frames: int = 50,
    size: tuple[int, int] = (160, 90),
    codec: str = "libx264",
    pixels: str = "yuv420p",
    times: Sequence[float] | None = None,
    late: float = 0.0,
    sound: str | None = "aac",
    sound_late: float = 0.0,
    first: int = 0,
    options: dict[str, str] | None = None,
    file_options: dict[str, str] | None = None,
    turn: int = 0,
    mirrored: bool = False,
) -> Path:
    """Write pictures `first`, `first + 1`, … at an even `rate`, or at `times`; a beep begins with each whole second.

    `late` and `sound_late` put off the picture and the sound as a whole, in seconds. With `turn` (degrees clockwise)
    and then `mirrored` it is stored on its side, and the file says how to put it upright; `size` is the upright one.
    """
    rate = Fraction(rate)
    base = 1 / rate if codec == "mpeg4" else Fraction(1, 90_000)  # MPEG-4's clock is 16 bits
    with av.open(str(path), "w", options=file_options or {}) as container:
        film: Any = container.add_stream(codec, rate=rate, options=options or {"preset": "ultrafast", "crf": "12"})
        stored = size[::-1] if turn in (90, 270) else size
        film.width, film.height, film.pix_fmt, film.time_base = *stored, pixels, base
        film.codec_context.time_base = base
        if turn or mirrored:
            film.set_display_rotation(-turn, hflip=mirrored)
        track: Any = container.add_stream(sound, rate=SAMPLE_RATE, layout="stereo") if sound else None
        moments = [Fraction(index) / rate for index in range(frames)] if times is None else [
            Fraction(time).limit_denominator(90_000) for time in times]
        for index, moment in enumerate(moments):
            upright = draw(first + index, *size)
            picture = np.ascontiguousarray(np.rot90(upright[:, ::-1] if mirrored else upright, turn // 90))
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=pixels)
            frame.pts, frame.time_base = round((moment + Fraction(late)) / base), base
            container.mux(film.encode(frame))
        container.mux(film.encode(None))
        if track is not None:
            _write_beeps(container, track, float(moments[-1] + 1 / rate), sound_late)
    return path


def _write_beeps(container: Any, track: Any, seconds: float, late: float) -> None:
    clock = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    wave = np.where(clock % 1.0 < BEEP_SECONDS, np.sin(2 * np.pi * 1000 * clock) * 0.8, 0.0).astype(np.float32)
    size = track.codec_context.frame_size or 1024
    resampler = av.AudioResampler(format=track.codec_context.format, layout="stereo", rate=SAMPLE_RATE)
    for start in range(0, len(wave), size):
        part = wave[start:start + size]
        frame = av.AudioFrame.from_ndarray(np.stack([part, part]), format="fltp", layout="stereo")
        frame.sample_rate, frame.pts = SAMPLE_RATE, start + round(late * SAMPLE_RATE)
        frame.time_base = Fraction(1, SAMPLE_RATE)
        for made in resampler.resample(frame):
            container.mux(track.encode(made))
    container.mux(track.encode(None))


def read_numbers(path: Path) -> list[Shown]:
    """Every picture of a film, in order, with its time and its number."""
    with av.open(str(path)) as container:
        return [
            Shown(float(frame.time), read_number(frame.to_ndarray(format="gray")))
            for frame in container.decode(container.streams.video[0])
        ]


def read_beeps(path: Path, track: int = 0) -> list[float]:
    """When the beeps begin, in seconds on the file's clock."""
    waves, starts = [], []
    with av.open(str(path)) as container:
        for frame in container.decode(container.streams.audio[track]):
            wave = frame.to_ndarray().astype(np.float64)
            if frame.format.name.startswith("s16"):
                wave = wave / 32768
            wave = wave.reshape(-1, len(frame.layout.channels))[:, 0] if not frame.format.is_planar else wave[0]
            waves.append(wave)
            starts.append(float(frame.time) + np.arange(len(wave)) / frame.sample_rate)
    wave, clock = np.abs(np.concatenate(waves)), np.concatenate(starts)
    loud = np.flatnonzero(wave > 0.3)
    onsets = [loud[0], *loud[1:][np.diff(clock[loud]) > 0.3]] if len(loud) else []
    return [float(clock[index]) for index in onsets]
