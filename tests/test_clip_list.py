"""Which clips a batch has, what is asked of each, and its manifest."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from reelflow.batch import job_recipe, make_clips, own_recipe, read_part
from reelflow.clip_list import Row, read_rows
from reelflow.errors import BadInput, BadRows
from reelflow.manifest import Tally, line_of, opened_manifest, read_manifest
from reelflow.media.probe import probe
from reelflow.media.run import run_ffmpeg
from reelflow.recipe_file import parse_text
from reelflow.report import Report, RunStatus


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of names; nothing of this looks into the files."""
    folder = tmp_path / "clips"
    (folder / "deep").mkdir(parents=True)
    for name in ("b.mp4", "a.MOV", "still.png", "notes.txt", ".hidden.mp4", "deep/a.mp4", "odd.raw"):
        (folder / name).touch()
    return folder


def sources(rows: tuple[object, ...], folder: Path) -> list[str]:
    return [str(Path(row.source).relative_to(folder)) for row in rows]  # type: ignore[attr-defined]


@pytest.mark.parametrize(("where", "pictures", "found"), [
    ("", False, ["a.MOV", "b.mp4"]),
    ("", True, ["still.png"]),
    ("/*.mp4", False, ["b.mp4"]),
    ("/**/*.mp4", False, ["b.mp4", "deep/a.mp4"]),
    ("/*.raw", False, ["odd.raw"]),
    ("/*", False, ["a.MOV", "b.mp4"]),
    ("/b.mp4", False, ["b.mp4"]),
])
def test_a_folder_and_a_glob_give_their_films_in_order(
    folder: Path, where: str, pictures: bool, found: list[str]
) -> None:
    assert sources(read_rows(f"{folder}{where}", pictures=pictures), folder) == found


@pytest.mark.parametrize(("ending", "muxer"), [
    ("m2ts", "mpegts"), ("wmv", "asf"), ("asf", "asf"), ("3g2", "3g2"), ("mj2", "mov"),
])
async def test_a_folder_passes_over_no_film_that_could_be_opened(
    tmp_path: Path, ffmpeg: Path, ending: str, muxer: str
) -> None:
    codec = "mpeg2video" if muxer in ("mpegts", "asf") else "mpeg4"
    film = tmp_path / f"FILM.{ending}"
    await run_ffmpeg(["-f", "lavfi", "-i", "testsrc2=s=176x144:r=10:d=0.5", "-c:v", codec, "-f", muxer, f"file:{film}"],
                     ffmpeg=ffmpeg, timeout=30)
    assert (await probe(film)).frames == 5
    assert sources(read_rows(str(tmp_path), pictures=False), tmp_path) == [film.name]


def test_a_name_that_is_no_text_is_told_before_anything_is_made_of_it(folder: Path) -> None:
    (folder / os.fsdecode(b"caf\xe9.mp4")).touch()
    with pytest.raises(BadInput, match=r"caf\ufffd\.mp4 is not in UTF-8"):
        read_rows(str(folder), pictures=False)
    assert sources(read_rows(f"{folder}/b*", pictures=False), folder) == ["b.mp4"]


def test_a_folder_that_is_not_there_is_not_an_empty_one(folder: Path) -> None:
    with pytest.raises(BadInput, match=r"There is no folder and no film .*nowhere"):
        read_rows(f"{folder}/nowhere", pictures=False)


def test_a_list_gives_a_source_a_line_from_its_own_folder_on(folder: Path) -> None:
    (folder / "list.txt").write_text("# mine\nb.mp4\n\n/abs/c.mp4\ns3://bucket/d.mp4\nsample\n")
    rows = read_rows(f"{folder}/list.txt", pictures=False)
    assert [row.source for row in rows] == [f"{folder}/b.mp4", "/abs/c.mp4", "s3://bucket/d.mp4", "sample"]
    assert [row.line for row in rows] == [2, 4, 5, 6]


