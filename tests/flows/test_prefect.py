"""Prefect itself, as we lock it: what would break without a word."""

from __future__ import annotations

import asyncio
import datetime

from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterDeploymentId
from prefect.client.schemas.schedules import IntervalSchedule


@flow
async def nothing() -> None:
    """Only there to be scheduled."""


async def test_a_schedule_makes_runs(prefect_server: str) -> None:
    """With SQLAlchemy 2.1 the scheduler fails in every pass, and only this shows it."""
    schedule = DeploymentScheduleCreate(schedule=IntervalSchedule(interval=datetime.timedelta(hours=1)), active=True)
    async with get_client() as client:
        deployment = await client.create_deployment(
            flow_id=await client.create_flow(nothing), name="scheduled", schedules=[schedule]
        )
        of_it = FlowRunFilter(deployment_id=FlowRunFilterDeploymentId(any_=[deployment]))
        async with asyncio.timeout(60):
            while not (runs := await client.read_flow_runs(flow_run_filter=of_it)):
                await asyncio.sleep(0.5)
        await client.delete_deployment(deployment)
    assert runs[0].state is not None
    assert runs[0].state.is_scheduled()
