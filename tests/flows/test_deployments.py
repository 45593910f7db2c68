"""The deployments of prefect.yaml, run by a real worker: started, asked, decided, retried."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId, LogFilter, LogFilterFlowRunId
from prefect.client.schemas.objects import FlowRun
from prefect.states import Cancelling, Crashed, Scheduled
from working import ENDED, PREFECT, running_worker, start, until, worker_process

from flows.cli.waiting import answer_run
from reelflow.job.entry import Intent, State, Terms
from reelflow.job.ledger import Ledger
from reelflow.manifest import read_manifest
from reelflow.media.probe import probe
from reelflow.media.run import run_ffmpeg
from reelflow.standin.server import StandIn

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_server")]

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def deployed(prefect_server: str) -> None:
    """The deployments, made as the README says."""
    environment = {**os.environ, "DECART_API_KEY": "key-of-the-test"}
    for words in ([sys.executable, "-m", "flows", "setup"], [PREFECT, "--no-prompt", "deploy", "--all"]):
        done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def worker(deployed: None, queue: StandIn, tmp_path: Path) -> Iterator[Path]:
    """A process worker on the pool; gives its log."""
    with running_worker(tmp_path / "worker.log") as log:
        yield log


async def test_all_flows_are_deployed_and_the_schedule_waits(deployed: None) -> None:
    async with get_client() as client:
        found = {deployment.name: deployment for deployment in await client.read_deployments()}
    assert found.keys() >= {
        "restyle", "edit", "tryon", "motion", "image", "pipeline", "batch", "inbox", "clean"}
    assert not [schedule for one in found.values() for schedule in one.schedules if schedule.active]
    assert {one.work_queue_name for name, one in found.items() if name in ("batch", "inbox", "clean")} == {"batch"}
    assert {one.work_queue_name for name, one in found.items() if name in ("restyle", "pipeline")} == {"interactive"}
    assert [(schedule.active, schedule.parameters["max_cost_usd"]) for schedule in found["restyle"].schedules] == [
        (False, 1.0)]
    # pydantic leaves a description out of a form's field where the enum's docstring is the same sentence.
    for deployment in found.values():
        described = deployment.parameter_openapi_schema["properties"]
        assert not [name for name, field in described.items() if not field.get("description")], deployment.name


async def test_a_deployment_makes_a_film(worker: Path, queue: StandIn, clip: Path, tmp_path: Path) -> None:
    run = await until(await start("restyle/restyle", source=str(clip), prompt="noir",
                                  output=str(tmp_path / "out.mp4")), ENDED, worker)
    assert run.state_name == "Completed", worker.read_text()[-3000:]
    assert (await probe(tmp_path / "out.mp4")).frames == 30
    assert queue.jobs_made == 1
    job_id = next((tmp_path / "queue").glob("jobs/*")).name
    async with get_client() as client:
        async with asyncio.timeout(30):  # logs reach the server a moment after the run's last state
            while f"Job {job_id} is completed." not in (told := [log.message for log in await client.read_logs(
                    LogFilter(flow_run_id=LogFilterFlowRunId(any_=[run.id])), limit=200)]):
                await asyncio.sleep(0.3)
    assert f"Job {job_id} for lucy-restyle-2" in "\n".join(told)


async def test_a_run_keeps_the_name_that_a_person_gave_it(
    worker: Path, queue: StandIn, clip: Path, tmp_path: Path
) -> None:
    async with get_client() as client:
        found = await client.read_deployment_by_name("restyle/restyle")
        asked = {"source": str(clip), "prompt": "noir", "output": str(tmp_path / "out.mp4"), "estimate": True}
        named, other = [await client.create_flow_run_from_deployment(found.id, parameters=asked, name=name)
                        for name in ("ACME shot 12", None)]
    ended = [await until(run, ENDED, worker) for run in (named, other)]
    assert [run.name for run in ended] == ["ACME shot 12", "restyle a clip · noir"], worker.read_text()[-3000:]


async def test_a_retry_of_the_run_takes_up_the_job_that_was_bought(
    worker: Path, queue: StandIn, clip: Path, tmp_path: Path
) -> None:
    queue.faults.add("content-500=5")
    run = await until(await start("restyle/restyle", source=str(clip), prompt="noir",
                                  output=str(tmp_path / "out.mp4")), ENDED, worker)
    assert run.state_name == "Failed"
    async with get_client() as client:
        # What the button "Retry" of the UI does.
        await client.set_flow_run_state(run.id, Scheduled(name="AwaitingRetry"), force=True)
    run = await until(run, {"Running", "Pending", "Completed"}, worker)
    run = await until(run, ENDED, worker)
    assert run.state_name == "Completed", worker.read_text()[-3000:]
    assert (queue.jobs_made, (await probe(tmp_path / "out.mp4")).frames) == (1, 30)


@pytest.mark.parametrize("fault", ["late-reply", "stuck-pending"])
async def test_a_run_that_is_cancelled_in_the_ui_keeps_its_job_and_the_next_one_takes_it_up(
    worker: Path, queue: StandIn, clip: Path, tmp_path: Path, work_dir: Path, fault: str
) -> None:
    """Cancelled when the form is out and the reply still to come; and while it waits for the job."""
    queue.faults.add(fault)
    run = await start("restyle/restyle", source=str(clip), prompt="noir", output=str(tmp_path / "out.mp4"))
    state = State.SENT if fault == "late-reply" else State.ACCEPTED
    async with Ledger.open(None, work_dir=work_dir) as ledger, asyncio.timeout(60):
        while not queue.jobs_made or [entry.state for entry in await ledger.entries()] != [state]:
            await asyncio.sleep(0.1)
        async with get_client() as client:
            await client.set_flow_run_state(run.id, Cancelling())
        run = await until(run, ENDED, worker)
        assert run.state_name == "Cancelled", worker.read_text()[-3000:]
        (entry,) = await ledger.entries()
    job_id = next((tmp_path / "queue").glob("jobs/*")).name
    assert (entry.state, entry.job_id, entry.note) == (
        State.ACCEPTED, job_id, "Stopped waiting; the queue may still finish and bill it.")
    if fault == "late-reply":
        run = await until(await start("restyle/restyle", source=str(clip), prompt="noir",
                                      output=str(tmp_path / "out.mp4")), ENDED, worker)
        assert (run.state_name, queue.jobs_made) == ("Completed", 1), worker.read_text()[-3000:]


async def test_a_run_that_is_cancelled_while_its_preview_is_made_ends_in_order(
    worker: Path, queue: StandIn, clip: Path, tmp_path: Path, work_dir: Path
) -> None:
    queue.faults.add("stuck-pending")
    run = await start("pipeline/pipeline", source=str(clip), recipe=PREVIEWED, output=f"{tmp_path}/out/")
    async with Ledger.open(None, work_dir=work_dir) as ledger, asyncio.timeout(60):
        while [entry.state for entry in await ledger.entries()] != [State.ACCEPTED]:
            await asyncio.sleep(0.1)
    async with get_client() as client:
        await client.set_flow_run_state(run.id, Cancelling())
    run = await until(run, ENDED, worker)
    assert (run.state_name, queue.jobs_made) == ("Cancelled", 1), worker.read_text()[-3000:]
    assert "Traceback" not in worker.read_text()


async def test_a_worker_that_is_told_to_stop_brings_the_reply_home_that_its_run_waits_for(
    deployed: None, queue: StandIn, clip: Path, tmp_path: Path, work_dir: Path
) -> None:
    queue.faults.add("late-reply")
    log = tmp_path / "stopped.log"
    async with Ledger.open(None, work_dir=work_dir) as ledger:
        with worker_process(log) as worker:
            run = await start("restyle/restyle", source=str(clip), prompt="noir", output=str(tmp_path / "out.mp4"))
            async with asyncio.timeout(60):
                while not queue.jobs_made or [entry.state for entry in await ledger.entries()] != [State.SENT]:
                    await asyncio.sleep(0.1)
            worker.terminate()
            assert await asyncio.to_thread(worker.wait, 45) == 0, log.read_text()[-3000:]
        (entry,) = await ledger.entries()
    assert (entry.state, entry.job_id) == (State.ACCEPTED, next((tmp_path / "queue").glob("jobs/*")).name)
    async with get_client() as client:
        # Begun again by the automation of `reelflow setup`, if that has heard of it by now.
        assert (await client.read_flow_run(run.id)).state_name in ("Crashed", "AwaitingRetry", "Scheduled")
    with running_worker(tmp_path / "worker.log") as again:
        run = await until(await start("restyle/restyle", source=str(clip), prompt="noir",
                                      output=str(tmp_path / "again.mp4")), ENDED, again)
    assert (run.state_name, queue.jobs_made) == ("Completed", 1), again.read_text()[-3000:]


@pytest.fixture(scope="session")
def long_clip(tmp_path_factory: pytest.TempPathFactory, ffmpeg: Path) -> Path:
    """A film that takes a while to prepare and to finish: 1920x1080, 25 frames per second, 12 s, of noise."""
    target = tmp_path_factory.mktemp("long") / "long.mp4"
    asyncio.run(run_ffmpeg([
        "-f", "lavfi", "-i", "testsrc2=s=1920x1080:r=25:d=12,noise=alls=20:allf=t", "-c:v", "libx264", "-preset",
        "ultrafast", "-pix_fmt", "yuv420p", f"file:{target}"], ffmpeg=ffmpeg, timeout=300))
    return target


def encoding(folder: Path, target: str) -> list[int]:
    """The ffmpeg processes of runs that write below this folder, to a name with `target` in it."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
            written = [word.removeprefix("file:") for before, word in pairwise(words) if before != "-i"]
            if "ffmpeg" in words[0] and any(
                one.startswith(f"{folder}/") and target in one and f"{folder}/queue" not in one for one in written
            ):
                found.append(int(entry.name))
    return found


