"""`loudness`: every track at one loudness, measured by another filter than the one that does it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from making import Film, Make, plan_of
from measuring import level, loudness, onsets, wave
from numbered import read_beeps, read_numbers, write_numbered

from reelflow.errors import BadInput
from reelflow.media.steps.loudness import Measured

GREY = "color=gray:s=64x64:r=25:d=6"


def music(volume: float, seconds: float = 6, channels: int = 2) -> str:
    one = f"{volume}*(sin(2*PI*220*t)+0.5*sin(2*PI*554*t))*(0.7+0.3*sin(2*PI*t*0.7))"
    return f"aevalsrc='{'|'.join([one] * channels)}':s=48000:d={seconds}"


async def test_what_loudness_is_for_ffmpeg(film: Film, make: Make) -> None:
    made = await make(["loudness"], await film(GREY, music(0.05)))
    assert len(made.finished.commands) == 2
    looked = made.finished.commands[0]
    assert looked[looked.index("-filter_complex") + 1].endswith("loudnorm=i=-16:lra=11:print_format=json:tp=-1.5[s4]")
    assert looked[-3:] == ("-f", "null", "-")
    number = r"-?\d+\.\d+"
    assert re.search(
        rf"loudnorm=i=-16:linear=1:lra=11:measured_i={number}:measured_lra={number}:measured_thresh={number}"
        rf":measured_tp={number}:offset={number}:tp=-1\.5;aformat=sample_rates=48000;apad;atrim=end=6;", made.graph)
    assert made.plan.finish.outputs[0].copies


@pytest.mark.parametrize(("target", "channels"), [(-16, 2), (-23, 1), (-30, 6)])
async def test_a_track_comes_out_as_loud_as_was_asked(
    film: Film, make: Make, build: Path, target: float, channels: int
) -> None:
    source = await film(GREY, music(0.02, channels=channels))
    made = await make([{"loudness": target}], source, build=build)
    found, peak = loudness(made.path)
    assert made.finished.warnings == ()  # as a whole
    assert abs(found - target) <= 0.5 and peak <= -1.0
    assert made.probe.sounds[0].channels == channels and made.probe.sounds[0].sample_rate == 48000


async def test_each_track_is_measured_by_itself(film: Film, make: Make, either: Path) -> None:
    source = await film(GREY, music(0.02), music(0.3), music(0.1))
    made = await make([{"loudness": {"target": -20}}], source, build=either)
    assert [round(loudness(made.path, track)[0]) for track in range(3)] == [-20] * 3
    assert len(made.finished.commands) == 4


async def test_a_track_that_nothing_can_read_is_left_away_and_the_other_is_as_loud_as_asked(
    film: Film, make: Make, either: Path
) -> None:
    source = await film(GREY, music(0.02), music(0.3), name="film.mkv", options=["-c:a:1", "mp2"])
    # A codec that nobody has heard of, under the same length.
    source.write_bytes(source.read_bytes().replace(b"A_MPEG/L2", b"A_NONE/X2"))
    made = await make([{"loudness": -20}], source, build=either)
    assert made.finished.warnings == ("Sound track 2 (unknown) could not be read and was left away.",)
    assert [round(loudness(made.path, track)[0]) for track in range(len(made.probe.sounds))] == [-20]


async def test_loudness_is_that_of_what_is_left_after_a_trim(film: Film, make: Make) -> None:
    half = "aevalsrc='if(lt(t,3),0.01,0.4)*sin(2*PI*440*t)':s=48000:d=6"
    made = await make([{"trim": {"end": 3}}, {"loudness": -20}], await film(GREY, half))
    assert abs(loudness(made.path)[0] + 20) < 0.5


@pytest.mark.parametrize("silent", ["anullsrc=r=48000:cl=stereo:d=6", "aevalsrc='0.00001*sin(2*PI*440*t)':s=48000:d=6"])
async def test_silence_stays_silence(film: Film, make: Make, build: Path, silent: str) -> None:
    source = await film(GREY, silent, music(0.02))
    made = await make(["loudness"], source, build=build)
    heard = wave(made.path)
    assert level(heard, 0, 6) < -80 and abs(loudness(made.path, 1)[0] + 16) < 0.5


@pytest.mark.parametrize("seconds", [0.2, 0.48, 2])
async def test_a_short_clip_keeps_its_length(film: Film, make: Make, either: Path, seconds: float) -> None:
    source = await film(f"color=gray:s=64x64:r=25:d={seconds}", music(0.02, seconds))
    made = await make(["loudness"], source, build=either)
    assert made.probe.frames == round(25 * seconds) and abs(len(wave(made.path)) / 48000 - seconds) < 0.022
    if seconds > 0.4:
        assert abs(loudness(made.path)[0] + 16) < 1


async def test_quiet_sound_with_a_loud_knock_stays_under_the_peak(film: Film, make: Make, either: Path) -> None:
    knock = "aevalsrc='0.01*sin(2*PI*440*t)+0.9*sin(2*PI*900*t)*between(t,3,3.02)':s=48000:d=6"
    made = await make(["loudness"], await film(GREY, knock), build=either)
    assert loudness(made.path)[1] <= -1.0
    (told,) = made.finished.warnings
    assert told.startswith("The sound can't be made -16 LUFS loud as a whole") and "over -1.5 dBTP" in told


async def test_sound_that_is_far_louder_in_places_is_told_to_be_levelled(film: Film, make: Make) -> None:
    steps = "aevalsrc='if(lt(t,8),0.03,0.2)*sin(2*PI*440*t)':s=48000:d=16"
    (told,) = (await make([{"loudness": -30}], await film(GREY.replace("d=6", "d=16"), steps))).finished.warnings
    assert told.startswith("The sound is levelled moment by moment") and "the 11 of `range`" in told


async def test_beeps_stay_with_their_pictures(tmp_path: Path, make: Make, either: Path) -> None:
    source = write_numbered(tmp_path / "n.mp4", frames=125)
    made = await make([{"trim": {"start": 0.52}}, "loudness"], source, build=either)
    assert read_numbers(made.path)[0].number == 13
    found = onsets(wave(made.path))
    assert max(abs(one - (place + 0.48)) for place, one in enumerate(found)) < 0.003 and len(found) == 4
    assert read_beeps(made.path)


async def test_a_film_without_sound_stays_as_it_is(film: Film, make: Make) -> None:
    made = await make(["loudness"], await film(GREY))
    assert made.probe.sounds == () and len(made.finished.commands) == 1 and made.plan.finish.outputs[0].copies


async def test_what_was_found_is_kept_by_track(film: Film) -> None:
    from reelflow.media.steps.loudness import Loudness

    told = ('[Parsed_loudnorm_0 @ 0x1] [info] \n{\n\t"input_i" : "-31.20",\n\t"input_tp" : "-20.00",\n\t"input_lra" : '
            '"2.10",\n\t"input_thresh" : "-41.30",\n\t"output_i" : "-inf",\n\t"output_tp" : "-1.50",\n\t"output_lra" : '
            '"0.00",\n\t"output_thresh" : "-26.00",\n\t"normalization_type" : "dynamic",\n\t'
            '"target_offset" : "0.10"\n}')
    step = Loudness()
    assert step.read(told, None, None) == Measured(-31.2, -20.0, 2.1, -41.3, 0.1)  # type: ignore[arg-type]
    assert step.read(told.replace("-31.20", "-inf"), None, None) is None  # type: ignore[arg-type]


@pytest.mark.parametrize(("asked", "told"), [
    ({"target": -50}, "target: "), ({"peak": 3}, "peak: "), ({"range": 0}, "range: "), ("loud", "target: ")])
async def test_what_can_t_be_is_refused(film: Film, asked: object, told: str) -> None:
    with pytest.raises(BadInput, match=told):
        await plan_of([{"loudness": asked}], await film(GREY))


async def test_a_picture_has_no_loudness(tmp_path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (64, 64)).save(tmp_path / "p.png")
    with pytest.raises(BadInput, match="A picture has no sound that could be louder"):
        await plan_of(["loudness"], tmp_path / "p.png")
