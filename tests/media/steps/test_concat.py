"""`concat`: not one frame lost or doubled where films meet, and the sound with its own film."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from making import Film, Make, plan_of
from measuring import colour_at, is_near, level, onsets, pictures, pitch, wave
from numbered import read_numbers, write_numbered

from reelflow.errors import BadInput
from reelflow.media.geometry import Size


async def test_what_joining_is_for_ffmpeg(tmp_path: Path, make: Make) -> None:
    one = write_numbered(tmp_path / "1.mp4", frames=25, size=(320, 180))
    two = write_numbered(tmp_path / "2.mp4", frames=30, rate=30, size=(160, 90))
    made = await make([{"concat": [str(two)]}], one)
    picture, sound = made.graph.split("[2:a:0]")[0], made.graph[made.graph.index("[2:a:0]"):]
    assert ("trim=end_frame=25;setsar=1;[1:V:0]tpad=stop=1:stop_mode=clone;settb=AVTB;setpts=PTS-STARTPTS-0.016333/TB;"
            "fps=fps=25:round=up:start_time=0;") in picture
    assert ("trim=end_frame=25;setsar=1;concat=a=0:n=2:v=1;tpad=stop=1:stop_mode=clone;settb=AVTB;"
            "setpts=(N-0.49)*1/25/TB;"
            "fps=fps=25:round=up:start_time=0;tpad=stop=-1:stop_mode=clone;trim=end_frame=50;") in picture
    assert "atrim=end=1;aformat=channel_layouts=stereo:sample_rates=48000" in sound
    assert "concat=a=1:n=2:v=0;apad;atrim=end=2;" in sound


@pytest.mark.parametrize("rate", [25, Fraction(30000, 1001)])
async def test_every_frame_of_films_of_one_rate_comes_once(
    tmp_path: Path, make: Make, build: Path, rate: Any
) -> None:
    parts = [
        write_numbered(tmp_path / name, rate=rate, frames=frames, first=first, late=late, sound_late=late)
        for name, frames, first, late in (
            ("1.mp4", 35, 0, 0), ("2.mkv", 41, 35, 0.7), ("3.mp4", 1, 76, 0), ("4.mov", 20, 77, 0))
    ]
    made = await make([{"concat": [str(part) for part in parts[1:]]}], parts[0], build=build)
    assert [one.number for one in read_numbers(made.path)] == list(range(97))
    assert made.probe.rate == rate and not made.probe.varies
    begins = [float(frames / Fraction(rate)) for frames in (0, 35, 76, 77)]
    found, heard = onsets(wave(made.path)), [begins[0], begins[0] + 1, begins[1], begins[1] + 1, begins[2]]
    assert max(abs(one - other) for one, other in zip(found, heard, strict=False)) < 0.004
    assert abs(len(wave(made.path)) / 48000 - float(97 / Fraction(rate))) < 0.022


async def test_films_of_other_rates_and_sizes_are_brought_to_the_first_one_s(
    tmp_path: Path, make: Make, either: Path
) -> None:
    one = write_numbered(tmp_path / "1.mp4", frames=25, size=(320, 180))
    slow = write_numbered(tmp_path / "2.mp4", frames=10, rate=10, size=(160, 90), first=100)
    fast = write_numbered(tmp_path / "3.mp4", frames=60, rate=60, size=(640, 360), first=200)
    made = await make([{"concat": [str(slow), str(fast)]}], one, build=either)
    shown = [one.number for one in read_numbers(made.path)]
    assert made.probe.shown == Size(320, 180) and len(shown) == 75 and shown[:25] == list(range(25))
    assert all(number is not None and abs((number - 100) - index * 0.4) <= 0.51
               for index, number in enumerate(shown[25:50]) if index * 0.4 < 9)
    assert all(number is not None and abs((number - 200) - index * 2.4) <= 0.51
               for index, number in enumerate(shown[50:]))
    assert [round(beep, 2) for beep in onsets(wave(made.path))] == [0, 1, 2]


@pytest.mark.parametrize(("fit", "left", "middle"), [
    ("pad", (0, 0, 0), (200, 40, 40)), ("crop", (200, 40, 40), (200, 40, 40)),
    ("stretch", (200, 40, 40), (200, 40, 40)),
])
async def test_another_shape_gets_in_as_was_asked(
    film: Film, make: Make, either: Path, fit: str, left: tuple[int, int, int], middle: tuple[int, int, int]
) -> None:
    first = await film("color=0x2060a0:s=320x180:r=25:d=0.2", name="1.mp4")
    tall = await film("color=0xc82828:s=100x200:r=25:d=0.2", name="2.mp4")
    made = await make([{"concat": {"clips": [str(tall)], "fit": fit}}], first, build=either)
    shown = pictures(made.path)
    assert len(shown) == 10 and is_near(colour_at(shown[2], 160, 90), (32, 96, 160), 3)
    assert is_near(colour_at(shown[7], 20, 90), left, 3) and is_near(colour_at(shown[7], 160, 90), middle, 3)


async def test_colours_of_films_that_are_stored_otherwise_are_the_same(film: Film, make: Make, either: Path) -> None:
    grey = "color=0xc08040:s=320x180:r=25:d=0.2"
    first = await film(grey, name="1.mp4")
    full = await film(grey, name="2.mp4", options=(
        "-vf", "scale=out_color_matrix=bt601:out_range=pc,format=yuvj420p,setparams=colorspace=smpte170m:range=pc"))
    shown = pictures((await make([{"concat": [str(full)]}], first, build=either)).path)
    assert all(is_near(colour_at(shown[number], 160, 90), (192, 128, 64), 3) for number in (2, 7))


async def test_silence_stands_for_sound_that_a_film_has_not(film: Film, make: Make, build: Path) -> None:
    grey, tone = "color=gray:s=64x64:r=25:d=1", "aevalsrc='0.25*sin(2*PI*{}*t)':s={}:d=1"
    mute = await film(grey, name="0.mp4")
    low = await film(grey, tone.format(440, 48000), name="1.mp4")
    high = await film(grey, tone.format(880, 44100), tone.format(1320, 22050), name="2.mp4")
    made = await make([{"concat": [str(mute), str(high), str(mute)]}], low, build=build)
    heard = wave(made.path)
    assert abs(pitch(heard, 0.2, 0.8) - 440) < 3 and abs(pitch(heard, 2.2, 2.8) - 880) < 3
    assert level(heard, 1.1, 1.9) < -60 and level(heard, 3.1, 3.9) < -60 and len(made.probe.sounds) == 1
    begun = wave((await make([{"concat": [str(high)]}], mute, build=build)).path)
    assert level(begun, 0, 0.9) < -60 and abs(pitch(begun, 1.2, 1.8) - 880) < 3
    none = await make([{"concat": [str(mute)]}], mute, build=build)
    assert none.probe.sounds == () and none.probe.frames == 50


async def test_every_track_goes_on_with_the_other_film_s_sound(film: Film, make: Make, either: Path) -> None:
    grey = "color=gray:s=64x64:r=25:d=1"
    two = await film(grey, *(f"aevalsrc='0.25*sin(2*PI*{f}*t)':s=48000:d=1" for f in (440, 880)), name="1.mp4")
    six = await film(grey, f"aevalsrc='{'|'.join(['0.2*sin(2*PI*660*t)'] * 6)}':s=48000:d=1:c=5.1", name="2.mp4")
    made = await make([{"concat": [str(six)]}], two, build=either)
    for track, own in ((0, 440), (1, 880)):
        heard = wave(made.path, track)
        assert abs(pitch(heard, 0.2, 0.8) - own) < 3 and abs(pitch(heard, 1.2, 1.8) - 660) < 3


async def test_the_same_film_twice_and_steps_behind_it(tmp_path: Path, make: Make, either: Path) -> None:
    one = write_numbered(tmp_path / "1.mp4", frames=25)
    made = await make(
        [{"concat": [str(one), str(one)]}, {"trim": {"start": 0.8, "end": 2.2}}, {"speed": 2}], one, build=either)
    assert [one.number for one in read_numbers(made.path)] == [20, 22, 24, *range(1, 25, 2), *(0, 2, 4)][:18]
    assert len(made.plan.finish.clip.sounds) == 1 and made.plan.finish.timeline is None
    assert [round(beep, 1) for beep in onsets(wave(made.path))] == [0.1, 0.6]


@pytest.mark.parametrize(("asked", "told"), [
    ([], "clips: "), (["none.mp4"], "There is no file"), (["p.png"], "is a picture, not a film"),
    ({"clips": ["film.mp4"], "fit": "wide"}, "fit: "),
])
async def test_what_can_t_be_is_refused(film: Film, tmp_path: Path, asked: Any, told: str) -> None:
    from PIL import Image

    Image.new("RGB", (64, 64)).save(tmp_path / "p.png")
    source = await film("color=gray:s=64x64:r=25:d=0.2")
    names = asked["clips"] if isinstance(asked, dict) else asked
    placed = [str(tmp_path / name) for name in names]
    with pytest.raises(BadInput, match=told):
        await plan_of([{"concat": {**asked, "clips": placed} if isinstance(asked, dict) else placed}], source)


async def test_a_picture_can_t_be_joined_with_films(film: Film, tmp_path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (64, 64)).save(tmp_path / "p.png")
    with pytest.raises(BadInput, match="A picture can't be joined"):
        await plan_of([{"concat": [str(await film("color=gray:s=64x64:r=25:d=0.2"))]}], tmp_path / "p.png")