@pytest.mark.parametrize("phase", ["prepare", "finish"])
async def test_a_run_that_is_cancelled_while_it_encodes_leaves_no_process_and_no_part_of_a_film(
    worker: Path, queue: StandIn, long_clip: Path, tmp_path: Path, work_dir: Path, phase: str
) -> None:
    output = tmp_path / "made" / "out.mp4"
    run = await start("restyle/restyle", source=str(long_clip), prompt="noir", output=str(output))
    target = "prepared" if phase == "prepare" else "out.mp4"
    async with asyncio.timeout(300):
        while not encoding(tmp_path, target):
            await asyncio.sleep(0.05)
    async with get_client() as client:
        await client.set_flow_run_state(run.id, Cancelling())
    run = await until(run, ENDED, worker)
    assert run.state_name == "Cancelled", worker.read_text()[-3000:]
    async with asyncio.timeout(5):
        while encoding(tmp_path, ""):
            await asyncio.sleep(0.05)
    assert list(output.parent.iterdir()) == [] if phase == "finish" else not output.exists()
    assert [path.name for path in (work_dir / "scratch").iterdir()] == [".lock"]
    async with Ledger.open(None, work_dir=work_dir) as ledger:
        states = [entry.state for entry in await ledger.entries()]
    assert states == ([] if phase == "prepare" else [State.COMPLETED])
    assert queue.jobs_made == len(states)


