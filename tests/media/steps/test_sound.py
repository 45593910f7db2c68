"""`sound`: dropped, chosen, replaced, mixed, louder and quieter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from making import Film, Make, plan_of
from measuring import level, onsets, pitch, tone_level, wave
from numbered import read_beeps, read_numbers, write_numbered

from reelflow.errors import BadInput, BadMedia
from reelflow.media.probe import probe, probe_sound

GREY = "color=gray:s=64x64:r=25:d=2"


def tone(frequency: int, seconds: float = 2, volume: float = 0.25) -> str:
    return f"aevalsrc='{volume}*sin(2*PI*{frequency}*t)':s=48000:d={seconds}"


async def test_dropped_sound_leaves_the_pictures_as_they_are(film: Film, make: Make) -> None:
    source = await film(GREY, tone(440))
    made = await make([{"sound": "drop"}], source)
    assert made.probe.sounds == () and made.plan.finish.outputs[0].copies
    command = made.finished.commands[-1]
    assert "-filter_complex" not in command and command.count("-i") == 1


async def test_the_one_track_that_is_kept_is_copied(film: Film, make: Make, either: Path) -> None:
    source = await film(GREY, tone(440), tone(880), tone(1320))
    made = await make([{"sound": {"keep": 2}}], source, build=either)
    command = made.finished.commands[-1]
    assert command[command.index("-c:a:0") + 1] == "copy" and "-filter_complex" not in command
    assert len(made.probe.sounds) == 1 and abs(pitch(wave(made.path), 0.5, 1.5) - 880) < 3


async def test_a_track_is_kept_after_other_steps_too(film: Film, make: Make) -> None:
    source = await film(GREY, tone(440), tone(880))
    made = await make([{"speed": 2}, {"sound": {"keep": 2, "volume": -6}}], source)
    heard = wave(made.path)
    assert len(made.probe.sounds) == 1 and abs(pitch(heard, 0.2, 0.8) - 880) < 5
    assert abs(level(heard, 0.2, 0.8) - (-15.05 - 6)) < 0.5


@pytest.mark.parametrize(("name", "options"), [
    ("m.wav", ()), ("m.mp3", ()), ("m.flac", ()), ("m.m4a", ()), ("m.ogg", ("-c:a", "libvorbis")), ("m.aac", ()),
    ("m.opus", ()), ("odd 'name' [1],:;%.wav", ()),
])
async def test_sound_of_every_usual_kind_replaces_the_film_s_from_its_first_sample(
    film: Film, sound_file: Film, make: Make, either: Path, name: str, options: tuple[str, ...]
) -> None:
    source = await film(GREY, tone(440))
    beeps = "aevalsrc='0.8*sin(2*PI*1000*t)*lt(mod(t,1),0.05)':s=44100:d=3"
    music = await sound_file(beeps, name, options)
    made = await make([{"sound": {"replace": str(music)}}], source, build=either)
    heard = wave(made.path)
    begun = onsets(heard)
    # Raw AAC does not say what its encoder has put before the first sound.
    within = 0.025 if name.endswith(".aac") else 0.003
    assert abs(begun[0]) < within and abs(begun[1] - 1) < within
    assert len(begun) == 2 and abs(len(heard) / 48000 - 2) < 0.022 and made.probe.frames == 50


async def test_what_replacing_is_for_ffmpeg(film: Film, sound_file: Film, make: Make) -> None:
    music = await sound_file(tone(1000, 1))
    made = await make([{"sound": {"replace": str(music), "volume": -6, "fade_out": 0.5}}], await film(GREY, tone(440)))
    assert made.graph.startswith(
        "[1:a:0]asetpts=PTS-STARTPTS;atrim=start=0;aresample=async=1:first_pts=0;"
        "aformat=channel_layouts=mono:sample_rates=48000;apad;atrim=end=2;volume=-6dB;"
        "afade=duration=0.5:start_time=0.5:type=out"
    )
    assert "-vn" in made.finished.commands[-1] and made.plan.finish.outputs[0].copies


async def test_a_short_sound_is_followed_by_silence_or_begins_again(
    film: Film, sound_file: Film, make: Make, build: Path
) -> None:
    source, music = await film(GREY, tone(440)), await sound_file(tone(1000, 0.75), "m.mp3")
    once = wave((await make([{"sound": {"replace": str(music)}}], source, build=build)).path)
    assert level(once, 0.1, 0.7) > -16 and level(once, 0.9, 1.9) < -60
    for_ever = await make([{"sound": {"replace": str(music), "loop": True, "fade_out": 0.4}}], source, build=build)
    looped = wave(for_ever.path)
    assert level(looped, 0.9, 1.4) > -16 and level(looped, 1.95, 2.0) < -30
    assert abs(len(looped) / 48000 - 2) < 0.022


async def test_a_film_s_sound_comes_as_it_lies_beside_its_picture(
    film: Film, tmp_path: Path, make: Make, either: Path
) -> None:
    other = write_numbered(tmp_path / "late.mkv", frames=75, late=1.25, sound_late=1.5)
    made = await make([{"sound": {"replace": str(other)}}], await film(GREY), build=either)
    assert [round(beep, 2) for beep in read_beeps(made.path)] == [0.25, 1.25]
    assert (await probe(other)) == (await probe_sound(other))


async def test_what_is_mixed_in_is_heard_along_with_every_track(
    film: Film, sound_file: Film, make: Make, either: Path
) -> None:
    source = await film(GREY, tone(440), tone(880))
    music = await sound_file(tone(2000, 1), "m.flac")
    made = await make([{"sound": {"mix": str(music), "volume": -12}}], source, build=either)
    for track, own in ((0, 440), (1, 880)):
        heard = wave(made.path, track)
        assert abs(pitch(heard, 0.2, 0.9) - own) < 3
        # A tone of -15 dB and one of -27 dB, and then the one alone.
        assert abs(level(heard, 0.2, 0.9) + 14.8) < 0.4 and abs(level(heard, 1.2, 1.9) + 15.05) < 0.3


async def test_mixed_into_a_film_without_sound_it_is_its_sound(film: Film, sound_file: Film, make: Make) -> None:
    music = await sound_file(tone(2000, 3))
    made = await make([{"sound": {"mix": str(music), "duck": True}}], await film(GREY))
    assert len(made.probe.sounds) == 1 and abs(pitch(wave(made.path), 0.5, 1.5) - 2000) < 3


async def test_music_goes_down_while_the_film_speaks(
    film: Film, sound_file: Film, make: Make, build: Path
) -> None:
    spoken = "aevalsrc='0.3*sin(2*PI*300*t)*between(t,1,2)':s=48000:d=4"
    source = await film("color=gray:s=64x64:r=25:d=4", spoken)
    music = await sound_file(tone(3000, 5))
    made = await make([{"sound": {"mix": str(music), "duck": True}}], source, build=build)
    heard = wave(made.path)
    quiet, before, after = (tone_level(heard, 3000, start, start + 0.5) for start in (1.4, 0.3, 3.4))
    assert before - quiet > 6 and abs(after - before) < 1


async def test_the_volume_of_the_film_itself(film: Film, make: Make, either: Path) -> None:
    source = await film(GREY, tone(440), tone(880))
    made = await make([{"sound": {"volume": -10}}], source, build=either)
    assert abs(level(wave(made.path, 1), 0.2, 1.8) + 25.05) < 0.3


async def test_dropped_sound_does_not_come_back(film: Film, sound_file: Film, make: Make) -> None:
    source = await film(GREY, tone(440))
    one, two = await sound_file(tone(1000), "1.wav"), await sound_file(tone(2000), "2.wav")
    made = await make([{"sound": {"replace": str(one)}}, {"sound": "drop"}, {"sound": {"mix": str(two)}}], source)
    heard = wave(made.path)
    assert abs(pitch(heard, 0.5, 1.5) - 2000) < 3 and abs(level(heard, 0.5, 1.5) + 15.05) < 0.3


async def test_a_new_sound_goes_along_with_a_trim(film: Film, tmp_path: Path, make: Make, either: Path) -> None:
    beeps = write_numbered(tmp_path / "b.mp4", frames=125)
    numbered = write_numbered(tmp_path / "n.mp4", frames=125, sound=None)
    made = await make(
        [{"sound": {"replace": str(beeps)}}, {"trim": {"start": 0.8, "end": 3}}, {"speed": 2}], numbered, build=either)
    assert [one.number for one in read_numbers(made.path)] == list(range(20, 75, 2))
    assert [round(beep, 1) for beep in onsets(wave(made.path))] == [0.1, 0.6]


@pytest.mark.parametrize("steps", [[{"trim": {"start": 0.4}}], [{"sound": {"volume": -6}}], [{"speed": 2}]])
async def test_several_files_come_from_one_command(
    film: Film, make: Make, either: Path, steps: list[dict[str, Any]]
) -> None:
    source = await film(GREY, tone(440), tone(880))
    outputs = [{"path": "a.mp4"}, {"path": "b.mkv"}, {"path": "c.mp4", "clip": {"start": 0.2, "duration": 0.4}}]
    made = await make(steps, source, outputs, build=either)
    assert len(made.finished.commands) == 1
    for path, seconds in zip(made.finished.paths, (made.probe.seconds, made.probe.seconds, 0.4), strict=True):
        facts = await probe(path)
        assert abs(facts.seconds - seconds) < 0.001 and len(facts.sounds) == 2
        heard = wave(path, 1)
        assert abs(len(heard) / 48000 - seconds) < 0.045 and abs(pitch(heard, 0.05, 0.35) - 880) < 6


@pytest.mark.parametrize(("asked", "told"), [
    ({}, "say what is to be done: drop, keep, replace, mix or volume"),
    ({"drop": True, "keep": 1}, "drop and keep can't be had in one step"),
    ({"drop": True, "volume": 3}, "what is dropped has no volume"),
    ({"keep": 1, "loop": True}, "loop is for replace and mix"), ({"volume": 3, "fade_out": 1}, "fade_out is for"),
    ({"replace": "music.wav", "duck": True}, "duck is for mix"), ({"keep": 3}, "no sound track 3: the film has 2"),
    ({"keep": 0}, "keep: "), ({"volume": 99}, "volume: "), ({"replace": "music.wav", "fade_out": 3}, "2.000 s long"),
    ({"mix": "none.wav"}, "There is no file"), ({"mix": "picture.png"}, "is a picture: give a file with sound"),
    ({"replace": "mute.mp4"}, "holds no sound: give an MP3"),
    ({"replace": "list.mp3"}, "is not sound that can be read"),
])
async def test_what_can_t_be_is_refused(
    film: Film, sound_file: Film, tmp_path: Path, asked: dict[str, Any], told: str
) -> None:
    source = await film(GREY, tone(440), tone(880))
    await film(GREY, name="mute.mp4")
    await sound_file(tone(1000))
    from PIL import Image

    Image.new("RGB", (8, 8)).save(tmp_path / "picture.png")
    (tmp_path / "list.mp3").write_text(f"ffconcat version 1.0\nfile {source}\n")
    placed = {name: str(tmp_path / value) if name in ("replace", "mix") else value for name, value in asked.items()}
    with pytest.raises((BadInput, BadMedia), match=told):
        await plan_of([{"sound": placed}], source)


async def test_a_picture_has_no_sound(tmp_path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (64, 64)).save(tmp_path / "p.png")
    with pytest.raises(BadInput, match="A picture has no sound"):
        await plan_of([{"sound": {"volume": 3}}], tmp_path / "p.png")
