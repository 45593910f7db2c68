"""The whole pipeline as a process of its own, killed where it hurts, and run again: one paid job, or a question."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import flows.restyle
from reelflow.job.boundary import VARIABLE, Boundary
from reelflow.media.probe import probe
from reelflow.standin.server import StandIn

pytestmark = pytest.mark.usefixtures("prefect_server")


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended: exit code, its JSON object where it printed one, and standard error."""

    code: int
    answer: dict[str, Any]
    stderr: str


async def reelflow(*words: str, **environment: str) -> Ended:
    """Run `reelflow …` as a user would, in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "flows", *words, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE, env={**os.environ, **environment},
    )
    stdout, stderr = await process.communicate()
    assert process.returncode is not None
    assert process.returncode < 0 or stdout, stderr.decode()
    return Ended(process.returncode, json.loads(stdout) if stdout else {}, stderr.decode())


def restyle(clip: Path, output: Path) -> list[str]:
    """The same wish each time."""
    return ["restyle", str(clip), "--prompt", "film noir", "--seed", "7", "--duration", "0.5", "--json", "--output",
            str(output)]


# Where the run dies, and how many jobs there may be after it has been run again; None where a person is asked.
CERTAIN = {
    Boundary.BEFORE_INTENT: 1, Boundary.AFTER_INTENT: 1, Boundary.POLLING: 1, Boundary.IN_DOWNLOAD: 1,
    Boundary.BEFORE_RENAME: 1, Boundary.IN_FINISH: 1,
}
UNCERTAIN = (Boundary.IN_BODY, Boundary.AFTER_BODY, Boundary.AFTER_REPLY)
FAST = (Boundary.POLLING, Boundary.IN_BODY)


def slow_unless_fast(boundary: Boundary) -> Any:
    return pytest.param(boundary, marks=() if boundary in FAST else pytest.mark.slow, id=boundary.value)


@pytest.mark.parametrize("boundary", [slow_unless_fast(boundary) for boundary in CERTAIN])
async def test_a_killed_run_goes_on_without_paying_again(
    boundary: Boundary, queue: StandIn, clip: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out.mp4"
    killed = await reelflow(*restyle(clip, output), **{VARIABLE: boundary.value})
    assert killed.code == -signal.SIGKILL, killed.stderr
    assert not output.exists()
    again = await reelflow(*restyle(clip, output))
    assert (again.code, again.answer["status"]) == (0, "completed"), again.stderr
    assert queue.jobs_made == 1
    assert (await probe(output)).frames == 15
    assert [path.name for path in output.parent.glob(".*")] == []


async def test_a_run_that_is_killed_when_its_film_has_its_name_is_not_refused_by_that_film(
    queue: StandIn, clip: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out.mp4"
    killed = await reelflow(*restyle(clip, output), **{VARIABLE: Boundary.IN_PLACE.value})
    assert (killed.code, output.exists()) == (-signal.SIGKILL, True), killed.stderr
    written = output.stat().st_mtime_ns
    again = await reelflow(*restyle(clip, output))
    assert (again.code, again.answer["status"], again.answer["paid"]) == (0, "completed", "kept"), again.stderr
    assert (queue.jobs_made, output.stat().st_mtime_ns) == (1, written)
    assert again.answer["lineage"][-1]["name"] == "out.mp4" and output.with_suffix(".html").exists()


@pytest.mark.parametrize("boundary", [slow_unless_fast(boundary) for boundary in UNCERTAIN])
async def test_where_nobody_can_know_a_person_is_asked(
    boundary: Boundary, queue: StandIn, clip: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out.mp4"
    killed = await reelflow(*restyle(clip, output), **{VARIABLE: boundary.value})
    assert killed.code == -signal.SIGKILL, killed.stderr
    again = await reelflow(*restyle(clip, output))
    assert (again.code, again.answer["status"], again.answer["in_doubt_usd"]) == (3, "undecided", 0.005), again.stderr
    assert "reelflow jobs resolve" in again.answer["error"]
    assert not output.exists()
    # Only now: the queue may take up what the dead run has sent after its death.
    assert queue.posts <= 1
    before = queue.jobs_made

    wish = again.answer["ledger_key"]
    decided = await reelflow("jobs", "resolve", wish, "--resubmit", "--json")
    assert decided.code == 0, decided.stderr
    done = await reelflow(*restyle(clip, output))
    assert (done.code, queue.jobs_made) == (0, before + 1), done.stderr


async def test_asking_again_for_the_same_film_costs_nothing_and_makes_nothing(
    queue: StandIn, clip: Path, tmp_path: Path
) -> None:
    first = await reelflow(*restyle(clip, tmp_path / "out.mp4"))
    assert first.code == 0, first.stderr
    same, elsewhere = await asyncio.gather(
        reelflow(*restyle(clip, tmp_path / "out.mp4")), reelflow(*restyle(clip, tmp_path / "other.mp4"))
    )
    assert (same.code, elsewhere.code) == (0, 0), same.stderr + elsewhere.stderr
    assert (queue.posts, same.answer["paid"], elsewhere.answer["paid"]) == (1, "kept", "kept")
    assert (tmp_path / "other.mp4").read_bytes() == (tmp_path / "out.mp4").read_bytes()
    assert (first.answer["paid"], first.answer["billed_seconds"], first.answer["cost_usd"]) == ("now", 0.5, 0.005)
    for answer in (same.answer, elsewhere.answer):
        assert (answer["billed_seconds"], answer["cost_usd"], answer["estimated_cost_usd"]) == (0.0, 0.0, 0.005)


@pytest.mark.slow
async def test_two_processes_with_the_same_wish_buy_one_job(queue: StandIn, clip: Path, tmp_path: Path) -> None:
    ended = await asyncio.gather(*(reelflow(*restyle(clip, tmp_path / f"out{number}.mp4")) for number in range(2)))
    assert [one.code for one in ended] == [0, 0], "".join(one.stderr for one in ended)
    assert queue.jobs_made == 1


async def test_a_lost_reply_ends_with_exit_code_3(queue: StandIn, clip: Path, tmp_path: Path) -> None:
    queue.faults.add("drop-after-accept=1")
    lost = await reelflow(*restyle(clip, tmp_path / "out.mp4"))
    assert (lost.code, lost.answer["status"], queue.jobs_made) == (3, "undecided", 1), lost.stderr
    assert "Traceback" not in lost.stderr


async def test_a_failed_job_ends_with_exit_code_1_and_is_not_bought_again(
    queue: StandIn, clip: Path, tmp_path: Path
) -> None:
    queue.faults.add("job-fails=1")
    ended = [await reelflow(*restyle(clip, tmp_path / "out.mp4")) for _ in range(2)]
    assert [(one.code, one.answer["status"]) for one in ended] == [(1, "failed"), (1, "failed")], ended[0].stderr
    assert queue.jobs_made == 1


async def test_a_failed_job_is_bought_again_in_the_same_run_where_that_is_set(
    queue: StandIn, clip: Path, tmp_path: Path
) -> None:
    queue.faults.add("job-fails=1")
    ended = await reelflow(*restyle(clip, tmp_path / "out.mp4"), REELFLOW_MAX_ATTEMPTS="2")
    assert (ended.code, ended.answer["status"], queue.jobs_made) == (0, "completed", 2), ended.stderr
    assert len(set(ended.answer["job_ids"])) == 2
    assert (ended.answer["paid"], ended.answer["billed_seconds"], ended.answer["cost_usd"]) == ("now", 1.0, 0.01)


@pytest.mark.slow
async def test_prefect_s_own_retries_take_up_the_job_that_was_bought(
    queue: StandIn, clip: Path, tmp_path: Path
) -> None:
    queue.faults.add("content-500=5")
    told = await flows.restyle.restyle.with_options(retries=1)(
        source=str(clip), prompt="film noir", duration=0.5, output=str(tmp_path / "out.mp4"))
    assert (told["status"], told["paid"], queue.faults.left, queue.jobs_made) == ("completed", "now", {}, 1)


async def test_what_goes_over_the_limit_is_refused_before_its_film_is_encoded_unless_it_may_be_kept(
    queue: StandIn, clip: Path, work_dir: Path, tmp_path: Path
) -> None:
    limit = ("--max-cost-usd", "0.001")
    refused = await reelflow(*restyle(clip, tmp_path / "out.mp4"), *limit)
    assert (refused.code, refused.answer["status"], queue.posts) == (2, "refused", 0), refused.stderr
    assert "would cost 0.005 USD, and the limit max_cost_usd is 0.001 USD" in refused.answer["error"]
    assert not (work_dir / "phases").exists() and not (tmp_path / "out.failed.html").exists()

    paid = await reelflow(*restyle(clip, tmp_path / "out.mp4"))
    kept = await reelflow(*restyle(clip, tmp_path / "other.mp4"), *limit)
    assert [(one.code, one.answer["paid"]) for one in (paid, kept)] == [(0, "now"), (0, "kept")], kept.stderr
    fresh = await reelflow(*restyle(clip, tmp_path / "fresh.mp4"), *limit, "--refresh")
    assert (fresh.code, queue.jobs_made) == (2, 1), fresh.stderr


@pytest.mark.slow
@pytest.mark.parametrize(("fault", "sentence", "state"), [
    ("503=9", "Stopped before a job was bought.", "refused"),
    ("stuck-pending=1", "Stopped. Job {job} is bought", "accepted"),
    ("hang-after-accept=1", "`reelflow jobs resolve {wish} --resubmit`", "unknown"),
])
async def test_who_stops_a_run_is_told_whether_it_paid(
    fault: str, sentence: str, state: str, queue: StandIn, clip: Path, tmp_path: Path
) -> None:
    queue.faults.add(fault)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "flows", *restyle(clip, tmp_path / "out.mp4"), stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        # A job is made once all of its form is there: only then has it left for certain.
        while not (queue.posts if state == "refused" else queue.jobs_made):
            await asyncio.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    stdout, stderr = await process.communicate()
    assert stdout, (process.returncode, stderr.decode())
    answer = json.loads(stdout)
    assert (process.returncode, answer["status"]) == (130, "interrupted"), stderr
    assert not (tmp_path / "out.mp4").exists()
    (job,) = (await reelflow("jobs", "list", "--json")).answer["jobs"]
    assert job["state"] == state
    assert sentence.format(job=job["job_id"], wish=job["key"][:12]) in answer["error"]
    assert (answer["ledger_key"], answer["job_ids"]) == (job["key"], [job["job_id"]] if job["job_id"] else [])
    assert answer["billed_seconds"] == (0.5 if state == "accepted" else 0.0)


async def test_ctrl_c_which_all_get_that_a_terminal_runs_ends_a_run_in_order(
    queue: StandIn, clip: Path, tmp_path: Path
) -> None:
    """Prefect's server too, which a run from the command line has for itself: it has to outlast the run."""
    queue.faults.add("stuck-pending=1")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "flows", *restyle(clip, tmp_path / "out.mp4"), stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE, start_new_session=True,
        env={name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"},
    )
    async with asyncio.timeout(90):
        while not queue.jobs_made:
            await asyncio.sleep(0.1)
        os.killpg(process.pid, signal.SIGINT)
        stdout, stderr = await process.communicate()
    answer = json.loads(stdout)
    assert (process.returncode, answer["status"], answer["paid"]) == (130, "interrupted", "now"), stderr
    assert "is bought, and the queue may still finish" in answer["error"] and b"Error logging" not in stderr