async def test_a_batch_that_is_cancelled_tells_of_each_clip_and_goes_on_where_it_was(
    worker: Path, queue: StandIn, clip: Path, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / "in" / name).symlink_to(clip)
    (tmp_path / "in" / "list.csv").write_text("source,prompt\na.mp4,noir\nb.mp4,neon\n")
    asked = {"sources": str(tmp_path / "in" / "list.csv"), "job": "restyle", "output": str(tmp_path / "out"),
             "prompt": ""}
    queue.faults.add("stuck-pending=1")
    run = await start("batch/batch", **asked)
    manifest = tmp_path / "out" / "manifest.jsonl"
    async with asyncio.timeout(120):
        while not (manifest.exists() and '"completed"' in manifest.read_text() and queue.jobs_made == 2):
            await asyncio.sleep(0.1)
    async with get_client() as client:
        await client.set_flow_run_state(run.id, Cancelling())
    run = await until(run, ENDED, worker)
    assert run.state_name == "Cancelled", worker.read_text()[-3000:]
    lines = read_manifest(manifest)
    assert sorted(line.status for line in lines) == ["completed", "interrupted"]
    (stopped,) = [line for line in lines if line.status == "interrupted"]
    assert stopped.job_ids


@pytest.mark.parametrize("wrong", [None, "job-of-another-wish"])
async def test_a_job_adopted_without_its_id_or_by_another_one_s_is_asked_for_again(
    worker: Path, queue: StandIn, clip: Path, tmp_path: Path, work_dir: Path, wrong: str | None
) -> None:
    async with Ledger.open(None, work_dir=work_dir) as ledger:
        other = await ledger.claim(Intent(
            key="a" * 64, queue=queue.url, base_url=queue.url, stand_in=True, model="m", resolved="m", result="film",
            source_digest="s", reference_digest=None, parameters="[]", seconds=1.0, cost=None), Terms())
        assert other.purchase is not None
        await ledger.accepted(other.purchase, "job-of-another-wish", stand_in=True)
    queue.faults.add("drop-after-accept=1")
    run = await until(await start("restyle/restyle", source=str(clip), prompt="noir",
                                  output=str(tmp_path / "out.mp4")), {"Suspended", *ENDED}, worker)
    job_id = next((tmp_path / "queue").glob("jobs/*")).name
    await answer_run(str(run.id), {"decision": "adopt", "job_id": wrong})
    run = await until(run, {"Running", *ENDED}, worker)
    run = await until(run, {"Suspended", *ENDED}, worker)
    assert run.state_name == "Suspended", worker.read_text()[-3000:]
    await answer_run(str(run.id), {"decision": "adopt", "job_id": job_id})
    run = await until(run, ENDED, worker)
    assert (run.state_name, queue.jobs_made) == ("Completed", 1), worker.read_text()[-3000:]


