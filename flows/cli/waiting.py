"""Flow runs on a Prefect server that wait for a person, and the answer to one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterName
from prefect.client.schemas.objects import StateType
from prefect.client.schemas.responses import SetStateStatus
from prefect.exceptions import ObjectNotFound
from prefect.settings import get_current_settings

from reelflow.errors import BadInput

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun
    from prefect.client.schemas.responses import OrchestrationResult


async def answer_run(run: str, answer: dict[str, Any]) -> str:
    """Resume the flow run (an id or a name) that waits for a person, with this answer; gives its name.

    Raises:
        BadInput: no server is named, there is no such run, several have that name, it does not wait, or the answer is
            refused.
    """
    if get_current_settings().api.url is None:
        raise BadInput("No Prefect server is named: set PREFECT_API_URL to the one that the run waits on.",
                       field="PREFECT_API_URL")
    found = await _find(run)
    if found.state_type is not StateType.PAUSED:
        state = found.state_name or "without a state"
        raise BadInput(f"The run {found.name!r} does not wait for a person: it is {state}.", field="run")
    async with get_client() as client:
        answered = await client.resume_flow_run(found.id, run_input=answer)
        # A run shows that it waits a moment before the server knows what it asks.
        for _ in range(_TRIES):
            if not _unasked(answered):
                break
            await asyncio.sleep(_BETWEEN_SECONDS)
            answered = await client.resume_flow_run(found.id, run_input=answer)
    if answered.status is not SetStateStatus.ACCEPT:
        reason = getattr(answered.details, "reason", None) or "the server does not say why"
        raise BadInput(f"The run {found.name!r} does not take the answer: {reason.rstrip('.')}.", field="run")
    return str(found.name)


_TRIES, _BETWEEN_SECONDS = 60, 0.5


def _unasked(answered: OrchestrationResult[Any]) -> bool:
    return answered.status is SetStateStatus.REJECT and "schema not found" in str(
        getattr(answered.details, "reason", ""))


async def _find(run: str) -> FlowRun:
    async with get_client() as client:
        try:
            return await client.read_flow_run(UUID(run))
        except ValueError:
            named = await client.read_flow_runs(flow_run_filter=FlowRunFilter(name=FlowRunFilterName(any_=[run])))
        except ObjectNotFound:
            raise BadInput(f"There is no flow run {run} on this server.", field="run") from None
    waiting = [one for one in named if one.state_type is StateType.PAUSED] or named
    if not waiting:
        raise BadInput(f"There is no flow run called {run!r} on this server.", field="run")
    if len(waiting) > 1:
        ids = ", ".join(str(one.id) for one in waiting[:5])
        raise BadInput(f"Several flow runs are called {run!r}: name one by its id ({ids}).", field="run")
    return waiting[0]
