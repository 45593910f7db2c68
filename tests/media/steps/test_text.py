"""`text`: words on the picture, where and when and in the colours that were asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from making import Film, Make, plan_of
from measuring import picture, pictures
from numbered import read_numbers, write_numbered

from reelflow.errors import BadInput
from reelflow.media.geometry import Size
from reelflow.media.lettering import Lettering, load_font

GREY = "color=0x606060:s=320x180:r=25:d=1"


def bounds(shown: np.ndarray[Any, Any], colour: tuple[int, int, int], within: int = 40) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of what has a colour."""
    there = (np.abs(shown.astype(int) - colour) < within).all(2)
    rows, columns = np.flatnonzero(there.any(1)), np.flatnonzero(there.any(0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


async def test_what_a_text_is_for_ffmpeg(film: Film, make: Make, tmp_path: Path) -> None:
    made = await make([{"text": {"text": "it's 100%: [a], b;\\c", "position": "top-left", "end": 0.4, "fade": 0.2}}],
                      await film(GREY))
    assert (
        "[1]format=rgba;scale=flags=accurate_rnd+full_chroma_int:out_color_matrix=bt709:out_range=tv;format=yuva444p;"
        "loop=loop=24:size=1;settb=1/25;setpts=N;fade=alpha=1:nb_frames=5:start_frame=0:type=in;"
        "fade=alpha=1:nb_frames=5:start_frame=5:type=out;"
        r"overlay=enable=between(t\,-0.02\,0.38):format=yuv420:x=8:y=8;"
    ) in made.graph
    assert (tmp_path / "room" / "step-1.png").is_file() and "drawtext" not in made.graph


@pytest.mark.parametrize(("position", "left", "top", "right", "bottom"), [
    ("top-left", 8, 8, None, None), ("top", None, 8, None, None), ("top-right", None, 8, 312, None),
    ("middle", None, None, None, None), ("bottom-left", 8, None, None, 172), ("bottom", None, None, None, 172),
    ("bottom-right", None, None, 312, 172),
])
async def test_it_lies_where_it_was_asked_to(
    film: Film, make: Make, either: Path, position: str, left: int | None, top: int | None, right: int | None,
    bottom: int | None,
) -> None:
    made = await make([{"text": {"text": "HOH", "position": position, "size": 30, "background": "none"}}],
                      await film(GREY), build=either)
    box = bounds(pictures(made.path)[12], (255, 255, 255))
    for found, wanted in zip(box, (left, top, right, bottom), strict=True):
        assert wanted is None or abs(found - wanted) <= 6
    if left is None and right is None:
        assert abs(box[0] + box[2] - 320) <= 4
    if top is None and bottom is None:
        assert abs(box[1] + box[3] - 180) <= 3
    assert 15 <= box[3] - box[1] <= 26


@pytest.mark.parametrize(("colour", "wanted"), [
    ("gold", (255, 215, 0)), ("#20A0ff", (32, 160, 255)), ("white", (255, 255, 255)), ("#102030", (16, 32, 48))])
async def test_letters_have_their_colour(
    film: Film, make: Make, either: Path, colour: str, wanted: tuple[int, int, int]
) -> None:
    made = await make([{"text": {"text": "I", "colour": colour, "size": "60%", "position": "middle"}}],
                      await film(GREY), build=either)
    assert np.abs(pictures(made.path)[0][85:95, 158:162].astype(int).mean((0, 1)) - wanted).max() < 8


@pytest.mark.parametrize("background", ["shadow", "box"])
@pytest.mark.parametrize("behind", ["white", "black", "0x808080"])
async def test_it_can_be_read_on_any_picture(film: Film, make: Make, background: str, behind: str) -> None:
    made = await make([{"text": {"text": "HEH", "size": 40, "position": "middle", "background": background}}],
                      await film(f"color={behind}:s=320x180:r=25:d=0.2"))
    row = pictures(made.path)[0][90, 120:200].astype(int).mean(1)
    assert row.max() > 230 and row.min() < 90


async def test_a_long_line_is_wrapped_within_the_picture(film: Film, make: Make, either: Path) -> None:
    words = "A sentence that is by far too long for one line of a small picture, and averylongwordthatnoonecanhold"
    made = await make([{"text": {"text": words, "size": 18, "position": "middle", "background": "none"}}],
                      await film(GREY), build=either)
    left, top, right, bottom = bounds(pictures(made.path)[0], (255, 255, 255))
    assert left >= 16 and right <= 304 and bottom - top > 55


@pytest.mark.parametrize(("start", "end", "span"), [(0.4, 0.8, (10, 20)), (None, 0.2, (0, 5)), (0.8, None, (20, 25))])
async def test_it_is_seen_on_exactly_the_frames_of_its_span(
    tmp_path: Path, make: Make, build: Path, start: float | None, end: float | None, span: tuple[int, int]
) -> None:
    source = write_numbered(tmp_path / "n.mp4", frames=25, size=(320, 180))
    times = {name: value for name, value in (("start", start), ("end", end)) if value is not None}
    made = await make([{"text": {"text": "XXXXXX", "colour": "red", "position": "top", "background": "none", **times}}],
                      source, build=build)
    seen = [bool(((one[:40, :, 0] > 220) & (one[:40, :, 1] < 60)).any()) for one in pictures(made.path)]
    assert [index for index, one in enumerate(seen) if one] == list(range(*span))
    assert [one.number for one in read_numbers(made.path)] == list(range(25))


async def test_it_comes_up_and_goes_down(film: Film, make: Make, build: Path) -> None:
    made = await make(
        [{"text": {"text": "I", "size": "60%", "position": "middle", "start": 0.2, "end": 0.8, "fade": 0.2}}],
        await film(GREY), build=build)
    light = [float(one[85:95, 158:162].mean()) for one in pictures(made.path)]
    assert all(abs(one - 96) < 3 for one in (*light[:5], *light[20:])) and all(one > 250 for one in light[10:15])
    assert light[5:11] == sorted(light[5:11]) and light[15:20] == sorted(light[15:20], reverse=True)
    assert 110 < light[7] < 230 and 110 < light[17] < 230


async def test_it_is_drawn_on_a_picture_too(tmp_path: Path, make: Make, either: Path) -> None:
    from PIL import Image

    Image.new("RGB", (320, 180), (10, 90, 200)).save(tmp_path / "p.png")
    made = await make([{"text": {"text": "I", "size": "60%", "position": "middle", "colour": "#ff2000"}}],
                      tmp_path / "p.png", build=either)
    shown = picture(made.path).astype(int)
    assert np.abs(shown[90, 160] - (255, 32, 0)).max() < 6 and np.abs(shown[90, 20] - (10, 90, 200)).max() < 3


def test_lines_lie_apart_by_the_same_with_and_without_an_outline(tmp_path: Path) -> None:
    from PIL import Image

    tops = []
    for background in ("none", "shadow"):
        lettering = Lettering("HHH\nHHH", 60, 600, background=background)
        lettering.write(tmp_path / "t.png")
        with Image.open(tmp_path / "t.png") as made:
            assert Size(*made.size) == lettering.measure()
            white = (np.asarray(made)[:, :, :3] > 240).all(2) & (np.asarray(made)[:, :, 3] > 250)
        rows = np.flatnonzero(white.any(1))
        tops.append([int(rows[0]), *(int(row) for row in rows[1:][np.diff(rows) > 5])])
    assert tops[0][1] - tops[0][0] == tops[1][1] - tops[1][0] == 73


@pytest.mark.parametrize("text", ["Füße, naïve — “çedille”", "Ελληνικά", "Кириллица", "Việt Nam", "žluťoučký kůň"])
def test_the_font_that_comes_along_has_the_letters_of_europe(text: str) -> None:
    assert Lettering(text, 40, 900).measure().width > 100


async def test_a_font_of_one_s_own(film: Film, make: Make, tmp_path: Path) -> None:
    from importlib.resources import files

    font = tmp_path / "own 'font'.ttf"
    font.write_bytes((files("font_source_sans_pro") / "files" / "SourceSansPro-Black.ttf").read_bytes())
    asked = {"text": "HOH", "size": 40, "background": "none"}
    heavy = await make([{"text": {**asked, "font": str(font)}}], await film(GREY))
    plain = await make([{"text": asked}], await film(GREY))
    white = [(pictures(made.path)[0] > 200).all(2).sum() for made in (heavy, plain)]
    assert white[0] > white[1] * 1.15
    assert load_font(20, font).getname() == ("Source Sans Pro", "Black")


@pytest.mark.parametrize(("asked", "told"), [
    ({"text": "  \n"}, "the text is empty"), ({"text": ""}, "text: "),
    ({"text": "漢字"}, "no letter '漢' in the built-in font"),
    ({"text": "a\x07b"}, "no letter"), ({"text": "a", "colour": "greenish"}, "'greenish' is not a colour"),
    ({"text": "a", "colour": "#12345"}, "is not a colour"), ({"text": "word " * 300}, "The text does not fit"),
    ({"text": "a", "size": "200%"}, "more than the whole"), ({"text": "a", "start": 3}, "lies behind the end"),
    ({"text": "a", "end": 0.2, "fade": 0.2}, "can't appear and go over 0.2 s each"),
    ({"text": "a", "font": "none.ttf"}, "There is no file"),
    ({"text": "a", "font": "no.ttf"}, "can't be read as a font"),
])
async def test_what_can_t_be_is_refused(film: Film, tmp_path: Path, asked: dict[str, Any], told: str) -> None:
    (tmp_path / "no.ttf").write_text("no font")
    if "font" in asked:
        asked = {**asked, "font": str(tmp_path / asked["font"])}
    with pytest.raises(BadInput, match=told):
        await plan_of([{"text": asked}], await film(GREY))


async def test_a_font_without_a_letter_is_named(film: Film, make: Make, tmp_path: Path) -> None:
    from importlib.resources import files

    font = tmp_path / "own.ttf"
    font.write_bytes((files("font_source_sans_pro") / "files" / "SourceSansPro-Black.ttf").read_bytes())
    with pytest.raises(BadInput, match=r"There is no letter '漢' in .*own\.ttf"):
        await make([{"text": {"text": "漢", "font": str(font)}}], await film(GREY))