async def test_two_runs_that_ask_about_one_lost_reply_buy_one_job_more(
    worker: Path, queue: StandIn, clip: Path, tmp_path: Path
) -> None:
    queue.faults.add("drop-after-accept=1")
    runs = []
    for number in range(2):
        asked = await start("restyle/restyle", source=str(clip), prompt="noir", output=str(tmp_path / f"{number}.mp4"))
        runs.append(await until(asked, {"Suspended", *ENDED}, worker))
    assert [run.state_name for run in runs] == ["Suspended"] * 2, worker.read_text()[-3000:]
    for run in runs:
        await answer_run(str(run.id), {"decision": "resubmit"})
    ended = [await until(run, ENDED, worker) for run in runs]
    assert [run.state_name for run in ended] == ["Completed"] * 2, worker.read_text()[-3000:]
    assert queue.jobs_made == 2


async def in_pieces(clip: Path, output: Path, worker: Path, *, seconds: float) -> FlowRun:
    """A run of the pipeline whose film goes out in pieces of so many seconds, once it waits for a person or is over."""
    asked = {"name": "mine", "steps": [{"restyle": {"prompt": "noir", "max_segment_seconds": seconds}}],
             "outputs": [{"path": "out.mp4"}]}
    return await until(await start("pipeline/pipeline", source=str(clip), recipe=asked, output=f"{output}/"),
                       {"Suspended", *ENDED}, worker)


