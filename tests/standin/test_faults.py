"""Each fault happens as it is named, as often as it was asked for, and leaves the jobs that it says."""

from __future__ import annotations

import asyncio
import email.utils
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from asking import MODELS, Film, Media, client_of, decode, ended, generate, submit

from reelflow.errors import BadInput
from reelflow.job.wire import STANDIN_HEADER
from reelflow.standin.faults import Act, Fault, FaultBook
from reelflow.standin.server import StandIn, running_standin


@asynccontextmanager
async def faulty(
    work_dir: Path, ffmpeg: Path, *faults: str, timeout: float = 60.0
) -> AsyncIterator[tuple[StandIn, httpx.AsyncClient]]:
    async with (
        running_standin(work_dir, ffmpeg=ffmpeg, models=MODELS, faults=faults, timeout=timeout) as running,
        client_of(running) as http,
    ):
        yield running, http


@pytest.mark.parametrize(("fault", "jobs"), [("drop-in-body", 0), ("drop-before-accept", 0), ("drop-after-accept", 1)])
async def test_a_dropped_submit_has_no_reply(
    fault: str, jobs: int, work_dir: Path, ffmpeg: Path, media: Media
) -> None:
    async with faulty(work_dir, ffmpeg, f"{fault}=2") as (running, http):
        for _ in range(2):
            with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError)):
                await submit(http, "small", media.film, prompt="plain")
        assert (running.posts, running.jobs_made) == (2, 2 * jobs)
        assert (await submit(http, "small", media.film, prompt="plain")).status_code == 200
        assert running.faults.left == {}


async def test_a_hanging_submit_has_a_job_and_no_end(work_dir: Path, ffmpeg: Path, media: Media) -> None:
    async with faulty(work_dir, ffmpeg, "hang-after-accept") as (running, http):
        http.timeout = httpx.Timeout(10, read=1)
        with pytest.raises(httpx.ReadTimeout):
            await submit(http, "small", media.film, prompt="plain")
        assert running.jobs_made == 1


async def test_a_hanging_submit_does_not_hold_up_the_end(work_dir: Path, ffmpeg: Path, media: Media) -> None:
    async with faulty(work_dir, ffmpeg, "hang-after-accept") as (running, http):
        hanging = asyncio.create_task(submit(http, "small", media.film, prompt="plain"))
        while not running.jobs_made:
            await asyncio.sleep(0.01)
        begun = time.monotonic()
    assert time.monotonic() - begun < 5
    with pytest.raises(httpx.HTTPError):
        await hanging


@pytest.mark.parametrize(("fault", "status", "jobs"), [
    ("429-seconds", 429, 0), ("429-date", 429, 0), ("500", 500, 0), ("502-html", 502, 1), ("503", 503, 0),
    ("not-json", 200, 1),
])
async def test_a_submit_is_answered_wrongly(
    fault: str, status: int, jobs: int, work_dir: Path, ffmpeg: Path, media: Media
) -> None:
    async with faulty(work_dir, ffmpeg, fault) as (running, http):
        answer = await submit(http, "small", media.film, prompt="plain")
        assert (answer.status_code, running.jobs_made) == (status, jobs)
        assert answer.headers[STANDIN_HEADER] == "1"
        match fault:
            case "429-seconds":
                assert answer.headers["retry-after"] == "1"
            case "429-date":
                wait = email.utils.parsedate_to_datetime(answer.headers["retry-after"]).timestamp() - time.time()
                assert 0 < wait < 3
            case "502-html":
                assert answer.text.startswith("<html>")
                assert answer.headers["content-type"].startswith("text/html")
            case "not-json":
                with pytest.raises(ValueError, match="Expecting value"):
                    answer.json()
        assert running.faults.left == {}


@pytest.mark.parametrize(("fault", "status"), [
    ("unknown-status", 200), ("status-404", 404), ("status-429", 429), ("status-500", 500), ("status-not-json", 200),
])
async def test_a_status_is_answered_wrongly(
    fault: str, status: int, work_dir: Path, ffmpeg: Path, media: Media
) -> None:
    async with faulty(work_dir, ffmpeg, fault) as (_, http):
        job_id = (await submit(http, "small", media.film, prompt="plain")).json()["job_id"]
        wrong = await http.get(f"/v1/jobs/{job_id}")
        assert wrong.status_code == status
        if fault == "unknown-status":
            assert wrong.json() == {"job_id": job_id, "status": "warming_up"}
        assert await ended(http, job_id) == "completed"


async def test_a_status_is_dropped(work_dir: Path, ffmpeg: Path, media: Media) -> None:
    async with faulty(work_dir, ffmpeg, "status-drop") as (_, http):
        job_id = (await submit(http, "small", media.film, prompt="plain")).json()["job_id"]
        with pytest.raises(httpx.RemoteProtocolError):
            await http.get(f"/v1/jobs/{job_id}")
        assert await ended(http, job_id) == "completed"


