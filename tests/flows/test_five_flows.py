"""Each of the five flows, run in a real Prefect on the embedded stand-in; its film, measured."""

from __future__ import annotations

import asyncio
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId, FlowRunFilter, FlowRunFilterId

from flows.edit import edit
from flows.image import image
from flows.motion import motion
from flows.restyle import restyle
from flows.tryon import tryon
from reelflow.errors import BadInput, OutputTaken
from reelflow.media.probe import probe
from reelflow.standin.server import StandIn

pytestmark = pytest.mark.usefixtures("prefect_server")


def pictures(path: Path, size: tuple[int, int] = (64, 36)) -> np.ndarray[Any, Any]:
    """All pictures of a file, small, as one array."""
    with av.open(str(path)) as container:
        return np.stack([
            frame.to_ndarray(format="rgb24", width=size[0], height=size[1]).astype(float)
            for frame in container.decode(video=0)
        ])


async def artifacts_of(flow_run_id: str) -> list[Any]:
    """The artifacts that a flow run has published."""
    async with get_client() as client:
        return await client.read_artifacts(artifact_filter=ArtifactFilter(
            flow_run_id=ArtifactFilterFlowRunId(any_=[flow_run_id])))


async def test_what_another_run_has_written_meanwhile_stays_and_what_was_paid_is_kept(
    queue: StandIn, clip: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.mp4"
    running = asyncio.create_task(restyle(str(clip), prompt="noir", output=str(out)))
    async with asyncio.timeout(60):
        while not queue.jobs_made:  # by then it has looked whether the name is free
            await asyncio.sleep(0.01)
    out.write_bytes(b"another's")
    with pytest.raises(OutputTaken, match="has been written by another run meanwhile"):
        await running
    assert out.read_bytes() == b"another's"
    again = await restyle(str(clip), prompt="noir", output=str(tmp_path / "other.mp4"))
    assert (again["status"], again["billed_seconds"], queue.jobs_made) == ("completed", 0.0, 1)


async def test_of_two_runs_that_ask_for_the_same_at_once_both_have_it(
    queue: StandIn, clip: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.mp4"
    ended = await asyncio.gather(*(restyle(str(clip), prompt="noir", output=str(out)) for _ in range(2)))
    assert [(one["status"], one["output"]) for one in ended] == [("completed", str(out))] * 2
    assert queue.jobs_made == 1 and [one["cost_usd"] for one in ended].count(0.0) == 1
    assert not list(tmp_path.glob("*.failed.html"))


@pytest.mark.parametrize(("flow", "asked", "model"), [
    (restyle, {"prompt": "film noir"}, "lucy-restyle-2"),
    (edit, {"prompt": "light snow"}, "lucy-2.5"),
    (tryon, {"prompt": "a red coat", "model": "lucy-vton-3"}, "lucy-vton-3"),
])
async def test_a_film_comes_back_as_it_went_but_for_its_look(
    flow: Any, asked: dict[str, Any], model: str, clip: Path, tmp_path: Path
) -> None:
    report = await flow(str(clip), seed=1, output=str(tmp_path / "out.mp4"), **asked)
    film = await probe(Path(report["output"]))
    assert (str(film.shown), film.rate, film.frames, len(film.sounds)) == ("320x180", 30, 30, 1)
    assert film.sounds[0].codec == "aac"
    assert np.abs(pictures(Path(report["output"])) - pictures(clip)).mean() > 4
    assert (report["status"], report["model"], report["stand_in"]) == ("completed", model, True)
    assert len(report["job_ids"]) == 1
    assert Path(report["poster"]).exists()
    assert Path(report["before_after"]).exists()
    assert report["job_ids"][0] in Path(report["page"]).read_text()


async def test_a_still_becomes_a_film_of_five_seconds(picture: Path, tmp_path: Path) -> None:
    report = await motion(str(picture), preset="arc", output=str(tmp_path / "out.mp4"))
    film = await probe(Path(report["output"]))
    assert (str(film.shown), film.rate, film.frames, film.sounds) == ("320x180", 25, 125, ())
    moved = pictures(Path(report["output"]))
    assert np.abs(moved[0] - moved[60]).mean() > 2
    assert (report["billed_seconds"], report["cost_usd"]) == (5.0, 0.15)


async def test_a_picture_comes_back_edited(picture: Path, tmp_path: Path) -> None:
    report = await image(str(picture), prompt="oil painting", output=str(tmp_path / "out.png"))
    edited = await probe(Path(report["output"]))
    assert (edited.is_picture, str(edited.shown)) == (True, "320x180")
    assert np.abs(pictures(Path(report["output"])) - pictures(picture)).mean() > 2
    assert report["cost_usd"] == 0.02


async def test_a_span_in_the_model_s_size_and_rate(clip: Path, tmp_path: Path) -> None:
    report = await restyle(str(clip), prompt="noir", start="0.2", duration=0.5, size="model", rate="model",
                           output=str(tmp_path / "out.mp4"))
    film = await probe(Path(report["output"]))
    assert (str(film.shown), film.rate, film.frames) == ("1280x704", Fraction(22), 11)
    assert report["billed_seconds"] == 0.5


async def test_a_run_shows_its_facts_in_the_ui(clip: Path, tmp_path: Path) -> None:
    report = await restyle(str(clip), prompt="neon | <b>", output=str(tmp_path / "out.mp4"))
    published = {artifact.key: artifact for artifact in await artifacts_of(report["flow_run_id"])}
    assert {"plan", "film"} <= published.keys()
    assert report["job_ids"][0] in published["film"].data.replace("\\", "")
    assert "data:image/jpeg;base64," in published["film"].data
    assert "&lt;b>" in published["film"].data
    async with get_client() as client:
        (run,) = await client.read_flow_runs(flow_run_filter=FlowRunFilter(
            id=FlowRunFilterId(any_=[report["flow_run_id"]])))
    assert run.name == "restyle a clip · neon | <b>"


async def test_a_page_that_can_t_be_written_fails_no_run_and_is_not_shown_as_if_it_were_there(
    clip: Path, tmp_path: Path
) -> None:
    (tmp_path / "out.html").mkdir()
    report = await restyle(str(clip), prompt="neon", output=str(tmp_path / "out.mp4"), overwrite=True)
    assert (report["status"], report["page"]) == ("completed", None)
    *_, last = sorted((one for one in await artifacts_of(report["flow_run_id"]) if one.key == "film"),
                      key=lambda one: one.created)
    assert "out.html" not in last.data


async def test_a_phase_that_lasts_shows_its_progress_in_the_ui(queue: StandIn, clip: Path, tmp_path: Path) -> None:
    queue.faults.add("late-reply=1")
    report = await restyle(str(clip), prompt="noir", output=str(tmp_path / "out.mp4"))
    shown = {artifact.key.removeprefix("progress-"): artifact for artifact in await artifacts_of(report["flow_run_id"])
             if artifact.key.startswith("progress-")}
    assert "upload" in shown and float(shown["upload"].data) == 100.0
    # Which of the others last depends on the machine; a phase that is over within a second leaves none.
    took = report["phases"]
    assert {name for name in took if took[name] > 1.5} <= shown.keys() <= {name for name in took if took[name] > 0.9}


async def test_an_estimate_buys_nothing(clip: Path, tmp_path: Path) -> None:
    report = await restyle(str(clip), prompt="noir", estimate=True, output=str(tmp_path / "out.mp4"))
    assert (report["status"], report["job_ids"], report["cost_usd"]) == ("estimated", [], 0.01)
    assert not (tmp_path / "out.mp4").exists()


async def test_a_limit_that_is_no_amount_is_refused(clip: Path, tmp_path: Path) -> None:
    for limit in (float("nan"), -1.0):
        with pytest.raises(BadInput, match="give 0 USD or more") as refused:
            await restyle(str(clip), prompt="noir", max_cost_usd=limit, output=str(tmp_path / "out.mp4"))
        assert refused.value.field == "max_cost_usd"


async def test_bad_input_fails_the_run_in_one_sentence(clip: Path, tmp_path: Path) -> None:
    state = await restyle(str(clip), prompt="noir", start=9, output=str(tmp_path / "out.mp4"), return_state=True)
    assert state.is_failed()
    with pytest.raises(BadInput, match=r"The start \(9 s\) lies behind the end"):
        await state.aresult()
