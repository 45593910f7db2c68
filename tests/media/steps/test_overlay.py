"""`overlay`: a picture exactly in its corner, in its own colours, on the frames that were asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from making import Film, Make, plan_of
from measuring import colour_at, is_near, picture, pictures
from numbered import read_numbers, write_numbered
from PIL import Image, ImageDraw

from reelflow.errors import BadInput

GREY = "color=0x606060:s=320x180:r=25:d=1"


def logo(
    path: Path, size: tuple[int, int] = (60, 30), colour: tuple[int, ...] = (220, 40, 30, 255), **more: Any
) -> Path:
    """A picture of one colour."""
    Image.new("RGBA" if len(colour) == 4 else "RGB", size, colour).save(path, **more)
    return path


async def test_what_an_overlay_is_for_ffmpeg(film: Film, tmp_path: Path, make: Make) -> None:
    image = logo(tmp_path / "logo.png")
    made = await make([{"overlay": {"image": str(image), "width": 60, "margin": 10, "opacity": 0.5}}], await film(GREY))
    assert (
        "[1]format=gbrap;premultiply=inplace=1;scale=60:30:flags=lanczos+accurate_rnd;unpremultiply=inplace=1;"
        "format=rgba;colorchannelmixer=aa=0.5;scale=flags=accurate_rnd+full_chroma_int:out_color_matrix=bt709:"
        "out_range=tv;format=yuva444p;overlay=format=yuv420:x=250:y=140;"
    ) in made.graph


@pytest.mark.parametrize(("corner", "box"), [
    ("top-left", (10, 10)), ("top-right", (250, 10)), ("bottom-left", (10, 140)), ("bottom-right", (250, 140)),
    ("centre", (130, 74)),
])
async def test_it_lies_exactly_in_its_corner(
    film: Film, tmp_path: Path, make: Make, either: Path, corner: str, box: tuple[int, int]
) -> None:
    image = logo(tmp_path / "logo.png")
    made = await make(
        [{"overlay": {"image": str(image), "corner": corner, "width": 60, "margin": 10}}], await film(GREY),
        build=either)
    shown = pictures(made.path)[12].astype(int)
    red = shown[:, :, 0] - shown[:, :, 2] > 90
    rows, columns = np.flatnonzero(red.any(1)), np.flatnonzero(red.any(0))
    assert (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1) == (*box, box[0] + 60, box[1] + 30)
    assert is_near(colour_at(shown, box[0] + 30, box[1] + 15), (220, 40, 30), 3)
    assert is_near(colour_at(shown, (box[0] + 160) % 320, (box[1] + 90) % 180), (96, 96, 96), 2)
    assert made.probe.frames == 25


@pytest.mark.parametrize(("name", "colour", "options"), [
    ("l.png", (30, 90, 200, 255), {}), ("l.webp", (30, 90, 200, 255), {"lossless": True}),
    ("lossy.webp", (30, 90, 200, 255), {"quality": 95}), ("l.jpg", (30, 90, 200), {"quality": 98}),
    ("odd 'name' [1],:;%.png", (30, 90, 200, 255), {}), ("grey.png", (70, 70, 70), {}),
])
async def test_colours_are_those_of_the_file(
    film: Film, tmp_path: Path, make: Make, either: Path, name: str, colour: tuple[int, ...], options: dict[str, Any]
) -> None:
    image = logo(tmp_path / name, colour=colour, **options)
    made = await make([{"overlay": {"image": str(image), "width": "50%", "corner": "centre"}}], await film(GREY),
                      build=either)
    assert is_near(colour_at(pictures(made.path)[0], 160, 90), colour[:3], 4)  # type: ignore[arg-type]


@pytest.mark.parametrize(("opacity", "wanted"), [(1, (255, 255, 255)), (0.5, (176, 176, 176)), (0, (96, 96, 96))])
async def test_opacity_is_how_much_of_it_is_seen(
    film: Film, tmp_path: Path, make: Make, either: Path, opacity: float, wanted: tuple[int, int, int]
) -> None:
    image = logo(tmp_path / "logo.png", colour=(255, 255, 255, 255))
    made = await make([{"overlay": {"image": str(image), "corner": "centre", "opacity": opacity}}], await film(GREY),
                      build=either)
    assert is_near(colour_at(pictures(made.path)[0], 160, 90), wanted, 3)


async def test_what_is_not_seen_of_it_does_not_stain_its_edges(
    film: Film, tmp_path: Path, make: Make, build: Path
) -> None:
    # A white disc in pixels that are green where they can't be seen, made four times smaller.
    image = Image.new("RGBA", (400, 400), (0, 255, 0, 0))
    ImageDraw.Draw(image).ellipse((20, 20, 379, 379), fill=(255, 255, 255, 255))
    image.save(tmp_path / "disc.png")
    made = await make([{"overlay": {"image": str(tmp_path / "disc.png"), "width": 100, "corner": "centre"}}],
                      await film(GREY), build=build)
    shown = pictures(made.path)[0].astype(int)
    assert np.abs(shown[:, :, 1] - (shown[:, :, 0] + shown[:, :, 2]) / 2).max() < 12
    assert is_near(colour_at(shown, 160, 90), (255, 255, 255), 3)


@pytest.mark.parametrize(("rate", "start", "end", "span"), [
    (25, 0.4, 1.2, (10, 30)), (25, None, 0.2, (0, 5)), (25, 1, None, (25, 50)), ("30000/1001", 0.5, 1, (15, 30)),
])
async def test_it_is_seen_on_exactly_the_frames_of_its_span(
    tmp_path: Path, make: Make, build: Path, rate: Any, start: float | None, end: float | None, span: tuple[int, int]
) -> None:
    from fractions import Fraction

    source = write_numbered(tmp_path / "n.mp4", frames=50, rate=Fraction(rate), size=(320, 180))
    image = logo(tmp_path / "logo.png", colour=(255, 0, 0, 255))
    times = {name: value for name, value in (("start", start), ("end", end)) if value is not None}
    made = await make([{"overlay": {"image": str(image), "corner": "top-left", **times}}], source, build=build)
    shown = [one[20, 20].astype(int) for one in pictures(made.path)]
    assert [index for index, one in enumerate(shown) if one[0] > one[1] + 60] == list(range(*span))
    assert [one.number for one in read_numbers(made.path)] == list(range(50))


async def test_it_comes_along_with_a_trim_behind_it(tmp_path: Path, make: Make, either: Path) -> None:
    source = write_numbered(tmp_path / "n.mp4", frames=50, size=(320, 180))
    image = logo(tmp_path / "logo.png", colour=(255, 0, 0, 255))
    made = await make([{"speed": 1.5}, {"overlay": {"image": str(image), "corner": "top-left", "end": 0.4}},
                       {"trim": {"start": 0.2}}, {"overlay": {"image": str(image), "corner": "top-right"}}],
                      source, build=either)
    shown = [one[20, 20].astype(int) for one in pictures(made.path)]
    assert [index for index, one in enumerate(shown) if one[0] > one[1] + 60] == list(range(5))


async def test_a_photo_taken_on_its_side_is_laid_upright(film: Film, tmp_path: Path, make: Make, either: Path) -> None:
    photo = Image.new("RGB", (80, 40), (20, 20, 220))
    photo.paste((220, 20, 20), (0, 0, 40, 40))
    exif = Image.Exif()
    exif[0x0112] = 6
    photo.save(tmp_path / "photo.jpg", exif=exif, quality=95)
    made = await make([{"overlay": {"image": str(tmp_path / "photo.jpg"), "width": 60, "corner": "centre"}}],
                      await film(GREY), build=either)
    shown = pictures(made.path)[0]
    assert is_near(colour_at(shown, 160, 60), (220, 20, 20), 8)
    assert is_near(colour_at(shown, 160, 120), (20, 20, 220), 8)


async def test_it_is_laid_over_a_picture_too(tmp_path: Path, make: Make, either: Path) -> None:
    Image.new("RGB", (321, 181), (10, 200, 90)).save(tmp_path / "p.png")
    image = logo(tmp_path / "logo.png")
    made = await make([{"overlay": {"image": str(image), "width": 60, "margin": 10}}], tmp_path / "p.png", build=either)
    shown = picture(made.path)
    assert is_near(colour_at(shown, 40, 40), (10, 200, 90), 2)
    width, height = made.plan.finish.clip.size.width, made.plan.finish.clip.size.height
    assert is_near(colour_at(shown, width - 40, height - 25), (220, 40, 30), 2)


@pytest.mark.parametrize(("asked", "told"), [
    ({"width": "100%"}, "does not fit: it would be 320x160 pixels large, 4 from the edge, on a picture of 320x180"),
    ({"start": 2, "end": 1}, "is not after the start"), ({"start": 5}, "lies behind the end of the film"),
    ({"start": 0.5, "end": 0.51}, "lies no frame"), ({"opacity": 2}, "opacity: "), ({"corner": "middle"}, "corner: "),
    ({"width": "wide"}, "is not a length"), ({"image": "none.png"}, "There is no file"),
    ({"image": "film.mp4"}, "is not a picture: give a PNG"),
])
async def test_what_can_t_be_is_refused(film: Film, tmp_path: Path, asked: dict[str, Any], told: str) -> None:
    source = await film(GREY)
    placed = {"image": str(logo(tmp_path / "logo.png")), **asked}
    placed["image"] = str(tmp_path / placed["image"])
    with pytest.raises(BadInput, match=told):
        await plan_of([{"overlay": placed}], source)


async def test_a_picture_has_no_moment_to_start_at(tmp_path: Path) -> None:
    image = logo(tmp_path / "logo.png", size=(300, 200))
    with pytest.raises(BadInput, match="A picture has no time: leave start and end away"):
        await plan_of([{"overlay": {"image": str(image), "start": 1}}], image)
