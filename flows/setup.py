"""What Prefect has to hold before deployments run: pool, queues, limit, automations. Made again, nothing is doubled."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from prefect.automations import EventTrigger
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ActionTypes, ChangeFlowRunState, SendNotification
from prefect.events.schemas.automations import AutomationCore, Posture
from prefect.exceptions import ObjectNotFound
from prefect.settings import get_current_settings
from prefect.workers.process import ProcessWorker

from reelflow.errors import BadInput
from reelflow.settings import Settings

POOL = "reelflow"
QUEUES = {"interactive": 1, "batch": 2}
"""The queues and their priority: a worker takes what a person waits for before the work of the night."""

JOBS_AT_ONCE = 10
HEARTBEAT_SECONDS = 30
"""How often a deployment's run shows that it lives; `prefect.yaml` sets it."""

_LONGEST_SILENCE = 86_400

SILENT = "reelflow: a run that shows no sign of life is taken up again"
CRASHED = "reelflow: a run whose process died is taken up again"
FAILED = "reelflow: a run has failed"
WAITING = "reelflow: a run waits for a person"
LATE = "reelflow: a run is late"


@dataclass(frozen=True, slots=True)
class Wanted:
    """How Prefect is to be set up: jobs in flight for the key (None: as it is, or JOBS_AT_ONCE), seconds after which a
    silent run is taken for dead, and the notification block (type/name) that people are told through (None: nobody is
    told).
    """

    jobs_at_once: int | None = None
    dead_after: float = 120.0
    notify: str | None = None


async def set_up(settings: Settings, wanted: Wanted) -> list[tuple[str, str]]:
    """Make or bring up to date all of it; gives each thing and what it is now.

    Raises:
        BadInput: no server is named, a number can't be used, or there is no such notification block.
    """
    if get_current_settings().api.url is None:
        raise BadInput("No Prefect server is named: set PREFECT_API_URL.", field="PREFECT_API_URL")
    if wanted.jobs_at_once is not None and wanted.jobs_at_once < 1:
        raise BadInput(f"jobs_at_once must be 1 or more, and is {wanted.jobs_at_once}: with less no job would ever be "
                       "sent.", field="jobs_at_once")
    if not 3 * HEARTBEAT_SECONDS <= wanted.dead_after <= _LONGEST_SILENCE:
        raise BadInput(f"A run shows each {HEARTBEAT_SECONDS} s that it lives: give --dead-after at least "
                       f"{3 * HEARTBEAT_SECONDS}, and at most {_LONGEST_SILENCE}.", field="dead_after")
    async with get_client() as client:
        await _pool(client)
        for name, priority in QUEUES.items():
            await _queue(client, name, priority)
        jobs_at_once = wanted.jobs_at_once or await _jobs_at_once(client, settings.jobs_limit)
        await client.upsert_global_concurrency_limit_by_name(settings.jobs_limit, jobs_at_once)
        automations = await _automations(client, wanted)
        for automation in automations:
            await _automation(client, automation)
    return [
        ("work pool", f"{POOL} (process)"), ("queues", ", ".join(QUEUES)),
        ("limit", f"{settings.jobs_limit}: {jobs_at_once} jobs in flight"),
        *(("automation", automation.name) for automation in automations),
    ]


async def _pool(client: PrefectClient) -> None:
    try:
        await client.read_work_pool(POOL)
    except ObjectNotFound:
        await client.create_work_pool(WorkPoolCreate(
            name=POOL, type="process", base_job_template=ProcessWorker.get_default_base_job_template(),
            description="Runs of reelflow, each a process on a worker."))


async def _queue(client: PrefectClient, name: str, priority: int) -> None:
    try:
        found = await client.read_work_queue_by_name(name, work_pool_name=POOL)
    except ObjectNotFound:
        await client.create_work_queue(name, work_pool_name=POOL, priority=priority)
    else:
        await client.update_work_queue(found.id, priority=priority)


