"""`denoise`: less noise, and the picture still there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from making import Film, Make, plan_of
from measuring import picture, pictures
from PIL import Image

from reelflow.errors import BadInput

NOISY = "color=0x707070:s=160x90:r=25:d=0.8,format=gbrp,drawbox=40:20:80:50:white:fill,noise=alls=24:allf=t+u"


@pytest.mark.parametrize(("asked", "wanted"), [
    ("denoise", "hqdn3d=4:3:6:4.5"), ({"denoise": "light"}, "hqdn3d=2:1.5:3:2.25"),
    ({"denoise": {"strength": "strong"}}, "hqdn3d=8:6:12:9"),
])
async def test_what_denoising_is_for_ffmpeg(film: Film, make: Make, asked: object, wanted: str) -> None:
    assert f";{wanted};" in (await make([asked], await film(NOISY))).graph


async def test_the_stronger_the_less_noise_and_edges_stay(film: Film, make: Make, build: Path) -> None:
    source = await film(NOISY)
    noise = [float(pictures(source)[15][70:88, 5:35].std())]
    for strength in ("light", "medium", "strong"):
        shown = pictures((await make([{"denoise": strength}], source, build=build)).path)
        assert len(shown) == 20
        noise.append(float(shown[15][70:88, 5:35].std()))
        assert shown[15][25:65, 45:115].mean() - shown[15][25:65, 5:35].mean() > 100
    assert noise == sorted(noise, reverse=True) and noise[3] < noise[0] / 2


async def test_a_picture_has_noise_too(tmp_path: Path, make: Make, either: Path) -> None:
    grain = np.random.default_rng(1).normal(0, 8, (90, 160, 1)).repeat(3, 2)
    Image.fromarray((128 + grain).astype(np.uint8)).save(tmp_path / "p.png")
    left = [float(picture((await make([{"denoise": strength}], tmp_path / "p.png", build=either)).path).std())
            for strength in ("light", "medium", "strong")]
    assert left == sorted(left, reverse=True) and left[0] < 7 and left[2] < 3


async def test_another_strength_is_refused(film: Film) -> None:
    with pytest.raises(BadInput, match="strength: "):
        await plan_of([{"denoise": "very"}], await film(NOISY))
