"""What a run emits for automations, as Prefect's server has it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import working
from prefect.client.orchestration import get_client

from flows.pipeline import pipeline
from flows.restyle import restyle
from reelflow.digest import digest_of
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


async def test_what_was_made_of_what_is_in_the_report_and_told_as_prefect_tells_of_assets(
    queue: StandIn, clip: Path, tmp_path: Path, work_dir: Path
) -> None:
    told = await restyle(str(clip), prompt="lineage", duration=0.5, output=str(tmp_path / "out.mp4"))
    source, prepared, generated, finished = told["lineage"]
    assert [one["stage"] for one in told["lineage"]] == ["source", "prepared", "generated", "finished"]
    assert [source["digest"], finished["digest"]] == [digest_of(clip), digest_of(tmp_path / "out.mp4")]
    assert (work_dir / "store" / generated["digest"][:2] / f"{generated['digest']}.mp4").exists()
    assert generated["name"] == told["job_ids"][0]
    assert [one["made_of"] for one in told["lineage"]] == [
        [], [source["digest"]], [prepared["digest"]], [source["digest"], generated["digest"]]]

    made = "prefect.asset.materialization.succeeded"
    events = await working.events_of(told["flow_run_id"], made, "prefect.asset.referenced", count=4)
    keys = {one["payload"]["stage"]: one["resource"]["prefect.resource.id"] for one in events}
    assert keys == {
        "source": f"file://{clip}".replace(" ", "_"), "prepared": f"reelflow://prepared/{prepared['digest']}",
        "generated": f"reelflow://generated/{generated['digest']}", "finished": f"file://{tmp_path}/out.mp4"}
    before = {one["payload"]["stage"]: {related["prefect.resource.id"] for related in one["related"]
                                        if related["prefect.resource.role"] == "asset"} for one in events}
    assert before == {"source": set(), "prepared": {keys["source"]}, "generated": {keys["prepared"]},
                      "finished": {keys["source"], keys["generated"]}}

    again = await restyle(str(clip), prompt="lineage", duration=0.5, output=str(tmp_path / "out.mp4"))
    assert (again["paid"], again["lineage"]) == ("kept", told["lineage"])
    text = (tmp_path / "out.html").read_text()
    assert all(one["digest"] in text for one in told["lineage"])


async def test_a_reference_picture_and_a_chain_of_models_are_in_the_lineage(
    queue: StandIn, clip: Path, picture: Path, tmp_path: Path
) -> None:
    recipe = (f"name: chain\nsteps:\n  - restyle: {{reference_image: '{picture}'}}\n  - edit: snow\n")
    told = await pipeline(str(clip), recipe=recipe, output=f"memory://{tmp_path.name}/out/")
    stages = [one["stage"] for one in told["lineage"]]
    assert stages[:2] == ["source", "prepared"]
    assert sorted(stages) == ["finished", "generated", "generated", "prepared", "prepared", "reference", "source"]
    by_digest = {one["digest"]: one for one in told["lineage"]}
    first, second = (one for one in told["lineage"] if one["stage"] == "generated")
    assert {by_digest[digest]["stage"] for digest in first["made_of"]} == {"prepared", "reference"}
    (between,) = (by_digest[digest] for digest in second["made_of"])
    assert between["made_of"] == [first["digest"]]
    finished = told["lineage"][-1]
    assert second["digest"] in finished["made_of"]
    assert first["digest"] not in finished["made_of"]
    assert finished["lies_at"] == told["uploaded"][0]


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