async def _jobs_at_once(client: PrefectClient, limit: str) -> int:
    """What was set before: to bring the rest up to date changes no limit."""
    try:
        return (await client.read_global_concurrency_limit_by_name(limit)).limit
    except ObjectNotFound:
        return JOBS_AT_ONCE


async def _automations(client: PrefectClient, wanted: Wanted) -> list[AutomationCore]:
    """What is done of itself: a run whose heartbeat has stopped is scheduled again, and people are told."""
    # A heartbeat can reach the server after the event of the run's end, and then nothing follows it: only Prefect's own
    # rules, by which no run that has ended can crash, know that it isn't dead. So neither action forces its state.
    gone = ChangeFlowRunState(state=StateType.CRASHED, name="Crashed", message="No sign of life: its process is gone.")
    # What it has bought is in the ledger, and what it has made has receipts. `tasks/stop.py` ends it in the end.
    take_up = ChangeFlowRunState(state=StateType.SCHEDULED, name="AwaitingRetry",
                                 message="Its process is gone; a worker takes it up again.")
    made = [
        AutomationCore(
            name=SILENT, description="No event of it came for a while: its machine is gone.", actions=[gone],
            trigger=EventTrigger(
                match={"prefect.resource.id": "prefect.flow-run.*"}, match_related=_OURS,
                after={_BEAT}, expect={"prefect.flow-run.*"}, for_each={"prefect.resource.id"},
                posture=Posture.Proactive, threshold=1, within=dt.timedelta(seconds=wanted.dead_after)),
        ),
        AutomationCore(
            name=CRASHED, description="Its worker has seen its process die, as when memory runs out, or it is silent.",
            actions=[take_up],
            # Only what has begun to work: one that can't even be started would be started for ever.
            trigger=EventTrigger(
                match={"prefect.resource.id": "prefect.flow-run.*"}, match_related=_OURS,
                after={_BEAT}, expect={"prefect.flow-run.Crashed"}, for_each={"prefect.resource.id"},
                posture=Posture.Reactive, threshold=1, within=dt.timedelta(days=1)),
        ),
    ]
    if wanted.notify is None:
        return made
    tell = await _notification(client, wanted.notify)
    for name, events, within in (
        (FAILED, {"prefect.flow-run.Failed", "prefect.flow-run.Crashed"}, 0),
        (WAITING, {"prefect.flow-run.Suspended", "prefect.flow-run.Paused"}, 0),
        (LATE, {"prefect.flow-run.Late"}, 0),
    ):
        made.append(AutomationCore(
            name=name, trigger=EventTrigger(
                match={"prefect.resource.id": "prefect.flow-run.*"}, match_related=_OURS, expect=events,
                for_each={"prefect.resource.id"}, posture=Posture.Reactive, threshold=1,
                within=dt.timedelta(seconds=within)),
            actions=[tell],
        ))
    return made


_BEAT = "prefect.flow-run.heartbeat"
_OURS = {"prefect.resource.role": "tag", "prefect.resource.id": "prefect.tag.reelflow"}


async def _notification(client: PrefectClient, block: str) -> ActionTypes:
    kind, _, name = block.partition("/")
    try:
        found = await client.read_block_document_by_name(name, kind)
    except ObjectNotFound:
        raise BadInput(f"There is no notification block {block}: make one in the UI (Blocks) and name it as "
                       "slack-webhook/NAME.", field="notify") from None
    return SendNotification(
        block_document_id=found.id, subject="{{ flow_run.name }}: {{ flow_run.state.name }}",
        body="{{ flow_run.state.message }}\n\n{{ flow_run|ui_url }}")


async def _automation(client: PrefectClient, wanted: AutomationCore) -> None:
    there = await client.read_automations_by_name(wanted.name)
    if not there:
        await client.create_automation(wanted)
        return
    await client.update_automation(there[0].id, wanted)
    for other in there[1:]:
        await client.delete_automation(other.id)