async def test_a_person_is_asked_about_the_lost_reply_of_a_piece_once_the_other_pieces_are_home(
    worker: Path, queue: StandIn, clip: Path, tmp_path: Path, work_dir: Path
) -> None:
    queue.faults.add("drop-after-accept=1", "late-reply=1")
    run = await in_pieces(clip, tmp_path, worker, seconds=0.5)
    async with Ledger.open(None, work_dir=work_dir) as ledger:
        states = sorted(entry.state for entry in await ledger.entries())
    # The other one is home, where it was sent before the reply was lost.
    homes = [State.COMPLETED, State.UNKNOWN], [State.UNKNOWN]
    assert (run.state_name, states in homes) == ("Suspended", True), worker.read_text()[-3000:]
    await answer_run(str(run.id), {"decision": "resubmit"})
    run = await until(run, ENDED, worker)
    assert (run.state_name, queue.jobs_made) == ("Completed", 3), worker.read_text()[-3000:]
    assert (await probe(tmp_path / "out.mp4")).frames == 30


async def test_no_piece_is_sent_after_a_lost_reply_before_a_person_has_decided(
    worker: Path, queue: StandIn, clip: Path, tmp_path: Path
) -> None:
    queue.faults.add("drop-after-accept=1", "late-reply=3")
    run = await in_pieces(clip, tmp_path, worker, seconds=0.1)
    made = queue.jobs_made
    assert (run.state_name, made <= 4) == ("Suspended", True), worker.read_text()[-3000:]  # of eleven pieces
    await answer_run(str(run.id), {"decision": "abandon"})
    run = await until(run, ENDED, worker)
    # The answer is heard where the lost piece is met again; beside that go out as many as there are slots.
    assert (run.state_name, queue.jobs_made <= made + 3) == ("Failed", True), worker.read_text()[-3000:]


@pytest.mark.parametrize(("answer", "jobs", "ends"), [
    ("adopt", 1, "Completed"), ("resubmit", 2, "Completed"), ("abandon", 1, "Failed"),
])
async def test_a_lost_reply_waits_for_a_person_and_goes_on_as_decided(
    worker: Path, queue: StandIn, clip: Path, tmp_path: Path, answer: str, jobs: int, ends: str
) -> None:
    queue.faults.add("drop-after-accept=1")
    run = await until(await start("restyle/restyle", source=str(clip), prompt="noir",
                                  output=str(tmp_path / "out.mp4")), {"Suspended", *ENDED}, worker)
    assert run.state_name == "Suspended", worker.read_text()[-3000:]
    assert queue.jobs_made == 1
    job_id = next((tmp_path / "queue").glob("jobs/*")).name if answer == "adopt" else None
    await answer_run(str(run.id), {"decision": answer, "job_id": job_id})
    run = await until(run, ENDED, worker)
    assert (run.state_name, queue.jobs_made) == (ends, jobs), worker.read_text()[-3000:]
    assert (tmp_path / "out.mp4").exists() == (ends == "Completed")


PREVIEWED: dict[str, Any] = {
    "name": "mine", "steps": [{"restyle": {"prompt": "noir", "seed": 1}}], "preview": {"seconds": 0.3},
    "outputs": [{"path": "{stem}.mp4"}],
}


async def preview(clip: Path | str, output: Path, worker: Path, **more: Any) -> FlowRun:
    """A run of the pipeline that has made its preview and waits for a person."""
    asked = {"source": str(clip), "recipe": PREVIEWED, "output": f"{output}/", **more}
    run = await until(await start("pipeline/pipeline", **asked), {"Suspended", *ENDED}, worker)
    assert run.state_name == "Suspended", worker.read_text()[-3000:]
    return run


