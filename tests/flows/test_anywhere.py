"""Sources from, and results to, an object store: moto's server speaks S3's protocol on loopback."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import fsspec
import pytest
from elsewhere import Elsewhere
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId, FlowRunFilter, FlowRunFilterId

from flows.batch import batch
from flows.pipeline import pipeline
from flows.restyle import restyle
from flows.results import Results
from reelflow import remote
from reelflow.clip_list import read_rows
from reelflow.delivery import Delivery
from reelflow.digest import digest_of
from reelflow.errors import BadInput, ClipsFailed, OutputTaken, OverBudget, SourceFault
from reelflow.manifest import line_of, opened_manifest
from reelflow.receipt import Receipt
from reelflow.report import Report, RunStatus
from reelflow.sources import show_source, source_stem, stage_source
from reelflow.standin.server import StandIn


def names(prefix: str) -> list[str]:
    return sorted(found.address.rpartition("/")[2] for found in remote.list_files(prefix))


def test_a_prefix_and_a_glob_list_what_lies_right_below(bucket: str) -> None:
    for name in ("in/b.mp4", "in/a #1?.mp4", "in/deep/c.mp4", "in/notes.txt"):
        remote.write(f"{bucket}/{name}", b"x" * 3)
    assert [row.source for row in read_rows(f"{bucket}/in/", pictures=False)] == [
        f"{bucket}/in/a #1?.mp4", f"{bucket}/in/b.mp4"]
    assert [row.source for row in read_rows(f"{bucket}/in/b*", pictures=False)] == [f"{bucket}/in/b.mp4"]
    found = remote.look_at(f"{bucket}/in/b.mp4")
    assert found is not None
    assert (found.size_bytes, bool(found.mark)) == (3, True)
    assert remote.look_at(f"{bucket}/in/none.mp4") is None
    assert (source_stem(f"{bucket}/in/a #1?.mp4"), show_source("s3://user:word@b/x?y")) == ("a -1-", "s3://b/x?y")


async def test_a_file_comes_whole_within_the_limit_or_not_at_all(bucket: str, tmp_path: Path, ffmpeg: Path) -> None:
    remote.write(f"{bucket}/a.mp4", b"x" * 5000)

    async def stage(source: str, max_bytes: int) -> Path:
        return await stage_source(source, tmp_path, work_dir=tmp_path, ffmpeg=ffmpeg, max_bytes=max_bytes)

    assert (await stage(f"{bucket}/a.mp4", 5000)).read_bytes() == b"x" * 5000
    for source, told in ((f"{bucket}/a.mp4", "is larger than"), (f"{bucket}/no.mp4", "There is nothing at"),
                         ("s3://no-such-bucket-here/a.mp4", "no-such-bucket-here"),
                         ("nowhere://a.mp4", "are not known")):
        with pytest.raises(BadInput, match=told):
            await stage(source, 4999)
    assert [path.name for path in tmp_path.glob("*.*")] == ["source-a.mp4"]


@pytest.mark.usefixtures("prefect_server")
async def test_a_film_goes_from_a_bucket_to_a_bucket(
    bucket: str, queue: StandIn, clip: Path, work_dir: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    remote.put(clip, f"{bucket}/in/a.mp4")
    report = await restyle(f"{bucket}/in/a.mp4", prompt="noir", output=f"{bucket}/out/")
    assert (report["status"], report["uploaded"], report["outputs"]) == (
        "completed", [f"{bucket}/out/a-restyle.mp4"], [])
    assert names(f"{bucket}/out/") == ["a-restyle.mp4"]
    assert [path.name for path in (work_dir / "scratch").iterdir()] == [".lock"]

    # Another machine, which has nothing of this: no work folder, no ledger.
    monkeypatch.setenv("REELFLOW_WORK_DIR", str(tmp_path / "other"))
    again = await restyle(f"{bucket}/in/a.mp4", prompt="noir", output=f"{bucket}/out/")
    assert (again["paid"], again["uploaded"], queue.jobs_made) == ("kept", report["uploaded"], 1)
    with pytest.raises(BadInput, match=r"s3://bucket/out/a-restyle.mp4 exists"):
        await restyle(f"{bucket}/in/a.mp4", prompt="neon", output=f"{bucket}/out/")
    named = await restyle(f"{bucket}/in/a.mp4", prompt="neon", output=f"{bucket}/out/mine.mov")
    assert named["uploaded"] == [f"{bucket}/out/mine.mov"]
    fresh = await restyle(f"{bucket}/in/a.mp4", prompt="noir", output=f"{bucket}/out/", refresh=True)
    assert (fresh["paid"], fresh["uploaded"]) == ("now", report["uploaded"])
    with pytest.raises(BadInput, match="Nothing can be written to"):
        await restyle(str(clip), prompt="noir", output="https://example.org/x.mp4")


@pytest.mark.usefixtures("prefect_server", "work_dir")
async def test_a_film_is_not_written_over_the_one_that_it_is_made_of(bucket: str, queue: StandIn, clip: Path) -> None:
    source = f"{bucket}/in/a.mp4"
    remote.put(clip, source)
    with pytest.raises(BadInput, match=r"The output s3://bucket/in/a.mp4 is the source itself"):
        await restyle(source, prompt="noir", output=source, overwrite=True)
    assert (remote.digest(source), queue.jobs_made) == (digest_of(clip), 0)


@pytest.mark.usefixtures("prefect_server", "work_dir")
async def test_a_receipt_that_can_t_be_had_just_now_makes_nobody_else_s_of_a_film(
    elsewhere: type[Elsewhere], queue: StandIn, clip: Path
) -> None:
    asked: dict[str, Any] = {"prompt": "noir", "output": "elsewhere://out/a.mp4"}
    await restyle(str(clip), **asked)
    elsewhere.broken[".json"] = 1
    again = await restyle(str(clip), **asked)
    assert (again["paid"], again["uploaded"], queue.jobs_made) == ("kept", ["elsewhere://out/a.mp4"], 1)
    elsewhere.broken[".json"] = 99
    with pytest.raises(SourceFault, match="can't be reached: Connection reset by peer"):
        await restyle(str(clip), **asked)


TWO = {"name": "two", "steps": [{"rate": 25}], "outputs": [{"path": "film.mp4"}, {"path": "still.png"}]}


@pytest.mark.usefixtures("prefect_server", "work_dir")
async def test_a_run_whose_second_file_could_not_be_brought_is_not_refused_by_its_first(
    elsewhere: type[Elsewhere], clip: Path
) -> None:
    elsewhere.broken["still.png."] = 4  # as often as it is tried
    with pytest.raises(SourceFault, match="can't be reached"):
        await pipeline(str(clip), TWO, output="elsewhere://out/")
    assert names("elsewhere://out/") == ["film.mp4"]
    again = await pipeline(str(clip), TWO, output="elsewhere://out/")
    assert (again["status"], names("elsewhere://out/")) == ("completed", ["film.mp4", "still.png"])
    remote.write("elsewhere://out/film.mp4", b"another's")
    with pytest.raises(OutputTaken, match=r"film\.mp4 exists"):
        await pipeline(str(clip), TWO, output="elsewhere://out/")


async def test_a_film_that_could_not_be_replaced_stays_ours(elsewhere: type[Elsewhere], tmp_path: Path) -> None:
    film, address = tmp_path / "a.mp4", "elsewhere://out/a.mp4"
    delivery, receipt = Delivery("elsewhere://out", tmp_path), Receipt("ask", (film,), (), (), {})
    film.write_bytes(b"old")
    await delivery.bring(receipt)
    film.write_bytes(b"newer")
    elsewhere.broken["a.mp4."] = 2
    for _ in range(2):
        with pytest.raises(SourceFault):
            await delivery.bring(receipt)
        found = await delivery.find_receipt("ask", (film,))
        assert (found, remote.read(address, max_bytes=9)) == (replace(receipt, is_whole=False), b"old")
    await delivery.bring(receipt)
    assert (await delivery.find_receipt("ask", (film,)), remote.read(address, max_bytes=9)) == (receipt, b"newer")
    remote.write(address, b"old")
    assert await delivery.find_receipt("ask", (film,)) is None


@pytest.mark.usefixtures("prefect_server", "work_dir")
async def test_a_login_in_an_output_s_address_is_shown_nowhere(
    elsewhere: type[Elsewhere], queue: StandIn, clip: Path
) -> None:
    there = "elsewhere://me:secret@out"
    told = [await restyle(str(clip), prompt="noir", output=f"{there}/a.mp4") for _ in range(2)]
    assert [one["uploaded"] for one in told] == [["elsewhere://out/a.mp4"]] * 2
    with pytest.raises(OutputTaken, match=r"elsewhere://out/a\.mp4 exists") as taken:
        await restyle(str(clip), prompt="neon", output=f"{there}/a.mp4")
    many = await batch(str(clip), job="restyle", prompt="noir", output=f"{there}/many")
    assert many["manifest"] == "elsewhere://out/many/manifest.jsonl"
    async with get_client() as client:
        tasks = await client.read_task_runs(flow_run_filter=FlowRunFilter(
            id=FlowRunFilterId(any_=[one["flow_run_id"] for one in (*told, many)])))
        artifacts = await client.read_artifacts(artifact_filter=ArtifactFilter(
            flow_run_id=ArtifactFilterFlowRunId(any_=[many["flow_run_id"]])))
    kept = [file.getvalue() for name, file in elsewhere.store.items() if name.endswith((".json", ".jsonl", ".html"))]
    shown = (told, many, taken.value, [one.name for one in tasks], [one.data for one in artifacts], kept)
    assert tasks and artifacts and len(kept) == 4 and "secret" not in str(shown)


@pytest.mark.usefixtures("prefect_server")
async def test_a_batch_that_is_refused_or_halted_leaves_what_another_worker_has_brought_there(
    elsewhere: type[Elsewhere], queue: StandIn, clip: Path, work_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {"job": "restyle", "output": "elsewhere://out/many"}
    await batch(str(clip), prompt="noir", **asked)
    before = {name: file.getvalue() for name, file in elsewhere.store.items()}
    shutil.rmtree(work_dir / "batches")
    with pytest.raises(OverBudget):
        await batch(str(clip), prompt="neon", overwrite=True, max_cost_usd=0.001, **asked)
    monkeypatch.setenv("DECART_BASE_URL", "http://127.0.0.1:9")
    with pytest.raises(ClipsFailed, match=r"elsewhere://out/many/manifest\.jsonl stays as the run before left it"):
        await batch(str(clip), prompt="noir", **asked)
    assert {name: file.getvalue() for name, file in elsewhere.store.items()} == before


async def test_the_page_of_a_batch_that_has_ended_does_not_say_that_it_goes_on(
    elsewhere: type[Elsewhere], tmp_path: Path
) -> None:
    begun, brought = threading.Event(), threading.Event()

    class Slow(elsewhere):  # type: ignore[valid-type, misc]
        """The first page is not brought until another one is, or for a second."""

        protocol = "slow"

        def open(self, path: str, *given: Any, **more: Any) -> Any:
            if "index.html." in path and not begun.is_set():
                begun.set()
                brought.wait(1)
            return super().open(path, *given, **more)

        def mv(self, path: str, target: str, **more: Any) -> None:
            super().mv(path, target, **more)
            if target.endswith("index.html"):
                brought.set()

    fsspec.register_implementation("slow", Slow, clobber=True)
    with opened_manifest(tmp_path / "manifest.jsonl") as manifest:
        results = Results(manifest, "slow://out", "one clip", 1, estimated=False)
        async with results.kept_up():
            results.go_on()
            results.add(line_of(Report("restyle", RunStatus.COMPLETED, source="a.mp4"), "a", took=1.5))
            await asyncio.to_thread(begun.wait)
    await asyncio.get_running_loop().shutdown_default_executor()  # whatever still writes has its word
    assert b"data-goes-on>" not in remote.read("slow://out/index.html", max_bytes=10**6)


async def test_a_poster_is_brought_once_this_run_has_made_it_and_not_the_one_of_the_run_before(
    elsewhere: type[Elsewhere], tmp_path: Path
) -> None:
    poster = tmp_path / "posters" / "a.jpg"
    poster.parent.mkdir()
    poster.write_bytes(b"old")
    with opened_manifest(tmp_path / "manifest.jsonl") as manifest:
        results = Results(manifest, "elsewhere://out", "one clip", 1, estimated=False)
        results.go_on()
        async with results.kept_up(), asyncio.timeout(60):
            while remote.look_at("elsewhere://out/index.html") is None:
                await asyncio.sleep(0.01)
            assert remote.look_at("elsewhere://out/posters/a.jpg") is None
            poster.write_bytes(b"new")
            made = Report("restyle", RunStatus.COMPLETED, source="a.mp4", poster=poster)
            results.add(line_of(made, "a", took=1.5))
    assert remote.read("elsewhere://out/posters/a.jpg", max_bytes=9) == b"new"


@pytest.mark.usefixtures("prefect_server", "work_dir")
async def test_what_comes_to_lie_there_right_after_the_run_has_looked_is_not_replaced(
    elsewhere: type[Elsewhere], queue: StandIn, clip: Path
) -> None:
    elsewhere.arrives["/out/a.mp4"] = b"another's"
    with pytest.raises(OutputTaken, match="has been written by another run meanwhile"):
        await restyle(str(clip), prompt="noir", output="elsewhere://out/a.mp4")
    assert remote.read("elsewhere://out/a.mp4", max_bytes=100) == b"another's"


@pytest.mark.usefixtures("prefect_server", "work_dir")
async def test_of_two_runs_that_bring_different_films_to_one_address_one_is_refused(
    bucket: str, queue: StandIn, clip: Path
) -> None:
    await restyle(str(clip), prompt="neon", output=f"{bucket}/kept.mp4")  # so that it needs no queue any more
    queue.faults.add("status-429=999")  # the other one does not come to its end before it is let
    other = asyncio.create_task(restyle(str(clip), prompt="noir", output=f"{bucket}/out.mp4"))
    async with asyncio.timeout(60):
        while queue.jobs_made < 2:  # by then it has looked whether the name is free
            await asyncio.sleep(0.01)
    made = await restyle(str(clip), prompt="neon", output=f"{bucket}/out.mp4")
    film = remote.digest(f"{bucket}/out.mp4")
    queue.faults.clear()
    with pytest.raises(OutputTaken, match=r"s3://bucket/out\.mp4 has been written by another run"):
        await other
    assert (made["status"], remote.digest(f"{bucket}/out.mp4"), queue.jobs_made) == ("completed", film, 2)


@pytest.mark.usefixtures("prefect_server", "work_dir")
async def test_a_command_s_limit_refuses_what_is_to_be_made_and_delivered_and_not_what_lies_there(
    bucket: str, queue: StandIn, clip: Path, tmp_path: Path
) -> None:
    asked = tmp_path / "two.yaml"
    asked.write_text("steps:\n  - trim: {duration: 0.3}\n  - restyle: noir\n  - edit: rain\n")

    async def run(*words: str) -> tuple[int | None, dict[str, Any]]:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "flows", "recipe", "run", str(asked), str(clip), "--output", f"{bucket}/out/",
            "--json", *words, stdout=asyncio.subprocess.PIPE)
        out, _ = await process.communicate()
        return process.returncode, json.loads(out)

    code, refused = await run("--max-cost-usd", "0")
    assert (code, refused["status"], queue.posts) == (2, "refused", 0)
    assert "The 2 jobs would cost" in refused["error"]
    assert (await run())[1]["cost_usd"] > 0
    code, made = await run("--max-cost-usd", "0")
    assert (code, made["paid"], made["cost_usd"], queue.jobs_made) == (0, "kept", 0.0, 2), made["error"]


@pytest.mark.usefixtures("prefect_server")
async def test_a_batch_goes_from_a_prefix_to_a_prefix_with_its_manifest(
    bucket: str, queue: StandIn, clip: Path, work_dir: Path
) -> None:
    for name in ("a.mp4", "b.mp4"):
        remote.put(clip, f"{bucket}/in/{name}")
    remote.write(f"{bucket}/in/c.mp4", b"no film at all")
    asked: dict[str, Any] = {"job": "restyle", "prompt": "noir", "output": f"{bucket}/out"}
    with pytest.raises(ClipsFailed, match="2 of 3 completed, 1 failed"):
        await batch(f"{bucket}/in/", **asked)
    assert names(f"{bucket}/out") == ["a-restyle.mp4", "b-restyle.mp4", "index.html", "manifest.jsonl"]
    assert names(f"{bucket}/out/posters") == ["a.jpg", "b.jpg"]
    lines = [json.loads(line) for line in remote.read(f"{bucket}/out/manifest.jsonl", max_bytes=10**6).splitlines()]
    told = {line["source"]: line["outputs"] for line in lines}
    assert told == {f"{bucket}/in/a.mp4": [f"{bucket}/out/a-restyle.mp4"],
                    f"{bucket}/in/b.mp4": [f"{bucket}/out/b-restyle.mp4"], f"{bucket}/in/c.mp4": []}
    assert [line["error"].startswith(f"{bucket}/in/c.mp4 is not a video") for line in lines if line["error"]] == [True]
    assert queue.jobs_made == 1  # the two are the same film, and so the same wish
    with pytest.raises(ClipsFailed) as failed:
        await batch(f"{bucket}/in/", **asked)
    assert (failed.value.summary["to_make"], failed.value.summary["completed"]) == (0, 2)
    assert [path.name for path in (work_dir / "scratch").iterdir()] == [".lock"]
