"""A run that fails leaves a page, which goes away once the same output is made."""

from __future__ import annotations

import html
from pathlib import Path

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId, ArtifactFilterKey

from flows.batch import batch
from flows.restyle import restyle
from reelflow.errors import BadInput, BadMedia, ClipsFailed, JobFailed
from reelflow.manifest import read_manifest
from reelflow.receipt import Receipt
from reelflow.report import Report, RunStatus
from reelflow.standin.server import StandIn
from tasks.facts import reporting
from tasks.receipt import complete_receipt
from tasks.report import publish_report
from tasks.run import open_run

pytestmark = pytest.mark.usefixtures("prefect_server")


async def test_a_job_that_fails_leaves_a_page_beside_its_output_until_the_output_is_made(
    queue: StandIn, clip: Path, tmp_path: Path
) -> None:
    queue.faults.add("job-fails=1")
    state = await restyle(str(clip), prompt="noir", output=str(tmp_path / "out.mp4"), return_state=True)
    with pytest.raises(JobFailed) as failed:
        await state.result()
    page = tmp_path / "out.failed.html"
    told = html.unescape(page.read_text())
    assert failed.value.where == f"wait {failed.value.job_id}"
    for fact in (failed.value.message, "The run failed while waiting for the job", "What was sent", "noir",
                 "0.0100 USD", "libx264", "jobs resolve"):
        assert fact in told
    assert "for lucy-restyle-2 · " in told  # what was sent, by its content
    assert "key-of-the-test" not in told
    async with get_client() as client:
        (shown,) = await client.read_artifacts(artifact_filter=ArtifactFilter(
            flow_run_id=ArtifactFilterFlowRunId(any_=[state.state_details.flow_run_id]),
            key=ArtifactFilterKey(any_=["film"])))
    assert "out.failed.html" in str(shown.data)
    await restyle(str(clip), prompt="noir", output=str(tmp_path / "out.mp4"), refresh=True)
    assert not page.exists()
    assert (tmp_path / "out.html").exists()


async def test_where_it_can_t_lie_beside_the_output_it_lies_in_the_work_folder(
    queue: StandIn, clip: Path, tmp_path: Path, work_dir: Path
) -> None:
    bucket = f"memory://{tmp_path.name}/out/"
    queue.faults.add("job-fails=1")
    with pytest.raises(JobFailed):
        await restyle(str(clip), prompt="noir", output=bucket)
    (page,) = (work_dir / "failed").iterdir()
    assert page.name.startswith("a clip-restyle-")
    await restyle(str(clip), prompt="noir", output=bucket, refresh=True)
    assert not page.exists()


async def test_a_page_of_somebody_else_under_that_name_is_left_alone(
    queue: StandIn, clip: Path, tmp_path: Path, work_dir: Path
) -> None:
    theirs = tmp_path / "out.failed.html"
    theirs.write_text("<p>mine</p>")
    queue.faults.add("job-fails=1")
    with pytest.raises(JobFailed):
        await restyle(str(clip), prompt="noir", output=str(tmp_path / "out.mp4"))
    assert theirs.read_text() == "<p>mine</p>"
    assert len(list((work_dir / "failed").iterdir())) == 1


async def test_a_film_that_can_t_be_read_leaves_one_too_and_a_bad_parameter_none(
    queue: StandIn, clip: Path, tmp_path: Path
) -> None:
    (tmp_path / "bad.mp4").write_text("no film at all")
    with pytest.raises(BadMedia) as refused:
        await restyle(str(tmp_path / "bad.mp4"), prompt="noir", output=f"{tmp_path}/")
    assert refused.value.where == "probe source"
    page = (tmp_path / "bad-restyle.failed.html").read_text()
    assert "is not a video" in page
    assert "The run was refused (probe source)" in page
    (tmp_path / "out.mp4").write_text("mine")
    with pytest.raises(BadInput, match="exists"):
        await restyle(str(clip), prompt="noir", output=str(tmp_path / "out.mp4"))
    assert not (tmp_path / "out.failed.html").exists()


async def test_a_clip_of_a_batch_leaves_its_own_and_the_index_page_leads_to_it(
    queue: StandIn, clip: Path, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "good.mp4").symlink_to(clip)
    (tmp_path / "in" / "bad.mp4").write_text("no film at all")
    out = tmp_path / "out"
    with pytest.raises(ClipsFailed):
        await batch(str(tmp_path / "in"), job="restyle", prompt="noir", output=str(out))
    told = {line.name: line for line in read_manifest(out / "manifest.jsonl")}
    assert told["bad"].page == str(out / "bad-restyle.failed.html")
    assert told["good"].page is None
    assert 'href="./bad-restyle.failed.html"' in (out / "index.html").read_text()
    assert "is not a video" in (out / "bad-restyle.failed.html").read_text()


async def test_a_report_that_can_t_be_shown_is_logged_and_fails_no_run(caplog: pytest.LogCaptureFixture) -> None:
    async def ends() -> str:
        # No text, which no API takes.
        with reporting(Report("edit", RunStatus.COMPLETED, prompt="\ud800")) as latest:
            return (await publish_report(latest.report)).status.value

    assert await flow(ends)() == "completed"
    assert "The page of the film could not be shown" in caplog.text


async def test_a_receipt_that_can_t_be_completed_is_logged_and_fails_no_run(
    queue: StandIn, work_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (work_dir / "receipts").touch()  # in the folder's place, as good as a full disk

    async def ends() -> None:
        async with open_run():
            await complete_receipt(Receipt("ask", (), (), (), {}), Report("edit", RunStatus.COMPLETED))

    await flow(ends)()
    assert "The receipt could not be completed" in caplog.text