def test_a_row_of_csv_has_parameters_of_its_own(folder: Path) -> None:
    (folder / "list.csv").write_text(
        'source,prompt,seed,start,reference_image\nb.mp4,"noir, hard",7,,\na.MOV,,,0.5,look.png\n')
    rows = read_rows(f"{folder}/list.csv", pictures=False)
    assert rows[0].own == {"prompt": "noir, hard", "seed": "7"}
    assert rows[1].own == {"start": "0.5", "reference_image": f"{folder}/look.png"}
    clips = make_clips(rows[:1], lambda own: job_recipe("restyle", own))
    (step,) = clips[0].recipe.work
    assert (step.prompt, step.seed) == ("noir, hard", 7)  # type: ignore[attr-defined]


def test_what_a_clip_s_own_strictness_can_t_be_is_told_with_its_line(folder: Path) -> None:
    (folder / "list.csv").write_text("source,prompt,strict\na.MOV,noir,yes\nb.mp4,noir,ja\n")
    rows = read_rows(f"{folder}/list.csv", pictures=False)
    assert make_clips(rows[:1], lambda own: job_recipe("restyle", own))[0].recipe.strict is True
    with pytest.raises(BadInput, match=r"[Ll]ine 3.*strict can't be used: must be true or false"):
        make_clips(rows, lambda own: job_recipe("restyle", own))


def test_a_row_of_jsonl_may_hold_what_no_cell_can(folder: Path) -> None:
    (folder / "list.jsonl").write_text(
        '{"image": "still.png", "trajectory": [{"frame": 0, "x": 0, "y": 0}, {"frame": 9, "x": 1, "y": 1}]}\n')
    (row,) = read_rows(f"{folder}/list.jsonl", pictures=True)
    (clip,) = make_clips((row,), lambda own: job_recipe("motion", own))
    assert len(clip.recipe.work[0].points()) == 2  # type: ignore[attr-defined]


