"""Jobs outlive the stand-in that took them, end when their time is over, and are shared by stand-ins of one folder."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Collection
from pathlib import Path

import httpx
import pytest
from asking import KEY, MODELS, Media, client_of, decode, ended, generate, submit

from reelflow.models import Kind
from reelflow.standin.jobs import KEPT_SECONDS, Job, JobBook
from reelflow.standin.render import Order
from reelflow.standin.server import running_standin

PLAIN = {"prompt": "plain"}
PATH = '[{"frame": 0, "x": 0.2, "y": 0.5}, {"frame": 124, "x": 0.8, "y": 0.5}]'
SERVE = (
    "import sys\nfrom pathlib import Path\nfrom reelflow.standin.server import serve\n"
    "serve(Path(sys.argv[1]), ffmpeg=Path(sys.argv[2]), port=0, service_seconds=float(sys.argv[3]))\n"
)


async def test_a_finished_job_is_served_after_a_restart(work_dir: Path, ffmpeg: Path, media: Media) -> None:
    async with running_standin(work_dir, ffmpeg=ffmpeg, models=MODELS) as running, client_of(running) as http:
        job_id = (await submit(http, "small", media.film, **PLAIN)).json()["job_id"]
        assert await ended(http, job_id) == "completed"
        before = (await http.get(f"/v1/jobs/{job_id}/content")).content
    async with running_standin(work_dir, ffmpeg=ffmpeg, models=MODELS) as running, client_of(running) as http:
        assert (await http.get(f"/v1/jobs/{job_id}")).json() == {"job_id": job_id, "status": "completed"}
        assert (await http.get(f"/v1/jobs/{job_id}/content")).content == before
        assert running.jobs_made == 0


async def test_an_unfinished_job_is_rendered_after_a_restart(work_dir: Path, ffmpeg: Path, media: Media) -> None:
    async with (
        running_standin(work_dir, ffmpeg=ffmpeg, models=MODELS, service_seconds=60) as running,
        client_of(running) as http,
    ):
        job_id = (await submit(http, "small", media.film, **PLAIN)).json()["job_id"]
        while (await http.get(f"/v1/jobs/{job_id}")).json()["status"] != "processing":
            await asyncio.sleep(0.02)
    async with running_standin(work_dir, ffmpeg=ffmpeg, models=MODELS) as running, client_of(running) as http:
        assert await ended(http, job_id) == "completed"
        assert len(decode((await http.get(f"/v1/jobs/{job_id}/content")).content).frames) == 8


async def test_a_job_survives_a_killed_stand_in(work_dir: Path, ffmpeg: Path, media: Media) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVE, str(work_dir), str(ffmpeg), "60", stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdout is not None
    url = (await process.stdout.readline()).decode().split(" listens on ")[1].split()[0]
    async with httpx.AsyncClient(base_url=url, headers=KEY) as http:
        job_id = (await submit(http, "lucy-2.1", media.film, **PLAIN)).json()["job_id"]
        process.send_signal(signal.SIGKILL)
        await process.wait()
    async with running_standin(work_dir, ffmpeg=ffmpeg, models=MODELS) as running, client_of(running) as http:
        assert await ended(http, job_id) == "completed"
        assert len(list(work_dir.glob("incoming-*"))) == 1
    assert not list(work_dir.glob("incoming-*"))


async def test_two_stand_ins_share_a_folder(work_dir: Path, ffmpeg: Path, media: Media) -> None:
    async with running_standin(work_dir, ffmpeg=ffmpeg, models=MODELS) as second, client_of(second) as other:
        async with (
            running_standin(work_dir, ffmpeg=ffmpeg, models=MODELS, service_seconds=60) as first,
            client_of(first) as http,
        ):
            job_id = (await submit(http, "small", media.film, **PLAIN)).json()["job_id"]
            while (await http.get(f"/v1/jobs/{job_id}")).json()["status"] != "processing":
                await asyncio.sleep(0.02)
            assert (await other.get(f"/v1/jobs/{job_id}")).json()["status"] in ("pending", "processing")
            mine = await generate(other, "small", media.film, **PLAIN)
            assert len(decode(mine).frames) == 8
            assert (await http.get(f"/v1/jobs/{job_id}")).json()["status"] == "processing"
        # The first one is gone: the second takes its job over.
        assert await ended(other, job_id) == "completed"
        assert second.jobs_made == 1


async def test_no_more_are_rendered_at_once_than_there_are_workers(
    work_dir: Path, ffmpeg: Path, media: Media
) -> None:
    async with (
        running_standin(work_dir, ffmpeg=ffmpeg, models=MODELS, workers=1, service_seconds=0.6) as running,
        client_of(running) as http,
    ):
        begun = time.monotonic()
        first, second = [(await submit(http, "small", media.film, **PLAIN)).json()["job_id"] for _ in range(2)]
        seen: set[tuple[str, str]] = set()
        while ("completed", "completed") not in seen:
            # The second one is asked first: what it is then can't be since the first one has ended.
            later = (await http.get(f"/v1/jobs/{second}")).json()["status"]
            seen.add(((await http.get(f"/v1/jobs/{first}")).json()["status"], later))
        assert ("processing", "processing") not in seen
        assert ("processing", "pending") in seen
        assert time.monotonic() - begun >= 1.2


async def test_a_job_that_takes_too_long_fails(work_dir: Path, ffmpeg: Path, media: Media) -> None:
    async with (
        running_standin(work_dir, ffmpeg=ffmpeg, models=MODELS, timeout=0.5, service_seconds=60) as running,
        client_of(running) as http,
    ):
        job_id = (await submit(http, "small", media.film, **PLAIN)).json()["job_id"]
        assert await ended(http, job_id) == "failed"


async def test_a_job_whose_end_can_not_be_written_down_ends(work_dir: Path, ffmpeg: Path) -> None:
    job = Job(job_id="job_1", model="lucy-2.1", made_at=time.time(), order=Order(Kind.EDIT, 64, 64, 20, 0.4))
    folder = work_dir / "jobs" / job.job_id
    (folder / "job.json.part").mkdir(parents=True)
    (folder / "job.json").write_text(job.model_dump_json())
    async with running_standin(work_dir, ffmpeg=ffmpeg, models=MODELS) as running, client_of(running) as http:
        assert await ended(http, job.job_id) == "failed"


async def test_uploads_are_removed_when_the_job_is_over(work_dir: Path, ffmpeg: Path, media: Media) -> None:
    async with running_standin(work_dir, ffmpeg=ffmpeg, models=MODELS) as running, client_of(running) as http:
        await generate(http, "small-tryon", media.film, reference=media.garment, prompt="")
        [folder] = (work_dir / "jobs").iterdir()
        assert sorted(each.name for each in folder.iterdir()) == ["job.json", "lock", "result"]


async def test_old_finished_jobs_are_removed_at_the_start(work_dir: Path, ffmpeg: Path) -> None:
    order = Order(Kind.EDIT, 64, 64, 20, 0.4)
    for job_id, age in (("job_old", KEPT_SECONDS + 60), ("job_new", 60.0)):
        folder = work_dir / "jobs" / job_id
        folder.mkdir(parents=True)
        job = Job(job_id=job_id, model="lucy-2.1", made_at=time.time() - age, status="completed", order=order)
        (folder / "job.json").write_text(job.model_dump_json())
    (work_dir / "jobs" / "broken").mkdir()
    (work_dir / "jobs" / "broken" / "job.json").write_text("{")
    async with JobBook(work_dir, ffmpeg=ffmpeg) as book:
        assert book.find("job_old") is None
        assert book.find("job_new") == job
        assert book.find("broken") is None


async def test_ctrl_c_which_gets_to_ffmpeg_too_fails_no_job(work_dir: Path, ffmpeg: Path, media: Media) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVE, str(work_dir), str(ffmpeg), "0", stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL, start_new_session=True,
    )
    assert process.stdout is not None
    url = (await process.stdout.readline()).decode().split(" listens on ")[1].split()[0]
    async with httpx.AsyncClient(base_url=url, headers=KEY) as http:
        job_id = (await submit(http, "lucy-motion", media.still, trajectory=PATH)).json()["job_id"]
        await rendering(work_dir)
        os.killpg(process.pid, signal.SIGINT)
        await process.wait()
    async with running_standin(work_dir, ffmpeg=ffmpeg, models=MODELS) as running, client_of(running) as http:
        assert (await http.get(f"/v1/jobs/{job_id}")).json()["status"] == "pending"
        await rendering(work_dir)


@pytest.mark.parametrize(("times", "status"), [(1, "completed"), (2, "failed")])
async def test_a_job_whose_ffmpeg_somebody_ends_is_rendered_once_more(
    times: int, status: str, work_dir: Path, ffmpeg: Path, media: Media
) -> None:
    async with running_standin(work_dir, ffmpeg=ffmpeg, models=MODELS) as running, client_of(running) as http:
        # Large enough not to be done by the time that its process is found.
        job_id = (await submit(http, "lucy-motion", media.still, trajectory=PATH)).json()["job_id"]
        seen: set[int] = set()
        for again in range(2):
            seen.add(pid := await rendering(work_dir, but=seen))
            if again < times:
                os.kill(pid, signal.SIGINT)
        assert await ended(http, job_id) == status


async def test_no_ffmpeg_is_left_when_the_stand_in_ends(work_dir: Path, ffmpeg: Path, media: Media) -> None:
    async with running_standin(work_dir, ffmpeg=ffmpeg, models=MODELS) as running, client_of(running) as http:
        await submit(http, "lucy-motion", media.still, trajectory=PATH)
        await rendering(work_dir)
    assert not ffmpegs_in(work_dir)


async def rendering(work_dir: Path, *, but: Collection[int] = ()) -> int:
    """The process that writes into a folder, once there is one `but` those, and some of its film: what is sent to the
    shell that starts it may be lost, and one that has not begun ends as if it were done.
    """
    async with asyncio.timeout(20):
        while not (
            any(map(size_of, work_dir.glob("jobs/*/.result*.part")))
            and (found := [pid for pid in ffmpegs_in(work_dir) if pid not in but])
        ):
            await asyncio.sleep(0.01)
    return found[0]


def size_of(path: Path) -> int:
    """A file's bytes; 0 where it is gone by now."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def ffmpegs_in(work_dir: Path) -> list[int]:
    """The processes that write into a folder, by their command lines."""
    found = []
    for each in Path("/proc").iterdir():
        if each.name.isdecimal() and int(each.name) != os.getpid():
            try:
                command = (each / "cmdline").read_bytes()
            except OSError:
                continue
            if str(work_dir).encode() in command and b"libx264" in command:
                found.append(int(each.name))
    return found
