"""SIGKILL at each boundary of a real process, and the same run again: never more than one job."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from buying import TINY
from processes import ended, run, start

from reelflow.job.boundary import Boundary
from reelflow.job.entry import State
from reelflow.job.ledger import Ledger
from reelflow.standin.server import StandIn, running_standin

B = Boundary


@pytest.fixture
async def standin(tmp_path: Path, ffmpeg: Path) -> AsyncIterator[StandIn]:
    async with running_standin(tmp_path / "queue", ffmpeg=ffmpeg, models=TINY) as running:
        yield running


@pytest.fixture
def asked(standin: StandIn, work_dir: Path, media: Path) -> dict[str, Any]:
    return {"url": standin.url, "work_dir": str(work_dir), "media": str(media)}


async def state_of(work_dir: Path) -> State | None:
    async with Ledger.open(None, work_dir=work_dir) as ledger:
        entries = await ledger.entries()
    return entries[0].state if entries else None


@pytest.mark.parametrize(("boundary", "left"), [
    pytest.param(B.BEFORE_INTENT, None, marks=pytest.mark.slow),
    (B.AFTER_INTENT, State.INTENDED),
    pytest.param(B.POLLING, State.ACCEPTED, marks=pytest.mark.slow),
    pytest.param(B.BEFORE_RENAME, State.ACCEPTED, marks=pytest.mark.slow),
])
async def test_a_killed_run_goes_on_and_pays_once(
    boundary: Boundary, left: State | None, asked: dict[str, Any], standin: StandIn, work_dir: Path
) -> None:
    if boundary is B.POLLING:
        standin.faults.add("unknown-status")
    assert await run(asked, kill_at=boundary) == {"killed": True}
    assert await state_of(work_dir) is left
    done = await run(asked)
    assert done["sound"]
    assert (standin.posts, standin.jobs_made) == (1, 1)
    assert done["paid"] == ("earlier" if left is State.ACCEPTED else "now")
    assert (await run(asked))["digest"] == done["digest"]
    assert standin.posts == 1
    assert await state_of(work_dir) is State.COMPLETED
    assert not [path for path in (work_dir / "store" / "incoming").iterdir() if path.suffix != ".lock"]


@pytest.mark.parametrize(("boundary", "jobs"), [
    pytest.param(B.AFTER_BODY, None, marks=pytest.mark.slow), (B.AFTER_REPLY, 1),
])
async def test_a_run_that_was_killed_around_its_reply_stops_and_asks(
    boundary: Boundary, jobs: int | None, asked: dict[str, Any], standin: StandIn, work_dir: Path
) -> None:
    assert await run(asked, kill_at=boundary) == {"killed": True}
    assert await state_of(work_dir) is State.SENT
    for _ in range(2):
        again = await run(asked)
        assert again["error"] == "SubmitUnknown"
        assert "The run that sent the form ended before it had an answer." in again["message"]
        assert "reelflow jobs resolve" in again["message"]
    assert await state_of(work_dir) is State.UNKNOWN
    assert standin.posts <= 1
    assert standin.jobs_made <= 1 if jobs is None else standin.jobs_made == jobs


@pytest.mark.slow
async def test_a_run_that_was_killed_in_its_form_stops_and_asks(
    asked: dict[str, Any], standin: StandIn, work_dir: Path
) -> None:
    """It bought nothing, but nothing of what is left behind can prove that."""
    assert await run(asked, kill_at=B.IN_BODY) == {"killed": True}
    assert (await run(asked))["error"] == "SubmitUnknown"
    assert standin.jobs_made == 0


@pytest.mark.slow
async def test_a_run_that_was_killed_in_its_download_goes_on_with_it(
    asked: dict[str, Any], work_dir: Path, tmp_path: Path, ffmpeg: Path
) -> None:
    """At the real size, so that there is a middle to die in."""
    async with running_standin(tmp_path / "queue", ffmpeg=ffmpeg) as standin:
        asked = {**asked, "url": standin.url}
        assert await run(asked, kill_at=B.IN_DOWNLOAD) == {"killed": True}
        (part,) = (work_dir / "store" / "incoming").glob("*.part")
        assert part.stat().st_size > 0
        assert (await run(asked))["sound"]
        assert standin.jobs_made == 1
    assert not part.exists()


@pytest.mark.slow
async def test_a_picture_that_had_come_before_the_death_is_not_lost(
    asked: dict[str, Any], standin: StandIn, work_dir: Path
) -> None:
    asked = {**asked, "picture": True}
    assert await run(asked, kill_at=B.AFTER_REPLY) == {"killed": True}
    done = await run(asked)
    assert (done["sound"], done["paid"], standin.pictures_made) == (True, "kept", 1)
    assert await state_of(work_dir) is State.COMPLETED


async def test_two_processes_with_one_wish_make_one_job(asked: dict[str, Any], standin: StandIn) -> None:
    done = await asyncio.gather(*(run({**asked, "flow_run_id": str(number)}) for number in range(2)))
    assert (standin.posts, standin.jobs_made) == (1, 1)
    assert len({one["job_id"] for one in done}) == len({one["digest"] for one in done}) == 1
    assert all(one["sound"] for one in done)


@pytest.mark.slow
async def test_one_who_waits_takes_over_from_one_who_is_killed(
    asked: dict[str, Any], standin: StandIn, work_dir: Path
) -> None:
    """The first was told to come again and waits, a second waits for the first, and then the first is killed."""
    standin.faults.add("503")
    first = await start({**asked, "pause": 60.0})
    while standin.posts == 0 or await state_of(work_dir) is not State.INTENDED:
        await asyncio.sleep(0.05)
    second = await start(asked)
    first.kill()
    await first.wait()
    assert (await ended(second))["sound"]
    assert (standin.posts, standin.jobs_made) == (2, 1)
