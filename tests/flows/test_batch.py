"""Many clips in one flow run, on the stand-in: each for itself, priced as a whole, and made once."""

from __future__ import annotations

import asyncio
import fcntl
import itertools
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    FlowRunFilter,
    FlowRunFilterId,
)
from scripted import Answer, answer, hang_up, scripted

from flows.batch import batch, batch_folder, find_clips
from flows.cli.terminal import EACH_SECONDS, Lines
from flows.many import make_many
from flows.order import Many, Order
from reelflow.batch import BatchClip, job_recipe, make_clips, results_of
from reelflow.clip_list import Row, check_apart
from reelflow.errors import BadInput, ClipsFailed, OverBudget, ReelflowError
from reelflow.manifest import Line, read_manifest
from reelflow.media.probe import probe
from reelflow.media.run import run_ffmpeg
from reelflow.standin.server import StandIn, running_standin
from tasks.phase import listening, phase

pytestmark = pytest.mark.usefixtures("prefect_server")


@pytest.fixture
def clips(many: Path, tmp_path: Path) -> Path:
    """The same in a folder of the test's own."""
    folder = tmp_path / "in"
    folder.mkdir()
    for film in many.iterdir():
        (folder / film.name).symlink_to(film)
    return folder


def manifest(folder: Path, name: str = "manifest.jsonl") -> dict[str, Line]:
    lines = read_manifest(folder / name)
    assert len({line.name for line in lines}) == len(lines)
    return {line.name: line for line in lines}


async def test_one_clip_s_failure_leaves_the_others_and_only_what_is_missing_is_made_again(
    queue: StandIn, clips: Path, tmp_path: Path
) -> None:
    (clips / "bad.mp4").write_text("no film at all")
    out = tmp_path / "out"
    with pytest.raises(ClipsFailed, match="4 of 5 completed, 1 failed") as failed:
        await batch(str(clips), job="restyle", prompt="noir", output=str(out))
    told = manifest(out)
    assert {name: line.status for name, line in told.items()} == {
        "bad": "refused", **{f"clip-{number}": "completed" for number in range(1, 5)}}
    assert "is not a video" in told["bad"].error
    assert (await probe(Path(told["clip-3"].outputs[0]))).frames == 5
    assert (queue.jobs_made, len({line.job_ids[0] for line in told.values() if line.job_ids})) == (4, 4)
    assert (failed.value.summary["cost_usd"], failed.value.summary["billed_seconds"]) == (0.02, 2.0)

    # One task run a clip, and a handful of artifacts for all of them.
    async with get_client() as client:
        run = failed.value.summary["flow_run_id"]
        tasks: list[Any] = []
        async with asyncio.timeout(30):  # they are told by events, a moment later
            while len(tasks) < 4:
                tasks = await client.read_task_runs(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[run])))
                await asyncio.sleep(0.2)
        shown = {artifact.key: artifact for artifact in await client.read_artifacts(
            artifact_filter=ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run])))}
    assert sorted(task.name for task in tasks) == [f"clip-{number}" for number in range(1, 5)]
    # The phases show their progress where they last.
    assert {"plan", "clips"} <= shown.keys() - {None} <= {"plan", "clips", "progress-look", "progress-clips"}
    assert shown["clips"].description == f"4 of 5 completed, 1 failed. All of them on one page: {out}/index.html"
    assert json.loads(shown["clips"].data)[0]["clip"] == "bad"

    (clips / "bad.mp4").unlink()
    Path(told["clip-2"].outputs[0]).unlink()
    again = await batch(str(clips), job="restyle", prompt="noir", output=str(out))
    assert (again["completed"], again["to_make"], again["failed"], again["cost_usd"]) == (4, 1, 0, 0.0)
    assert {line.paid for line in manifest(out).values()} == {"kept"}
    assert queue.jobs_made == 4
    assert not list(tmp_path.glob("work/scratch/*/"))