@pytest.mark.parametrize(("name", "text", "told"), [
    ("l.csv", "film\na.mp4\n", "no column `source`"),
    ("l.csv", "source,seed\na.mp4,1,2\n", "line 2 has more cells"),
    ("l.csv", "source,seed\n,1\n", "line 2 has no source"),
    ("l.jsonl", '{"source": "a.mp4"}\n{"source"\n', "line 2 is not JSON"),
    ("l.jsonl", '["a.mp4"]\n', "line 1 is not an object"),
    ("l.txt", "# nothing\n", "There are no films in"),
])
def test_a_list_that_can_t_be_read_is_told_with_its_line(tmp_path: Path, name: str, text: str, told: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(BadInput, match=told) as refused:
        read_rows(f"{tmp_path}/{name}", pictures=False)
    assert refused.value.field == "sources"


def test_all_faulty_rows_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_text(
        "source,prompt,seed,codec\na.mp4,x,soon,\nb.mp4,x,1,\nc.mp4,x,1,h266\nd.mp4,x,,\n")
    rows = read_rows(f"{tmp_path}/l.csv", pictures=False)
    with pytest.raises(BadRows, match="The list can't be worked through") as refused:
        make_clips(rows, lambda own: job_recipe("restyle", own))
    assert [fault.line for fault in refused.value.faults] == [2, 4]


def test_clips_of_one_name_get_different_ones_whatever_their_order(tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_text("source,prompt\nx/a.mp4,one\ny/a.mp4,one\nx/a.mp4,two\nz.mp4,one\n")
    rows = read_rows(f"{tmp_path}/l.csv", pictures=False)
    there = {clip.source + str(clip.recipe.work): clip.name
             for clip in make_clips(rows, lambda own: job_recipe("restyle", own))}
    back = {clip.source + str(clip.recipe.work): clip.name
            for clip in make_clips(rows[::-1], lambda own: job_recipe("restyle", own))}
    assert there == back
    assert len(set(there.values())) == 4
    assert "z" in there.values()


def test_the_same_clip_twice_is_refused() -> None:
    rows = Row("a.mp4", line=2), Row("b.mp4", line=3), Row("a.mp4", line=4)
    with pytest.raises(BadInput, match=r"a.mp4 stands in the list more than once .* \(lines 2 and 4\)"):
        make_clips(rows, lambda _own: job_recipe("restyle", {"prompt": "x"}))


def test_a_row_changes_a_recipe_s_steps_by_their_number() -> None:
    recipe = parse_text("steps:\n  - trim: {start: 1}\n  - restyle: noir\n  - edit: rain\n", name="r")
    made = own_recipe(recipe, {"prompt": "neon", "3.prompt": "snow", "1.start": "2.5"})
    assert [step.model_dump(exclude_unset=True) for step in made.work] == [
        {"start": 2.5}, {"prompt": "neon"}, {"prompt": "snow"}]
    for own in ({"7.prompt": "x"}, {"x.prompt": "x"}, {"0.start": 1}, {"2.promt": "x"}):
        with pytest.raises(BadInput):
            own_recipe(recipe, own)


def test_parts_are_read() -> None:
    assert (read_part(""), read_part("2/4")) == ((1, 1), (2, 4))
    for part in ("0/4", "5/4", "x", "1", "1/2/3"):
        with pytest.raises(BadInput, match="write 2/4"):
            read_part(part)


LINE = line_of(Report("restyle", RunStatus.COMPLETED, source="a.mp4", outputs=(Path("o.mp4"),)), "a", took=1.5)


def test_a_manifest_is_one_run_s_at_a_time_and_begun_anew_by_each(tmp_path: Path) -> None:
    for _ in range(2):
        with opened_manifest(tmp_path / "m.jsonl") as manifest:
            manifest.begin()
            manifest.add(LINE)
            with pytest.raises(BadInput, match="Another batch"), opened_manifest(tmp_path / "m.jsonl"):
                pass
            manifest.add(LINE)
    assert [line.outputs for line in read_manifest(tmp_path / "m.jsonl")] == [("o.mp4",)] * 2


def test_a_kill_leaves_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    writing = subprocess.Popen([sys.executable, "-c", (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from pathlib import Path; from test_clip_list import LINE; from reelflow.manifest import opened_manifest\n"
        f"with opened_manifest(Path({str(path)!r})) as manifest:\n"
        "    while True:\n"
        "        manifest.add(LINE)\n"
        "        print(flush=True)\n"
    )], stdout=subprocess.PIPE)
    assert writing.stdout is not None
    for _ in range(200):
        assert writing.stdout.readline()
    os.kill(writing.pid, signal.SIGKILL)
    writing.communicate()
    lines = path.read_text().splitlines()
    assert len(lines) >= 200
    assert {json.loads(line)["source"] for line in lines} == {"a.mp4"}


def test_a_tally_counts_what_ended_and_how() -> None:
    tally = Tally(4)
    for status in (RunStatus.COMPLETED, RunStatus.REFUSED, RunStatus.UNDECIDED):
        tally.count(line_of(Report("r", status), "x", took=0))
    assert (tally.ended, tally.bad, tally.told()) == (3, 2, "1 of 4 completed, 1 failed, 1 to be decided")


def test_the_rate_and_the_time_left_go_by_what_this_run_makes_alone() -> None:
    tally = Tally(100)
    for _ in range(60):  # made before, by another run
        tally.count(line_of(Report("r", RunStatus.COMPLETED), "x", took=0))
    tally.to_make = 40
    assert tally.told_under_way(0.1) == "60 of 100 completed, 0.0000 USD"
    for _ in range(4):
        tally.count(line_of(Report("r", RunStatus.COMPLETED, cost_usd=Decimal("0.01")), "x", took=30))
        tally.worked += 1
    assert tally.told_under_way(60.0) == "64 of 100 completed, 0.0400 USD, 4 clips a minute, about 9 min 0 s left"
    tally.worked = 40
    assert "left" not in tally.told_under_way(600.0)
