"""What a finished file shows and sounds like, in numbers."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image

from reelflow.media.run import find_ffmpeg

RATE = 48_000
Pixels = np.ndarray[Any, Any]


def pictures(path: Path) -> list[Pixels]:
    """Every picture of a film in RGB, read as BT.709 in limited range."""
    with av.open(str(path)) as container:
        return [
            frame.reformat(format="rgb24", src_colorspace="ITU709", src_color_range="MPEG").to_ndarray()
            for frame in container.decode(container.streams.video[0])
        ]


def picture(path: Path) -> Pixels:
    """A picture in RGB."""
    return np.asarray(Image.open(path).convert("RGB"))


def colour_at(pixels: Pixels, x: int, y: int, reach: int = 2) -> tuple[int, int, int]:
    """The mean colour about a place."""
    patch = pixels[y - reach:y + reach + 1, x - reach:x + reach + 1].reshape(-1, 3).mean(0)
    red, green, blue = (round(float(value)) for value in patch)
    return red, green, blue


def is_near(found: tuple[int, int, int], wanted: tuple[int, int, int], within: int) -> bool:
    """Whether two colours differ by so much at most, in each of red, green and blue."""
    return all(abs(one - other) <= within for one, other in zip(found, wanted, strict=True))


def wave(path: Path, track: int = 0) -> Pixels:
    """A sound track at 48 kHz, its channels mixed to one, on the film's clock from 0 on."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[track]
        resampler = av.AudioResampler(format="fltp", layout=stream.layout, rate=RATE)
        parts, start = [], None
        for frame in container.decode(stream):
            start = float(frame.time) if start is None else start
            parts += [made.to_ndarray() for made in resampler.resample(frame)]
        parts += [made.to_ndarray() for made in resampler.resample(None)]
    heard = np.concatenate(parts, 1).mean(0)
    lead = round((start or 0.0) * RATE)
    return np.concatenate([np.zeros(max(0, lead)), heard[max(0, -lead):]])


def level(heard: Pixels, start: float, end: float) -> float:
    """How loud it is between two moments, in dB of full scale (RMS)."""
    part = heard[round(start * RATE):round(end * RATE)]
    return float(10 * np.log10(np.mean(part**2) + 1e-12))


def tone_level(heard: Pixels, frequency: float, start: float, end: float) -> float:
    """How loud one tone is between two moments, in dB of full scale (RMS)."""
    part = heard[round(start * RATE):round(end * RATE)]
    turning = np.exp(-2j * np.pi * frequency * np.arange(len(part)) / RATE)
    return float(20 * np.log10(abs(np.mean(part * turning * np.hanning(len(part)) * 2)) * np.sqrt(2) + 1e-9))


def pitch(heard: Pixels, start: float, end: float) -> float:
    """The frequency that is loudest between two moments, in Hz."""
    part = heard[round(start * RATE):round(end * RATE)]
    spectrum = np.abs(np.fft.rfft(part * np.hanning(len(part))))
    return float(np.argmax(spectrum) * RATE / len(part))


def loudness(path: Path, track: int = 0) -> tuple[float, float]:
    """Integrated loudness (LUFS) and true peak (dBTP) by ffmpeg's ebur128, which loudnorm has no part in."""
    ended = subprocess.run(
        [find_ffmpeg(), "-hide_banner", "-nostdin", "-i", path, "-map", f"0:a:{track}", "-af", "ebur128=peak=true",
         "-f", "null", "-"], capture_output=True, text=True, check=True)
    summary = ended.stderr[ended.stderr.rindex("Summary:"):]
    found = [re.search(rf"{name}:\s+(-?[\d.]+|-inf)", summary) for name in ("I", "Peak")]
    assert found[0] and found[1]
    return float(found[0][1]), float(found[1][1])


def flashes(path: Path) -> list[int]:
    """The numbers of the pictures that are light where the one before was dark."""
    light = [bool(one.mean() > 128) for one in pictures(path)]
    return [index for index, now in enumerate(light) if now and not (index and light[index - 1])]


def onsets(heard: Pixels, above: float = 0.1) -> list[float]:
    """When sounds begin after at least a tenth of a second of silence, in seconds."""
    loud = np.flatnonzero(np.abs(heard) > above)
    if not len(loud):
        return []
    return [float(index) / RATE for index in [loud[0], *loud[1:][np.diff(loud) > RATE / 10]]]


def middles(heard: Pixels, moments: list[float], reach: float) -> list[float]:
    """Where the middle of what is heard about each of these moments lies, in seconds."""
    found = []
    for moment in moments:
        first = round(max(0.0, moment - reach) * RATE)
        power = heard[first:round((moment + reach) * RATE)] ** 2
        found.append(float(first + (np.arange(len(power)) * power).sum() / power.sum()) / RATE)
    return found
