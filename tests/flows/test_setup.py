"""Pool, queues, limit and automations; schedules that fire, and events that start runs."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import json
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import DeploymentUpdate
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterDeploymentId
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.schedules import IntervalSchedule
from prefect.events import emit_event
from prefect.events.clients import get_events_subscriber
from prefect.events.filters import EventFilter, EventNameFilter
from prefect.events.schemas.automations import AutomationCore, EventTrigger
from prefect.states import Cancelled, Completed, Failed, Running
from working import PREFECT, events_of, running_worker

from flows.restyle import restyle
from flows.setup import CRASHED, SILENT, Wanted, set_up
from reelflow.errors import BadInput
from reelflow.manifest import read_manifest
from reelflow.settings import read_settings
from reelflow.standin.server import running_standin

pytestmark = pytest.mark.usefixtures("prefect_server")

ROOT = Path(__file__).resolve().parents[2]


async def test_setup_made_again_changes_what_is_new_and_doubles_nothing() -> None:
    settings = read_settings(api_key="key-of-the-test")
    assert "key-of" not in settings.jobs_limit
    for number in (3, 5):
        await set_up(settings, Wanted(jobs_at_once=number, dead_after=100 + number))
    async with get_client() as client:
        limit = await client.read_global_concurrency_limit_by_name(settings.jobs_limit)
        queues = {queue.name: queue.priority for queue in await client.read_work_queues(work_pool_name="reelflow")}
        (automation,) = await client.read_automations_by_name(SILENT)
        assert len(await client.read_automations_by_name(CRASHED)) == 1
    assert limit.limit == 5
    assert queues["interactive"] < queues["batch"]
    assert isinstance(automation.trigger, EventTrigger)
    assert (automation.trigger.within, automation.enabled) == (dt.timedelta(seconds=105), True)
    with pytest.raises(BadInput, match="no notification block"):
        await set_up(settings, Wanted(notify="slack-webhook/none"))
    for seconds in (30, float("nan"), float("inf")):
        with pytest.raises(BadInput, match="at least 90"):
            await set_up(settings, Wanted(dead_after=seconds))


async def test_setup_without_a_limit_leaves_the_one_that_was_set() -> None:
    settings = read_settings(api_key="key-with-a-limit")

    async def limit_after(wanted: Wanted) -> int:
        await set_up(settings, wanted)
        async with get_client() as client:
            return (await client.read_global_concurrency_limit_by_name(settings.jobs_limit)).limit

    assert [await limit_after(Wanted(number)) for number in (None, 30, None)] == [10, 30, 30]
    for number in (0, -1):
        with pytest.raises(BadInput, match="1 or more"):
            await set_up(settings, Wanted(number))


async def test_jobs_of_all_runs_share_the_key_s_slots_and_a_missing_limit_is_told(
    clip: Path, tmp_path: Path, ffmpeg: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DECART_API_KEY", "key-that-shares")
    monkeypatch.setenv("REELFLOW_SHARE_JOBS", "true")
    monkeypatch.setenv("REELFLOW_POLL_SECONDS", "0.1")
    async with running_standin(tmp_path / "queue", ffmpeg=ffmpeg, service_seconds=2.0) as standin:
        monkeypatch.setenv("DECART_BASE_URL", standin.url)
        with pytest.raises(BadInput, match="run `reelflow setup`"):
            await restyle(str(clip), prompt="noir", output=str(tmp_path / "a.mp4"))
        assert standin.posts == 0
        await set_up(read_settings(), Wanted(jobs_at_once=1))
        at_once = 0

        async def watch() -> None:
            nonlocal at_once
            while True:
                jobs = (tmp_path / "queue").glob("jobs/*/job.json")
                under_way = [json.loads(path.read_text())["status"] for path in jobs]
                at_once = max(at_once, sum(status in ("pending", "processing") for status in under_way))
                await asyncio.sleep(0.1)

        watching = asyncio.create_task(watch())
        await asyncio.gather(*(restyle(str(clip), prompt=prompt, output=str(tmp_path / f"{prompt}.mp4"))
                               for prompt in ("noir", "neon")))
        watching.cancel()
        assert (standin.jobs_made, at_once) == (2, 1)


@pytest.fixture(scope="module")
def deployed(prefect_server: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The deployments, made from a clean clone; the clone."""
    clone = tmp_path_factory.mktemp("clone") / "reelflow"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    # What is not committed yet is tested too.
    for name in ("prefect.yaml", "flows", "tasks", "reelflow", "deployments", "recipes"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, clone / name, dirs_exist_ok=True)
        else:
            shutil.copy(source, clone / name)
    environment = {**os.environ, "DECART_API_KEY": "key-of-the-test", "PYTHONPATH": str(clone)}
    for words in ([sys.executable, "-m", "flows", "setup"], [PREFECT, "--no-prompt", "deploy", "--all"]):
        done = subprocess.run(words, cwd=clone, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    return clone


@pytest.fixture
def worker(deployed: Path, tmp_path: Path) -> Iterator[Path]:
    """A process worker on the pool, with the embedded stand-in; gives its log."""
    with running_worker(tmp_path / "worker.log") as log:
        yield log


async def runs_of(deployment: str) -> list[FlowRun]:
    async with get_client() as client:
        found = await client.read_deployment_by_name(deployment)
        return list(await client.read_flow_runs(flow_run_filter=FlowRunFilter(
            deployment_id=FlowRunFilterDeploymentId(any_=[found.id]))))


async def until_completed(deployment: str, number: int, log: Path) -> list[FlowRun]:
    """The runs of a deployment, once so many are completed."""
    try:
        async with asyncio.timeout(150):
            while True:
                runs = await runs_of(deployment)
                assert not [run for run in runs if run.state_name in ("Failed", "Crashed")], log.read_text()[-3000:]
                if sum(run.state_name == "Completed" for run in runs) >= number:
                    return runs
                await asyncio.sleep(0.5)
    except TimeoutError:
        raise AssertionError(log.read_text()[-3000:]) from None


@contextlib.asynccontextmanager
async def impatient(name: str) -> AsyncIterator[None]:
    """The automation fires after ten seconds, the least that Prefect takes."""
    async with get_client() as client:
        (found,) = await client.read_automations_by_name(name)
        fields = set(AutomationCore.model_fields) - {"owner_resource"}
        as_it_was = AutomationCore.model_validate(found.model_dump(include=fields))
        assert isinstance(as_it_was.trigger, EventTrigger)
        soon = as_it_was.trigger.model_copy(update={"within": dt.timedelta(seconds=10)})
        await client.update_automation(found.id, as_it_was.model_copy(update={"trigger": soon}))
        try:
            yield
        finally:
            await client.update_automation(found.id, as_it_was)


@pytest.mark.slow
async def test_a_silent_run_is_taken_up_again_and_one_whose_last_sign_came_after_its_end_is_left_alone(
    deployed: Path
) -> None:
    states = {"AwaitingRetry": Running(), "Completed": Completed(), "Failed": Failed(), "Cancelled": Cancelled()}
    acted = EventFilter(event=EventNameFilter(
        name=["prefect.automation.action.executed", "prefect.automation.action.failed"]))
    async with impatient(SILENT), get_client() as client, get_events_subscriber(filter=acted) as events:
        found = await client.read_deployment_by_name("image/image")
        runs = {}
        for becomes, state in states.items():
            # No worker is to take it: what counts is what becomes of its state.
            run = await client.create_flow_run_from_deployment(found.id, work_queue_name="nobody-s")
            await client.set_flow_run_state(run.id, state, force=True)
            emit_event("prefect.flow-run.heartbeat", resource={"prefect.resource.id": f"prefect.flow-run.{run.id}"},
                       related=[{"prefect.resource.id": "prefect.tag.reelflow", "prefect.resource.role": "tag"}])
            runs[becomes] = run.id
        left = {f"prefect.flow-run.{run}" for run in runs.values()}
        async with asyncio.timeout(90):
            while left:
                event = await anext(events)
                left -= {related.id for related in event.related}
            while "Crashed" in (names := [(await client.read_flow_run(run)).state_name for run in runs.values()]):
                await asyncio.sleep(0.2)
    assert names == list(runs)


@pytest.mark.slow
async def test_a_schedule_fires(worker: Path) -> None:
    async with get_client() as client:
        found = await client.read_deployment_by_name("clean/clean")
        each_ten = IntervalSchedule(interval=dt.timedelta(seconds=10))
        await client.create_deployment_schedules(found.id, [(each_ten, True)])
        try:
            runs = await until_completed("clean/clean", 2, worker)
        finally:
            for schedule in await client.read_deployment_schedules(found.id):
                if schedule.active:
                    await client.delete_deployment_schedule(found.id, schedule.id)
    assert [run for run in runs if run.state_name == "Completed" and run.auto_scheduled]


@pytest.mark.slow
async def test_an_event_from_outside_starts_the_inbox_and_its_own_does_not(
    worker: Path, tmp_path: Path, clip: Path
) -> None:
    (tmp_path / "in").mkdir()
    shutil.copyfile(clip, tmp_path / "in" / "a.mp4")
    asked: dict[str, Any] = {"inbox": str(tmp_path / "in"), "outbox": str(tmp_path / "out"), "job": "restyle",
                             "prompt": "noir", "settle_seconds": 0.5}
    async with get_client() as client:
        found = await client.read_deployment_by_name("inbox/inbox")
        await client.update_deployment(found.id, DeploymentUpdate(
            parameters=asked, job_variables={"env": {"REELFLOW_SHARE_JOBS": "false"}}))
    before = len(await runs_of("inbox/inbox"))
    emit_event("reelflow.clip.arrived", resource={"prefect.resource.id": "reelflow.clip.a"})
    runs = await until_completed("inbox/inbox", 1, worker)
    assert len(runs) == before + 1
    (manifest,) = (tmp_path / "out").glob("manifest-*.jsonl")
    (line,) = read_manifest(manifest)
    assert (line.status, Path(line.outputs[0]).exists()) == ("completed", True)

    # What the inbox itself tells of the clip has reached the server by now, and has started nothing: events are looked
    # at in their order, so its run would come before that of the next one from outside.
    (own,) = await events_of(runs[0].id, "reelflow.clip.arrived")
    assert own["payload"]["clip"] == line.name
    emit_event("reelflow.clip.arrived", resource={"prefect.resource.id": "reelflow.clip.b"})
    async with asyncio.timeout(60):
        while len(await runs_of("inbox/inbox")) < before + 2:
            await asyncio.sleep(0.3)
    runs = await until_completed("inbox/inbox", before + 2, worker)
    assert len(runs) == before + 2