@pytest.mark.parametrize(("words", "ends"), [
    (["--prompt", "neon city"], "Completed"), (["--refuse"], "Failed"),
])
async def test_a_preview_waits_for_a_person_who_answers_on_the_command_line(
    worker: Path, queue: StandIn, clip: Path, tmp_path: Path, words: list[str], ends: str
) -> None:
    run = await preview(clip, tmp_path / "out", worker)
    assert queue.jobs_made == 1 and not (tmp_path / "out").exists()
    async with get_client() as client:
        shown = await client.read_artifacts(artifact_filter=ArtifactFilter(
            flow_run_id=ArtifactFilterFlowRunId(any_=[run.id])))
    assert any("data:image/jpeg" in str(artifact.data) for artifact in shown if artifact.key == "film")
    answered = subprocess.run([sys.executable, "-m", "flows", "approve", str(run.id), *words], cwd=ROOT,
                              capture_output=True, text=True, check=False)
    assert answered.returncode == 0, answered.stderr
    run = await until(run, ENDED, worker)
    assert run.state_name == ends, worker.read_text()[-3000:]
    if ends == "Completed":
        assert (queue.jobs_made, (await probe(tmp_path / "out" / "a clip.mp4")).frames) == (2, 30)
        assert {part.name: part.text for part in queue.received[-1].parts}["prompt"] == "neon city"
    else:
        assert queue.jobs_made == 1 and "refused the run" in str(run.state and run.state.message)


async def test_no_preview_is_bought_where_it_and_the_whole_go_over_the_limit(
    worker: Path, queue: StandIn, clip: Path, tmp_path: Path
) -> None:
    run = await until(await start("pipeline/pipeline", source=str(clip), recipe=PREVIEWED, output=f"{tmp_path}/",
                                  max_cost_usd=0.012), {"Suspended", *ENDED}, worker)
    assert run.state_name == "Failed", worker.read_text()[-3000:]
    assert "would cost 0.0132 USD, 0.0032 of it for previews" in str(run.state and run.state.message)
    assert queue.posts == 0


async def test_a_fresh_preview_of_the_whole_clip_is_paid_once_and_is_what_is_gone_on_with(
    worker: Path, queue: StandIn, clip: Path, tmp_path: Path
) -> None:
    whole = PREVIEWED | {"preview": {"seconds": 5}}
    kept = await until(await start("pipeline/pipeline", source=str(clip), recipe=whole, output=f"{tmp_path}/kept/",
                                   approve=True), ENDED, worker)
    assert (kept.state_name, queue.jobs_made) == ("Completed", 1), worker.read_text()[-3000:]
    run = await preview(clip, tmp_path / "out", worker, recipe=whole, refresh=True, max_cost_usd=0.012)
    assert queue.jobs_made == 2
    await answer_run(str(run.id), {"decision": "approve", "prompt": ""})
    run = await until(run, ENDED, worker)
    assert (run.state_name, queue.jobs_made) == ("Completed", 2), worker.read_text()[-3000:]


@pytest.mark.parametrize("decision", ["change the prompt", "approve"])
async def test_a_preview_that_another_prompt_leaves_unused_counts_before_anything_more_is_bought(
    worker: Path, queue: StandIn, clip: Path, tmp_path: Path, decision: str
) -> None:
    asked = PREVIEWED | {"preview": {"seconds": 5}, "steps": [*PREVIEWED["steps"], {"edit": {"prompt": "rain"}}]}
    run = await preview(clip, tmp_path / "out", worker, recipe=asked, max_cost_usd=0.055)
    await answer_run(str(run.id), {"decision": decision, "prompt": "neon city"})
    run = await until(run, {"Running", *ENDED}, worker)
    run = await until(run, {"Suspended", *ENDED}, worker)
    assert (run.state_name, queue.jobs_made) == ("Failed", 1), worker.read_text()[-3000:]
    assert "The 2 jobs would cost 0.06 USD, 0.01 of it for previews" in str(run.state and run.state.message)


async def test_another_prompt_makes_another_preview(
    worker: Path, queue: StandIn, clip: Path, tmp_path: Path
) -> None:
    run = await preview(clip, tmp_path / "out", worker)
    await answer_run(str(run.id), {"decision": "change the prompt", "prompt": "anime"})
    run = await until(run, {"Running", *ENDED}, worker)
    run = await until(run, {"Suspended", *ENDED}, worker)
    assert (run.state_name, queue.jobs_made) == ("Suspended", 2), worker.read_text()[-3000:]
    await answer_run(str(run.id), {"decision": "approve", "prompt": ""})
    run = await until(run, ENDED, worker)
    assert (run.state_name, queue.jobs_made) == ("Completed", 3), worker.read_text()[-3000:]
    assert (await probe(tmp_path / "out" / "a clip.mp4")).frames == 30


