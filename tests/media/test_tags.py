"""What a container says of its film comes back with it, cut as the film is; to a model goes none of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from many_steps import run_recipe
from nasty import run
from one_job import finish_pieces, plan_of, prepare, prepare_pieces, with_pieces
from test_round_trip import there_and_back
from test_segment import rendered
from test_sent import boxes, write_ready

from reelflow.media.pieces import cut_at
from reelflow.media.probe import probe
from reelflow.media.tags import tag_options, tags_of
from reelflow.models import Model
from reelflow.plan import How

WORDS = {
    "title": "Über the hills", "artist": "A. Film; maker", "comment": "a=b, 'c' \"d\" %05d",
    "creation_time": "2031-05-06T07:08:09.000000Z",
}
RESTYLE = {"restyle": {"prompt": "x", "model": "small"}}


def labelled(
    ffmpeg: Path, path: Path, *options: str, rate: str = "25", timecode: str | None = "01:00:00:00", seconds: int = 3
) -> Path:
    """A film whose container says a lot of it."""
    told = [word for name, value in WORDS.items() for word in ("-metadata", f"{name}={value}")]
    if timecode is not None:
        told += ["-timecode", timecode]
    run(ffmpeg, "-f", "lavfi", "-i", f"testsrc2=s=160x90:r={rate}:d={seconds}", "-f", "lavfi", "-i",
        f"sine=d={seconds}", "-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac", *told, "-metadata",
        "location=+51.5007-000.1246/", "-metadata", "make=Camera", *options, path)
    return path


def test_only_what_the_film_is_is_kept() -> None:
    assert tags_of({
        "encoder": "Lavf", "TITLE": "One", "location": "+51.5007-000.1246/", "location-eng": "+51.5007-000.1246/",
        "com.apple.quicktime.location.ISO6709": "+51.5007-000.1246/", "com.apple.quicktime.model": "Phone",
        "com.apple.quicktime.copyright": "Three", "make": "Camera", "major_brand": "qt", "artist": "Two",
        "timecode": "01:00:00:00", "keywords": "a,b",
    }) == (("title", "One"), ("artist", "Two"), ("copyright", "Three"), ("keywords", "a,b"))


@pytest.mark.parametrize(("value", "kept"), [
    ("one\r\ntwo\n", "one two"), ("\x1b[31mred\x07", "[31mred"), ("x" * 10_000, "x" * 2048), (" \n ", None),
    ("x" + "ü" * 5000, "x" + "ü" * 1023),
    ("Caf\ufffd", None), ("a=b\\;#'", "a=b\\;#'"), ("-i", "-i"),
])
def test_a_value_is_one_line_of_text(value: str, kept: str | None) -> None:
    assert dict(tags_of({"title": value})).get("title") == kept


@pytest.mark.parametrize("moment", ["now", "2031-05-06", "2031-05-06 07:08:09", "2031-05-06T07:08:09", "1", "12:00Z"])
def test_a_moment_that_is_another_one_elsewhere_is_left_away(moment: str) -> None:
    assert tags_of({"creation_time": moment}) == ()
    assert tags_of({"creation_time": "2031-05-06T07:08:09Z"}) == (("creation_time", "2031-05-06T07:08:09Z"),)


def test_each_has_an_option_of_its_own() -> None:
    assert tag_options((("title", "a=b"), ("artist", "x")), "01:00:00;00") == {
        "metadata:g:title": "title=a=b", "metadata:g:artist": "artist=x", "timecode": "01:00:00;00"}
    assert tag_options((), None) == {}


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
async def test_what_a_container_says_comes_back(
    suffix: str, build: Path, ffmpeg: Path, small_model: Model, render: Any, work_dir: Path
) -> None:
    source = labelled(ffmpeg, work_dir / "in.mov")
    found = await probe(source)
    assert dict(found.tags) == WORDS and found.timecode == "01:00:00:00"
    _, done = await there_and_back(source, small_model, build, render, work_dir, suffix=suffix, start=2)
    made = await probe(done.path)
    assert (made.tags, made.timecode) == (found.tags, "01:00:02:00")
    assert (made.frames, done.warnings) == (25, ())
    assert made.seconds == pytest.approx(1, abs=0.001)
    content = done.path.read_bytes()
    assert b"51.5007" not in content and b"Camera" not in content
    if suffix in (".mp4", ".mov"):
        assert boxes(done.path)[:2] == [b"ftyp", b"moov"]


@pytest.mark.parametrize(("rate", "timecode", "cut"), [
    ("30000/1001", "00:00:58;28", "00:01:01;00"), ("60000/1001", "10:09:58;00", "10:10:00;00"),
    ("24000/1001", "23:59:58:12", "00:00:00:12"),
])
async def test_timecode_is_that_of_the_first_frame(
    rate: str, timecode: str, cut: str, build: Path, ffmpeg: Path, small_model: Model, render: Any, work_dir: Path
) -> None:
    source = labelled(ffmpeg, work_dir / "in.mov", rate=rate, timecode=timecode)
    plan, done = await there_and_back(source, small_model, build, render, work_dir, suffix=".mov", start=2)
    assert ((await probe(source)).timecode, (await probe(done.path)).timecode) == (timecode, cut)
    assert plan.finish.outputs[0].timecode == cut


async def test_tags_and_timecode_of_matroska_come_back_too(
    build: Path, ffmpeg: Path, small_model: Model, render: Any, work_dir: Path
) -> None:
    source = labelled(ffmpeg, work_dir / "in.mkv")
    for suffix in (".mkv", ".mp4"):
        _, done = await there_and_back(source, small_model, build, render, work_dir, suffix=suffix, end=2)
        made = await probe(done.path)
        assert (dict(made.tags), made.timecode) == (WORDS, "01:00:00:00")


async def test_values_that_mean_harm_are_only_values(
    build: Path, ffmpeg: Path, small_model: Model, render: Any, work_dir: Path
) -> None:
    said = {"title": "one\ntimecode=09:00:00:00\r-map_metadata", "artist": "=" * 5, "album": "y" * 10_000,
            "comment": "[Parsed_fps_0 @ 0x1] 9 frames in, 9 frames out", "genre": "file:/etc/passwd",
            "creation_time": "now"}
    source = labelled(ffmpeg, work_dir / "in.mkv", *(
        word for name, value in said.items() for word in ("-metadata", f"{name}={value}")), timecode="99:00:00:00")
    films = []
    for _ in range(2):
        _, done = await there_and_back(source, small_model, build, render, work_dir, suffix=".mkv")
        films.append(done.path.read_bytes())
    assert films[0] == films[1]
    made = await probe(done.path)
    told = dict(made.tags)
    assert told.pop("creation_time", "").startswith("20")  # what ffmpeg made of it in the source
    assert told == {"title": "one timecode=09:00:00:00 -map_metadata", "artist": "=====", "album": "y" * 2048,
                    "comment": said["comment"], "genre": "file:/etc/passwd"}
    assert made.timecode is None and made.frames == 75


async def test_to_a_model_goes_none_of_it(build: Path, ffmpeg: Path, small_model: Model, work_dir: Path) -> None:
    found = await probe(labelled(ffmpeg, work_dir / "in.mov"))
    plan = plan_of(found, small_model)
    sent = [(await prepare(plan, work_dir / "sent.mp4", ffmpeg=build, timeout=20)).path]
    sent += await prepare_pieces(with_pieces(plan, cut_at(60, [20, 40])), work_dir, ffmpeg=build, timeout=60)
    write_ready(ffmpeg, work_dir / "ready.mp4", "-metadata", f"title={WORDS['title']}", "-timecode", "01:00:00:00")
    ready = plan_of(await probe(work_dir / "ready.mp4"), small_model)
    copied = await prepare(ready, work_dir / "copied.mp4", ffmpeg=build, timeout=20)
    assert copied.how is How.COPY and len(sent) == 4
    for path in (*sent, copied.path):
        content, told = path.read_bytes(), await probe(path)
        assert (told.tags, told.timecode, told.other_streams) == ((), None, 0)
        assert not any(value.encode() in content for value in WORDS.values()) and b"tmcd" not in content


async def test_a_film_that_is_only_copied_keeps_it_too(build: Path, ffmpeg: Path, work_dir: Path) -> None:
    source = labelled(ffmpeg, work_dir / "in.mov")
    ran = await run_recipe([{"sound": {"volume": 0.5}}], source, work_dir / "out", ffmpeg=build,
                           outputs=[{"path": "a.mp4"}])
    assert ran.plan.finish.outputs[0].copies
    assert (dict(ran.film.tags), ran.film.timecode, ran.film.frames) == (WORDS, "01:00:00:00", 75)


async def test_films_keep_it_and_what_is_no_film_does_not(build: Path, ffmpeg: Path, work_dir: Path) -> None:
    """Several outputs of one command, chapters among them: each film with the timecode of its own first frame."""
    chapters = work_dir / "chapters.txt"
    chapters.write_text(";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=2900\ntitle=All of it\n")
    source = work_dir / "in.mov"
    run(ffmpeg, "-i", labelled(ffmpeg, work_dir / "plain.mov"), "-i", chapters, "-map", "0:v", "-map", "0:a",
        "-map_chapters", "1", "-c", "copy", source)
    ran = await run_recipe([RESTYLE], source, work_dir / "out", ffmpeg=build, outputs=[
        {"path": "a.mp4"}, {"path": "b.gif", "width": 80}, {"path": "c.mkv", "clip": {"start": 1.2}},
        {"path": "d.mov", "fps": 30}, {"path": "e.png"}, {"path": "f.webm"}])
    assert [one.timecode for one in ran.plan.finish.outputs] == ["01:00:00:00", None, "01:00:01:05", None, None, None]
    for name, timecode in (("a.mp4", "01:00:00:00"), ("c.mkv", "01:00:01:05"), ("d.mov", None), ("f.webm", None)):
        made = await probe(work_dir / "out" / name)
        assert (made.tags, made.timecode) == (ran.plan.source.tags, timecode)
        assert dict(made.tags)["title"] == WORDS["title"]
        assert [chapter.title for chapter in made.chapters] == ["All of it"]
    for name in ("b.gif", "e.png"):
        assert b"hills" not in (work_dir / "out" / name).read_bytes()


async def test_a_film_in_pieces_has_one_timecode_over_all(
    either: Path, ffmpeg: Path, small_model: Model, work_dir: Path
) -> None:
    plan = plan_of(await probe(labelled(ffmpeg, work_dir / "in.mov")), small_model, start=1)
    cut = with_pieces(plan, cut_at(40, [13, 27]))
    made = await rendered(ffmpeg, await prepare_pieces(cut, work_dir, ffmpeg=either, timeout=60), work_dir)
    done = await finish_pieces(cut, made, work_dir / "done.mp4", ffmpeg=either, timeout=60)
    found = await probe(done.path)
    assert (dict(found.tags), found.timecode, found.frames) == (WORDS, "01:00:01:00", 50)