async def test_without_a_terminal_a_line_now_and_then_tells_the_price_the_rate_and_the_time_left(
    queue: StandIn, clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "out")
    await batch(f"{clips}/clip-[1]*.mp4", job="restyle", prompt="noir", output=out)
    ticks = itertools.count(step=EACH_SECONDS)
    with listening(Lines(clock=lambda: next(ticks)).move):  # ten seconds go by between any two looks at the clock
        await batch(str(clips), job="restyle", prompt="noir", output=out, window=1)
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("clips 4 clips: ")]
    shown = r"clips 4 clips: (\d+)%, (\d) of 4 completed, (\d.\d{4}) USD(, [\d.]+ clips a minute)?(, about \d+ s left)?"
    told = [re.fullmatch(shown, line) for line in said[:-1]]
    found = [(one[1], one[2], one[3], bool(one[4]), bool(one[5])) for one in told if one]
    # The first clip was made before: it says nothing of how long the others take.
    assert found == [("50", "2", "0.0050", True, True), ("75", "3", "0.0100", True, True),
                     ("100", "4", "0.0150", True, False)]
    assert said[-1] == "clips 4 clips: done"


async def test_a_phase_that_somebody_stops_has_not_failed(capsys: pytest.CaptureFixture[str]) -> None:
    begun = asyncio.Event()

    async def wait() -> None:
        async with phase("wait", of="job_1", artifact=False):
            begun.set()
            await asyncio.Event().wait()

    with listening(Lines().move):
        waiting = asyncio.create_task(wait())
        await begun.wait()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    assert capsys.readouterr().err == "wait job_1: stopped\n"


async def test_all_of_it_is_held_against_the_limit_before_the_first_job(
    queue: StandIn, clips: Path, tmp_path: Path
) -> None:
    with pytest.raises(OverBudget, match=r"These 4 clips would cost 0.02 USD, and the limit max_cost_usd is 0.019"):
        await batch(str(clips), job="restyle", prompt="noir", output=str(tmp_path / "out"), max_cost_usd=0.019)
    told = await batch(str(clips), job="restyle", prompt="noir", output=str(tmp_path / "out"), estimate=True)
    assert (told["status"], told["estimated_cost_usd"], told["completed"]) == ("estimated", 0.02, 0)
    assert {line.cost_usd for line in manifest(tmp_path / "out", "estimate.jsonl").values()} == {0.005}
    assert queue.posts == 0
    told = await batch(str(clips), job="restyle", prompt="noir", output=str(tmp_path / "out"), max_cost_usd=0.02)
    assert told["completed"] == 4


