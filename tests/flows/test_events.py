"""What a run emits for automations, as Prefect's server has it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import get_client

from flows.restyle import restyle
from reelflow.standin.server import StandIn

pytestmark = pytest.mark.usefixtures("prefect_server")


@pytest.fixture(autouse=True)
def no_person(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is asked about a lost reply."""
    monkeypatch.setenv("REELFLOW_UNKNOWN_POLICY", "fail")


async def events_of(clip: Path, output: Path, count: int, prompt: str) -> list[dict[str, Any]]:
    """The first `count` events of jobs that a run emits, in their order."""
    state = await restyle(str(clip), prompt=prompt, duration=0.5, output=str(output), return_state=True)
    assert state.state_details.flow_run_id
    wanted = {
        "event": {"prefix": ["reelflow.job."]},
        "related": {"id": [f"prefect.flow-run.{state.state_details.flow_run_id}"]},
    }
    async with asyncio.timeout(60), get_client() as client:
        while True:
            answer = await client._client.post("/events/filter", json={"filter": {**wanted, "order": "ASC"}})
            found: list[dict[str, Any]] = answer.json()["events"]
            if len(found) >= count:
                return found
            await asyncio.sleep(0.5)


async def test_a_job_is_told_when_it_is_submitted_and_completed_with_its_seconds_and_price(
    queue: StandIn, clip: Path, tmp_path: Path
) -> None:
    found = await events_of(clip, tmp_path / "out.mp4", 2, "one")
    assert [one["event"] for one in found] == ["reelflow.job.submitted", "reelflow.job.completed"]
    told = found[1]["payload"]
    assert told["job_id"].startswith("job_")
    assert found[1]["resource"]["prefect.resource.id"] == f"reelflow.job.{told['job_id']}"
    assert (told["model"], told["cost_usd"], told["state"]) == ("lucy-restyle-2", 0.005, "completed")
    assert told["seconds"] == pytest.approx(0.5)
    assert "key-of-the-test" not in str(found)


@pytest.mark.parametrize(("fault", "last", "count"), [
    ("job-fails=1", "reelflow.job.failed", 2), ("drop-after-accept=1", "reelflow.job.unknown", 1),
])
async def test_what_goes_wrong_with_a_job_is_told(
    queue: StandIn, clip: Path, tmp_path: Path, fault: str, last: str, count: int
) -> None:
    queue.faults.add(fault)
    found = await events_of(clip, tmp_path / "out.mp4", count, fault)
    assert found[-1]["event"] == last
    assert found[-1]["payload"]["model"] == "lucy-restyle-2"
    assert len(found[-1]["payload"]["wish"]) == 64
