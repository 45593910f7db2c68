"""Colours come out as they went in, however the file's numbers stand for them; measured against known patches."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from nasty import run
from one_job import plan_of, prepare

from reelflow.media.probe import probe
from reelflow.models import Model

# The bars in RGB; prepared, they are 32 pixels wide each
BARS = np.array([
    (191, 191, 191), (191, 191, 0), (0, 191, 191), (0, 191, 0), (191, 0, 191), (191, 0, 0), (0, 0, 191), (16, 16, 16),
])
TAGS = {
    "709": "colorspace=bt709:color_primaries=bt709:color_trc=bt709",
    "601": "colorspace=smpte170m:color_primaries=smpte170m:color_trc=smpte170m",
    "470": "colorspace=bt470bg:color_primaries=bt470bg:color_trc=bt709",
}


def write_bars(ffmpeg: Path, path: Path, *, matrix: str, span: str, tag: str | None, height: int) -> None:
    """Colour bars, brought to YUV by `matrix`; tagged so, or not at all."""
    raw = path.with_suffix(".rgb")
    width = height * 16 // 9
    raw.write_bytes(BARS.astype(np.uint8).repeat(width // 8, 0)[None].repeat(height, 0).tobytes())
    tags = f",setparams={TAGS[tag]}:range={span}" if tag else ""
    blank = ["-bsf:v", "h264_metadata=video_full_range_flag=0:colour_primaries=2:transfer_characteristics=2:"
             "matrix_coefficients=2"] if tag is None else []
    run(ffmpeg, "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", "20", "-i", raw, "-vf",
        f"loop=9:1,scale=out_color_matrix={matrix}:out_range={span}:flags=accurate_rnd+full_chroma_int,"
        f"format=yuv420p{tags}", "-c:v", "libx264", "-qp", "1", *blank, path)
    raw.unlink()


async def seen(source: Path, model: Model, ffmpeg: Path, folder: Path) -> np.ndarray[Any, Any]:
    """The first prepared picture, read as BT.709 in limited range, in RGB."""
    plan = plan_of(await probe(source), model, fit="stretch")
    sent = await prepare(plan, folder / "sent.mp4", ffmpeg=ffmpeg, timeout=60)
    with av.open(str(sent.path)) as opened:
        y, u, v = next(opened.decode(video=0)).to_ndarray(format="yuv444p").astype(float)
    y, u, v = (y - 16) / 219, (u - 128) / 224, (v - 128) / 224
    rgb = np.stack([y + 1.5748 * v, y - 0.1873 * u - 0.4681 * v, y + 1.8556 * u], 2)
    return np.clip(rgb, 0, 1) * 255


@pytest.mark.parametrize(
    ("matrix", "span", "tag", "height"),
    [("bt709", "tv", "709", 144), ("bt601", "tv", "601", 144), ("bt601", "tv", "470", 144),
     ("bt601", "tv", None, 144), ("bt709", "tv", None, 720), ("bt601", "pc", "601", 144), ("bt709", "pc", "709", 144)],
)
async def test_colour_bars_keep_their_colours(
    matrix: str, span: str, tag: str | None, height: int, build: Path, small_model: Model, tmp_path: Path, ffmpeg: Path
) -> None:
    source = tmp_path / "bars.mp4"
    write_bars(ffmpeg, source, matrix=matrix, span=span, tag=tag, height=height)
    picture = await seen(source, small_model, build, tmp_path)
    found = np.array([picture[60:80, 32 * bar + 12:32 * bar + 20].mean((0, 1)) for bar in range(8)])
    assert np.abs(found - BARS).max() <= 4


@pytest.mark.parametrize(("pixels", "suffix", "codec"), [
    ("gbrp", ".mkv", ["ffv1"]), ("yuv444p10le", ".mkv", ["ffv1"]), ("yuv422p10le", ".mov", ["prores_ks"]),
    ("rgba", ".mov", ["png"]), ("rgb8", ".gif", ["gif"]),
])
async def test_other_kinds_of_pixels_keep_their_colours(
    pixels: str, suffix: str, codec: list[str], build: Path, small_model: Model, tmp_path: Path, ffmpeg: Path
) -> None:
    """RGB has no matrix, whatever is guessed for films that don't name theirs; more bits only say it more finely."""
    raw, source = tmp_path / "bars.rgb", tmp_path / f"bars{suffix}"
    raw.write_bytes(BARS.astype(np.uint8).repeat(32, 0)[None].repeat(144, 0).tobytes())
    palette = "split[a][b];[a]palettegen[p];[b][p]paletteuse=dither=none" if suffix == ".gif" else (
        f"scale=out_color_matrix=bt601:out_range=tv:flags=accurate_rnd+full_chroma_int,format={pixels}")
    run(ffmpeg, "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "256x144", "-r", "20", "-i", raw, "-vf",
        f"loop=9:1,{palette}", "-c:v", *codec, source)
    picture = await seen(source, small_model, build, tmp_path)
    found = np.array([picture[60:80, 32 * bar + 12:32 * bar + 20].mean((0, 1)) for bar in range(8)])
    assert np.abs(found - BARS).max() <= 4


def pq_of(light: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """SMPTE ST 2084's numbers (0..1) for light in cd/m²."""
    powered = (light / 10_000) ** (2610 / 16384)
    return ((3424 / 4096 + 2413 / 128 * powered) / (1 + 2392 / 128 * powered)) ** (2523 / 32)


def hlg_of(light: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """HLG's numbers (0..1) for scene light, where reference white (203 cd/m² on a 1000 cd/m² screen) is at 0.75."""
    a = 0.17883277
    return np.where(light <= 1 / 12, np.sqrt(3 * light), a * np.log(np.maximum(12 * light - (1 - 4 * a), 1e-9))
                    + 0.5 - a * np.log(4 * a))


@pytest.mark.parametrize("kind", ["smpte2084", "arib-std-b67"])
async def test_an_hdr_ramp_keeps_its_greys(
    kind: str, build: Path, small_model: Model, tmp_path: Path, ffmpeg: Path, measured: Callable[[str], None]
) -> None:
    """Greys up to 90 % of reference white look as they would in an ordinary film, to 10 of 255 in the mean."""
    wanted = np.linspace(0.02, 0.9, 256)  # BT.709 signal, shown with a gamma of 2.4 by the rule of BT.1886
    light = wanted ** 2.4
    # HLG's screen light is the scene's to the power 1.2; reference white is 203 of 1000 cd/m².
    signal = pq_of(light * 203) if kind == "smpte2084" else hlg_of((light * 0.203) ** (1 / 1.2))
    luma = np.round(64 + signal * 876).astype("<u2")
    raw = tmp_path / "ramp.yuv"
    grey = np.full((144 // 2, 128), 512, "<u2").tobytes()
    raw.write_bytes((luma[None].repeat(144, 0).tobytes() + grey + grey) * 10)
    source = tmp_path / "ramp.mkv"
    run(ffmpeg, "-f", "rawvideo", "-pix_fmt", "yuv420p10le", "-s", "256x144", "-r", "20", "-i", raw, "-vf",
        f"setparams=color_primaries=bt2020:color_trc={kind}:colorspace=bt2020nc:range=tv", "-c:v", "ffv1", source)
    picture = await seen(source, small_model, build, tmp_path)
    found = picture[60:80].mean((0, 2))
    error = np.abs(found - wanted * 255).mean()
    measured(f"HDR {kind}: mean error {error:.1f} of 255")
    assert error <= 10
