"""Flow runs on a Prefect server that wait for a person, and the answer to one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterName
from prefect.client.schemas.objects import StateType
from prefect.flow_runs import aresume_flow_run
from prefect.settings import get_current_settings

from reelflow.errors import BadInput

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun


async def answer_run(run: str, answer: dict[str, Any]) -> str:
    """Resume the flow run (an id or a name) that waits for a person, with this answer; gives its name.

    Raises:
        BadInput: no server is named, there is no such run, several have that name, or it does not wait.
    """
    if get_current_settings().api.url is None:
        raise BadInput("No Prefect server is named: set PREFECT_API_URL to the one that the run waits on.",
                       field="PREFECT_API_URL")
    found = await _find(run)
    if found.state_type is not StateType.PAUSED:
        state = found.state_name or "without a state"
        raise BadInput(f"The run {found.name!r} does not wait for a person: it is {state}.", field="run")
    await aresume_flow_run(found.id, run_input=answer)
    return str(found.name)


async def _find(run: str) -> FlowRun:
    async with get_client() as client:
        try:
            return await client.read_flow_run(UUID(run))
        except ValueError:
            named = await client.read_flow_runs(flow_run_filter=FlowRunFilter(name=FlowRunFilterName(any_=[run])))
        except Exception as error:
            raise BadInput(f"There is no flow run {run} on this server ({type(error).__name__}).",
                           field="run") from None
    waiting = [one for one in named if one.state_type is StateType.PAUSED] or named
    if not waiting:
        raise BadInput(f"There is no flow run called {run!r} on this server.", field="run")
    if len(waiting) > 1:
        ids = ", ".join(str(one.id) for one in waiting[:5])
        raise BadInput(f"Several flow runs are called {run!r}: name one by its id ({ids}).", field="run")
    return waiting[0]