async def test_content_fails_is_cut_and_is_reset(work_dir: Path, ffmpeg: Path, media: Media) -> None:
    async with faulty(work_dir, ffmpeg, "content-500=2", "content-cut", "content-reset") as (_, http):
        job_id = (await submit(http, "small", media.film, prompt="plain")).json()["job_id"]
        assert await ended(http, job_id) == "completed"
        path = f"/v1/jobs/{job_id}/content"
        assert [(await http.get(path)).status_code for _ in range(2)] == [500, 500]
        for wanted in (httpx.RemoteProtocolError, httpx.ReadError):
            got = bytearray()
            with pytest.raises(wanted):
                async with http.stream("GET", path) as answer:
                    announced = int(answer.headers["content-length"])
                    async for chunk in answer.aiter_bytes():
                        got += chunk
            assert len(got) <= announced // 2
            if wanted is httpx.RemoteProtocolError:
                assert len(got) == announced // 2
        whole = await http.get(path)
        assert len(whole.content) == announced


async def test_a_resumed_download_may_be_cut_again(work_dir: Path, ffmpeg: Path, media: Media) -> None:
    async with faulty(work_dir, ffmpeg, "content-cut") as (_, http):
        job_id = (await submit(http, "small", media.film, prompt="plain")).json()["job_id"]
        assert await ended(http, job_id) == "completed"
        with pytest.raises(httpx.RemoteProtocolError):
            async with http.stream("GET", f"/v1/jobs/{job_id}/content", headers={"Range": "bytes=10-"}) as answer:
                assert answer.status_code == 206
                await answer.aread()


async def test_a_job_fails_and_another_stays_pending(work_dir: Path, ffmpeg: Path, media: Media) -> None:
    async with faulty(work_dir, ffmpeg, "stuck-pending", "job-fails", timeout=1.5) as (_, http):
        stuck, failing = [
            (await submit(http, "small", media.film, prompt="plain")).json()["job_id"] for _ in range(2)
        ]
        assert (await http.get(f"/v1/jobs/{stuck}")).json()["status"] == "pending"
        assert await ended(http, failing) == "failed"
        assert (await http.get(f"/v1/jobs/{failing}/content")).status_code == 404
        assert await ended(http, stuck) == "failed"


async def crooked(work_dir: Path, ffmpeg: Path, media: Media, fault: str) -> Film:
    async with faulty(work_dir, ffmpeg, fault) as (_, http):
        return decode(await generate(http, "small", media.film, prompt="plain"))


@pytest.mark.parametrize(("fault", "frames", "rate"), [
    ("frame-more", 9, 20), ("other-rate", 10, 24), ("with-sound", 8, 20), ("odd-size", 8, 20),
    *(pytest.param(*each, marks=pytest.mark.slow) for each in (
        ("frame-less", 7, 20), ("wrong-label", 8, 24), ("far-label", 8, 60), ("longer", 9, 20), ("shorter", 7, 20),
    )),
])
async def test_a_result_is_crooked(
    fault: str, frames: int, rate: int, work_dir: Path, ffmpeg: Path, media: Media
) -> None:
    film = await crooked(work_dir, ffmpeg, media, fault)
    assert (len(film.frames), film.rate) == (frames, rate)
    assert film.tracks == (["video", "audio"] if fault == "with-sound" else ["video"])
    assert (film.size == (544, 312)) is (fault != "odd-size")
    assert film.times == pytest.approx([number / rate for number in range(frames)], abs=0.001)


async def test_the_control_routes_are_off_unless_asked_for(work_dir: Path, ffmpeg: Path, media: Media) -> None:
    async with faulty(work_dir / "off", ffmpeg) as (_, http):
        assert (await http.get("/control/state")).status_code == 404
        assert (await http.post("/control/faults", json={"500": 1})).status_code == 404
    async with (
        running_standin(work_dir / "on", ffmpeg=ffmpeg, models=MODELS, control=True) as running,
        client_of(running) as http,
    ):
        assert (await http.post("/control/faults", json={"500": 1, "job-fails": 2})).json() == {
            "500": 1, "job-fails": 2,
        }
        assert (await http.post("/control/faults", json={"no-such": 1})).status_code == 422
        assert (await submit(http, "small", media.film, prompt="plain")).status_code == 500
        state = (await http.get("/control/state")).json()
        assert state == {"posts": 1, "jobs_made": 0, "pictures_made": 0, "faults": {"job-fails": 2}}
        assert (await http.delete("/control/faults")).json() == {}
        [sent] = (await http.get("/control/submits")).json()
        assert [part["name"] for part in sent["parts"]] == ["prompt", "data"]


@pytest.mark.parametrize("text", ["nothing=1", "500=many", "500=-1", "=2", "500=1.5"])
def test_a_fault_that_is_not_one_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="fault"):
        FaultBook([text])


def test_faults_are_used_up_one_kind_apart_from_another() -> None:
    book = FaultBook(["500", "503=2", "job-fails"])
    assert book.take(Act.STATUS) is None
    assert [book.take(Act.SUBMIT) for _ in range(4)] == [Fault.ERROR_500, Fault.ERROR_503, Fault.ERROR_503, None]
    assert book.left == {"job-fails": 1}