async def test_a_batch_that_is_refused_leaves_the_manifest_and_the_page_of_the_one_before(
    queue: StandIn, clips: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    await batch(str(clips), job="restyle", prompt="noir", output=str(out))
    before = [(out / name).read_bytes() for name in ("manifest.jsonl", "index.html")]
    (clips / "bad.mp4").write_text("no film at all")
    with pytest.raises(OverBudget):
        await batch(str(clips), job="restyle", prompt="neon", output=str(out), overwrite=True, max_cost_usd=0.001)
    same = "steps:\n  - restyle: neon\noutputs:\n  - {path: teaser.mp4}\n"
    with pytest.raises(BadInput, match=r"would both become teaser\.mp4"):
        await batch(str(clips), recipe=same, output=str(out))
    assert [(out / name).read_bytes() for name in ("manifest.jsonl", "index.html")] == before


async def test_a_batch_that_is_halted_before_anything_is_made_leaves_what_the_one_before_has_told(
    tmp_path: Path, ffmpeg: Path, clips: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    monkeypatch.setenv("DECART_API_KEY", "key-of-the-test")
    async with running_standin(tmp_path / "queue", ffmpeg=ffmpeg) as queue:
        monkeypatch.setenv("DECART_BASE_URL", queue.url)
        await batch(str(clips), job="restyle", prompt="noir", output=str(out))
    before = [(out / name).read_bytes() for name in ("manifest.jsonl", "index.html")]
    with pytest.raises(ClipsFailed, match=rf"{out}/manifest\.jsonl stays as the run before left it\. The queue at"):
        await batch(str(clips), job="restyle", prompt="noir", output=str(out), window=1)
    assert [(out / name).read_bytes() for name in ("manifest.jsonl", "index.html")] == before
    with pytest.raises(ClipsFailed, match="says which and why"):
        await batch(str(clips), job="restyle", prompt="noir", output=str(tmp_path / "new"), window=1)
    assert [line.status for line in manifest(tmp_path / "new").values()] == ["refused"]


async def test_which_clip_halted_a_batch_stands_in_its_manifest(queue: StandIn, clips: Path, tmp_path: Path) -> None:
    asked: dict[str, Any] = {"job": "restyle", "prompt": "noir", "output": str(tmp_path / "out"), "window": 1}
    await batch(str(clips), **asked)
    (clips / "a-new.mp4").write_bytes(b"nothing of a film")
    with pytest.raises(ClipsFailed, match="says which and why"):
        await batch(str(clips), **asked, max_failures=1)
    assert [(name, line.status) for name, line in manifest(tmp_path / "out").items()] == [("a-new", "refused")]


async def test_where_the_manifest_can_t_be_written_no_more_clips_are_begun_and_it_is_named(
    queue: StandIn, clips: Path, tmp_path: Path
) -> None:
    """It lies in memory that is sealed after its first line, which is what a full disk would do to it alone."""
    sealed = os.memfd_create("manifest", os.MFD_ALLOW_SEALING)
    (tmp_path / "out").mkdir()
    lies = tmp_path / "out" / "manifest.jsonl"
    lies.symlink_to(f"/proc/self/fd/{sealed}")
    found = find_clips(str(clips), "", "restyle", {"prompt": "noir"}, "", strict=False, approve=False)

    async def seal(clip: BatchClip, line: Line, error: ReelflowError | None) -> None:
        fcntl.fcntl(sealed, fcntl.F_ADD_SEALS, fcntl.F_SEAL_GROW)

    @flow
    async def run() -> dict[str, Any]:
        return await make_many(found, Order(str(tmp_path / "out")), Many(window=1), lies, title="full", on_end=seal)

    with pytest.raises(ClipsFailed, match=f"2 of 4 completed, and 2 were not begun.*The manifest {lies} can't be "
                                          "written .*What is bought is in the ledger"):
        await run()
    assert (len(read_manifest(lies)), queue.jobs_made) == (1, 2)
    os.close(sealed)


@pytest.mark.parametrize("window", [1, 2])
async def test_a_job_that_serves_two_clips_is_paid_once_and_counted_once(
    queue: StandIn, clips: Path, tmp_path: Path, window: int
) -> None:
    (clips / "again.mp4").symlink_to((clips / "clip-1.mp4").resolve())
    told = await batch(f"{clips}/*[n1].mp4", job="restyle", prompt="noir", output=str(tmp_path / "out"), window=window)
    lines = manifest(tmp_path / "out")
    assert (sorted(lines), queue.jobs_made) == (["again", "clip-1"], 1)
    assert (told["completed"], told["cost_usd"], told["billed_seconds"]) == (2, 0.005, 0.5)
    assert sorted(line.cost_usd for line in lines.values()) == [0.0, 0.005]
    assert [line.paid for line in lines.values()].count("now") == 1


async def test_a_lost_reply_concerns_one_clip_and_its_line_says_how_it_is_decided(
    queue: StandIn, clips: Path, tmp_path: Path
) -> None:
    queue.faults.add("drop-after-accept=1")
    with pytest.raises(ClipsFailed) as failed:
        await batch(str(clips), job="restyle", prompt="noir", output=str(tmp_path / "out"))
    assert (failed.value.summary["status"], failed.value.summary["undecided"]) == ("undecided", 1)
    (lost,) = [line for line in manifest(tmp_path / "out").values() if line.status != "completed"]
    assert (lost.status, "reelflow jobs resolve" in lost.error, bool(lost.ledger_key)) == (
        "undecided", True, True)
    assert queue.jobs_made == 4


async def test_no_more_clips_are_begun_once_enough_have_failed(
    queue: StandIn, clips: Path, tmp_path: Path
) -> None:
    queue.faults.add("job-fails=4")
    with pytest.raises(ClipsFailed, match="3 were not begun") as failed:
        await batch(str(clips), job="restyle", prompt="noir", output=str(tmp_path / "out"), window=1, max_failures=1)
    assert (failed.value.summary["failed"], failed.value.summary["not_begun"]) == (1, 3)
    assert queue.jobs_made == 1


@pytest.mark.parametrize(("window", "told"), [(1, "1 failed, and 3 were not begun"), (4, "[1-4] failed")])
@pytest.mark.parametrize("trouble", [hang_up, answer(503)], ids=["it hangs up", "it is busy"])
async def test_a_queue_that_does_not_say_what_a_name_stands_for_is_asked_by_one_clip_for_all(
    clips: Path, tmp_path: Path, window: int, told: str, trouble: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with scripted(trouble) as server:
        monkeypatch.setenv("DECART_BASE_URL", server.url)
        monkeypatch.setenv("DECART_API_KEY", "key-of-the-test")
        with pytest.raises(ClipsFailed, match=rf"0 of 4 completed, {told}.*The queue at {server.url} .*Run the same"):
            await batch(str(clips), job="restyle", prompt="noir", output=str(tmp_path / "out"), window=window)
        assert len(server.asked) == 3
        with pytest.raises(ClipsFailed, match=rf"The queue at {server.url} ") as estimated:
            await batch(str(clips), job="restyle", prompt="noir", output=str(tmp_path / "out"), window=window,
                        estimate=True)
    assert estimated.value.summary["status"] == "failed", "nobody knows what it would cost"


async def test_a_recipe_s_rows_differ_and_parts_make_up_the_whole(
    queue: StandIn, clips: Path, tmp_path: Path
) -> None:
    (clips / "list.csv").write_text(
        "source,prompt,1.duration\nclip-1.mp4,noir,0.2\nclip-1.mp4,neon,\nclip-2.mp4,noir,\n")
    recipe = "name: two\nsteps:\n  - trim: {duration: 0.3}\n  - restyle: water\noutputs:\n  - path: '{stem}-x.mp4'\n"
    lines: dict[str, Any] = {}
    for part in ("1/2", "2/2"):
        told = await batch(f"{clips}/list.csv", recipe=recipe, output=str(tmp_path / "out"), part=part)
        lines |= manifest(tmp_path / "out", f"manifest-{part.replace('/', '-of-')}.jsonl")
        assert told["manifest"].endswith(f"manifest-{part.replace('/', '-of-')}.jsonl")
    frames = [(await probe(Path(line.outputs[0]))).frames for line in lines.values()]
    assert sorted(frames) == [2, 3, 3]
    assert len({line.outputs[0] for line in lines.values()}) == 3
    prompts = [part.text for form in queue.received for part in form.parts if part.name == "prompt"]
    assert sorted(filter(None, prompts)) == ["neon", "noir", "noir"]


async def test_a_clip_that_was_changed_since_it_was_looked_at_is_looked_at_again(
    queue: StandIn, clips: Path, ffmpeg: Path, tmp_path: Path
) -> None:
    await run_ffmpeg(["-f", "lavfi", "-i", "testsrc2=s=160x90:r=10:d=1.2", "-c:v", "libx264", "-pix_fmt", "yuv420p",
                      f"file:{tmp_path / 'longer.mp4'}"], ffmpeg=ffmpeg, timeout=30)
    found = find_clips(str(clips), "", "restyle", {"prompt": "noir"}, "", strict=False, approve=False)

    async def change_the_last(clip: BatchClip, line: Line, error: ReelflowError | None) -> None:
        if clip is found[0]:
            (tmp_path / "longer.mp4").replace(clips / "clip-4.mp4")

    @flow
    async def run() -> dict[str, Any]:
        return await make_many(found, Order(str(tmp_path / "out")), Many(window=1),
                               tmp_path / "out" / "manifest.jsonl", title="changed", on_end=change_the_last)

    assert (await run())["completed"] == 4
    frames = [(await probe(tmp_path / "out" / f"clip-{number}-restyle.mp4")).frames for number in range(1, 5)]
    assert frames == [5, 5, 5, 12]


@pytest.mark.parametrize(("asked", "told"), [
    ({}, "Give a recipe or a job"),
    ({"job": "restyle", "recipe": "restyle-with-sound"}, "not both"),
    ({"job": "restyle"}, "needs a prompt or a reference image"),
    ({"job": "restyle", "prompt": "x", "part": "9/9"}, "Part 9 of 9 has no clips"),
    ({"job": "restyle", "prompt": "x", "output": "/dev/null/out"}, "The folder /dev/null/out can't be made"),
    ({"job": "restyle", "prompt": "x", "window": 0}, "window must be 1 or more, and is 0"),
    ({"job": "restyle", "prompt": "x", "max_failures": 0}, "max_failures must be 1 or more, and is 0"),
    ({"job": "restyle", "prompt": "x", "parameters": {"promt": "y"}}, "promt"),
    ({"recipe": "steps:\n  - restyle: noir\noutputs:\n  - {path: teaser.mp4}\n"}, "would both become teaser.mp4: put"),
    ({"recipe": "preview: {}\nsteps:\n  - restyle: noir\n"}, "asks for a preview"),
])
async def test_what_can_t_be_used_is_refused_before_anything_is_bought(
    queue: StandIn, clips: Path, tmp_path: Path, asked: dict[str, Any], told: str
) -> None:
    with pytest.raises((BadInput, ClipsFailed)) as refused:
        await batch(str(clips), **{"output": str(tmp_path / "out"), **asked})
    lines = read_manifest(tmp_path / "out" / "manifest.jsonl") if isinstance(refused.value, ClipsFailed) else ()
    assert told in refused.value.message + " ".join(str(line.error) for line in lines)
    assert queue.posts == 0


RESULTS = ("take1-restyle.mp4", "posters/take1.jpg")


@pytest.mark.parametrize(("sources", "output"), [
    ("{clips}/*.mp4", "{clips}"), ("{clips}", "{clips}/../in/"), ("{clips}/**/*.mp4", "{clips}/out"),
    ("{clips}/**/take*.mp4", "{clips}/out"), ("{clips}/**/[r-t]*.mp4", "{clips}/out"), ("{clips}/**", "{clips}"),
    ("{clips}/*/*.mp4", "{clips}/out"), ("{clips}/o?t/*", "{clips}/out"), ("{clips}/*/*.mp4", "{clips}/link"),
    ("s3://bucket/in/*.mp4", "S3://bucket/in"), ("memory://bucket/in", "memory:///bucket/in/"),
    ("s3://bucket/*/*.mp4", "s3://bucket/out/"), ("s3://*/*.mp4", "s3://bucket"),
    ("s3://me:old@bucket/in", "s3://bucket/in"), ("s3a://bucket/in/*.mp4", "s3://me:new@bucket/in"),
    ("file://{clips}/*.mp4", "{clips}"),
])
def test_results_where_the_clips_are_are_refused(clips: Path, sources: str, output: str) -> None:
    (clips / "link").symlink_to(clips.parent)
    sources, output = (where.format(clips=clips) for where in (sources, output))
    with pytest.raises(BadInput, match="be taken for clips the next time"):
        check_apart(sources, output, RESULTS, pictures=False)
    check_apart(sources, f"{clips}-made", RESULTS, pictures=False)


@pytest.mark.parametrize(("sources", "output"), [
    ("/a/*/x.mp4", "/a"), ("/*.mp4", "/a"), ("s3://*/x.mp4", "s3://b"), ("/f/**/*.mov", "/f/out"),
    ("/f/raw*/**/*.mp4", "/f/out"), ("/f/**/take1.mp4", "/f/out"), ("/a/*/*.mp4", "/a/b/out"),
])
def test_results_that_a_pattern_does_not_take_may_lie_there(sources: str, output: str) -> None:
    check_apart(sources, output, RESULTS, pictures=False)


def test_a_recipe_s_output_is_held_against_a_pattern_however_it_is_written() -> None:
    names = ("./made//take1.mp4",)
    with pytest.raises(BadInput, match="be taken for clips the next time"):
        check_apart("/f/made/*.mp4", "/f", names, pictures=False)
    check_apart("/f/*/*/*.mp4", "/f", names, pictures=False)


def test_batches_of_different_sources_share_no_folder_and_those_of_the_same_do(work_dir: Path) -> None:
    def folder(sources: str, output: str = "") -> str:
        return str(batch_folder(output, sources, "restyle").relative_to(work_dir / "batches"))

    apart = ("/a/in", "/b/in", "/a/in/*.mp4", "/b/in/*.mp4", "/b/in/**/*.mp4", "s3://a/in")
    assert all(folder(sources).startswith("in-restyle-") for sources in apart)
    assert len({*map(folder, apart), folder("/a/in", "s3://a/out"), folder("/a/in", "s3://b/out")}) == len(apart) + 2
    for one, same in (("/a/in/", "/a/in"), ("s3://a/in/", "S3://a/in"), ("s3://me:old@a/in", "s3://me:new@a/in")):
        assert folder(one) == folder(same)
    assert "secret" not in folder("/a/in", "s3://me:secret@bucket/")


@pytest.mark.parametrize("sources", ["/f/**/*.jpg", "/f/*/*.jpg", "/f/posters"])
def test_pictures_for_the_index_page_are_not_to_be_taken_for_clips_either(sources: str) -> None:
    (clip,) = make_clips((Row("/f/a.jpg"),), lambda own: job_recipe("motion", {"preset": "arc", **own}))
    with pytest.raises(BadInput, match="be taken for clips the next time"):
        check_apart(sources, "/f", results_of([clip]), pictures=True)


def test_results_may_lie_beside_a_folder_whose_name_looks_like_a_pattern(tmp_path: Path) -> None:
    (tmp_path / "in [1]").mkdir()
    check_apart(str(tmp_path / "in [1]"), str(tmp_path), RESULTS, pictures=False)


async def test_a_batch_into_the_folder_of_its_clips_is_refused(queue: StandIn, clips: Path) -> None:
    for sources, output in ((clips, clips), (f"{clips}/**/clip-*.mp4", clips / "out")):
        with pytest.raises(BadInput, match="be taken for clips the next time"):
            await batch(str(sources), job="restyle", prompt="x", output=str(output))
    assert queue.posts == 0


async def test_a_prompt_may_hold_what_some_take_for_the_end_of_a_line(
    queue: StandIn, clips: Path, tmp_path: Path
) -> None:
    told = await batch(f"{clips}/clip-1.mp4", job="restyle", prompt="film noir\u2028hard shadows\x85",
                       output=str(tmp_path / "out"))
    (line,) = read_manifest(Path(told["manifest"]))
    assert (line.status, Path(told["page"]).exists(), queue.jobs_made) == ("completed", True, 1)


async def test_a_killed_batch_goes_on_without_paying_again(queue: StandIn, clips: Path, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "flows", "batch", "restyle", str(clips), "--prompt", "noir", "--output",
             str(tmp_path / "out"), "--window", "2", "--json"]
    killed = subprocess.run(words, env={**os.environ, "REELFLOW_KILL_AT": "in-finish"}, capture_output=True,
                            check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert all(line.name for line in read_manifest(tmp_path / "out" / "manifest.jsonl"))
    process = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    told = json.loads(out)
    assert (process.returncode, told["status"], told["completed"]) == (0, "completed", 4)
    assert queue.jobs_made == 4
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        *(f"clip-{number}-restyle.mp4" for number in range(1, 5)), "index.html", "manifest.jsonl", "posters"]
    page = Path(told["page"]).read_text()
    assert all(f'href="./clip-{number}-restyle.mp4"' in page and f'src="./posters/clip-{number}.jpg"' in page
               for number in range(1, 5))


# Five hundred for the note; fewer show the same.
CLIPS = int(os.environ.get("TEST_CLIPS", "60"))


@pytest.mark.cluster
async def test_a_window_of_fifty_clips_is_no_trouble_for_the_embedded_server(tmp_path: Path, ffmpeg: Path) -> None:
    """A process of its own with Prefect's SQLite server in it; the queue has fifty slots, and takes a second a job."""
    folder = tmp_path / "in"
    folder.mkdir()
    await run_ffmpeg([
        "-f", "lavfi", "-i", f"testsrc2=s=160x90:r=30:d={CLIPS}", "-c:v", "libx264", "-g", "30", "-keyint_min", "30",
        "-bf", "0", "-sc_threshold", "0", "-pix_fmt", "yuv420p", "-f", "segment", "-segment_time", "1",
        "-segment_time_delta", "0.01", "-reset_timestamps", "1", f"file:{folder}/clip-%03d.mp4"],
        ffmpeg=ffmpeg, timeout=300)
    assert len(list(folder.iterdir())) == CLIPS
    async with running_standin(tmp_path / "queue", ffmpeg=ffmpeg, workers=50, service_seconds=1.0) as queue:
        environment = {name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"}
        environment |= {"DECART_BASE_URL": queue.url, "DECART_API_KEY": "k", "REELFLOW_POLL_SECONDS": "0.5",
                        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "WARNING"}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "flows", "batch", "restyle", str(folder), "--prompt", "noir", "--output",
            str(tmp_path / "out"), "--window", "50", "--jobs-at-once", "50", "--json", env=environment,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
        out, err = await process.communicate()
    told = json.loads(out)
    assert (process.returncode, told["completed"], queue.jobs_made) == (0, CLIPS, CLIPS), err.decode()[-3000:]
    assert len(manifest(tmp_path / "out")) == CLIPS
    troubles = ("503", "database is locked", "Traceback", "could not be shown")
    assert not [word for word in troubles if word in err.decode()]