async def test_a_prompt_that_the_model_does_not_take_is_asked_for_again(
    worker: Path, queue: StandIn, clip: Path, tmp_path: Path
) -> None:
    run = await preview(clip, tmp_path / "out", worker)
    await answer_run(str(run.id), {"decision": "approve", "prompt": "x" * 1001})
    run = await until(run, {"Running", *ENDED}, worker)
    run = await until(run, {"Suspended", *ENDED}, worker)
    assert (run.state_name, queue.jobs_made) == ("Suspended", 1), worker.read_text()[-3000:]
    await answer_run(str(run.id), {"decision": "approve", "prompt": ""})
    run = await until(run, ENDED, worker)
    assert (run.state_name, queue.jobs_made) == ("Completed", 2), worker.read_text()[-3000:]


async def test_an_approved_run_that_is_taken_up_again_finds_the_answer(
    worker: Path, queue: StandIn, clip: Path, tmp_path: Path
) -> None:
    run = await preview(clip, tmp_path / "out", worker)
    queue.faults.add("content-500=5")
    await answer_run(str(run.id), {"decision": "approve", "prompt": ""})
    run = await until(run, ENDED, worker)
    assert (run.state_name, queue.jobs_made) == ("Failed", 2), worker.read_text()[-3000:]
    run = await taken_up(run, worker)
    assert (run.state_name, queue.jobs_made) == ("Completed", 2), worker.read_text()[-3000:]


async def test_a_run_that_was_taken_for_dead_while_it_waited_asks_once_more(
    worker: Path, queue: StandIn, clip: Path, tmp_path: Path
) -> None:
    run = await preview(clip, tmp_path / "out", worker)
    async with get_client() as client:
        await client.set_flow_run_state(run.id, Crashed())
    run = await taken_up(run, worker)
    assert (run.state_name, queue.jobs_made) == ("Suspended", 1), worker.read_text()[-3000:]
    await answer_run(str(run.id), {"decision": "approve", "prompt": ""})
    run = await until(run, ENDED, worker)
    assert (run.state_name, queue.jobs_made) == ("Completed", 2), worker.read_text()[-3000:]


async def taken_up(run: FlowRun, worker: Path) -> FlowRun:
    """The run once it has ended or waits for a person, after it was scheduled anew as the automation does it."""
    async with get_client() as client:
        await client.set_flow_run_state(run.id, Scheduled(name="AwaitingRetry"))
    return await until(run, {"Suspended", *ENDED}, worker)


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[str]:
    """A web server on loopback with what lies in a folder; gives its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=folder))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


async def test_an_approval_is_of_the_film_that_was_shown_and_of_no_other(
    worker: Path, queue: StandIn, clip: Path, ffmpeg: Path, tmp_path: Path
) -> None:
    source = tmp_path / "served" / "a-clip.mp4"
    source.parent.mkdir()
    shutil.copy(clip, source)
    with serving(source.parent) as address:
        run = await preview(f"{address}/a-clip.mp4", tmp_path / "out", worker)
        await run_ffmpeg(["-i", f"file:{clip}", "-vf", "negate", "-c:v", "libx264", f"file:{tmp_path / 'other.mp4'}"],
                         ffmpeg=ffmpeg, timeout=60)
        (tmp_path / "other.mp4").replace(source)
        await answer_run(str(run.id), {"decision": "approve", "prompt": ""})
        run = await until(run, {"Running", *ENDED}, worker)
        run = await until(run, {"Suspended", *ENDED}, worker)
        assert (run.state_name, queue.jobs_made) == ("Suspended", 2), worker.read_text()[-3000:]
        await answer_run(str(run.id), {"decision": "approve", "prompt": ""})
        run = await until(run, ENDED, worker)
        assert (run.state_name, queue.jobs_made) == ("Completed", 3), worker.read_text()[-3000:]
