"""Waiting: nothing but the queue's own word ends a job before its deadline."""

from __future__ import annotations

import asyncio
import itertools
import logging
import time

import pytest
from pydantic import SecretStr
from scripted import Answer, Server, answer, hang_up, reset, scripted, stall

from reelflow.errors import JobLost, JobOverdue, KeyRefused, QueueRefused
from reelflow.job.client import QueueClient
from reelflow.job.wait import wait_for_job
from reelflow.job.wire import JobStatusResponse


def status(word: str) -> bytes:
    return answer(200, f'{{"job_id": "job-1", "status": "{word}", "progress": 3}}')


def client_of(server: Server) -> QueueClient:
    return QueueClient(server.url, SecretStr("k"), read_timeout=0.2)


async def test_callbacks_come_only_on_change_and_may_be_async() -> None:
    seen: list[str] = []

    async def tell(job: JobStatusResponse) -> None:
        seen.append(job.status)

    said = [status(word) for word in ("pending", "pending", "processing", "processing", "completed")]
    async with scripted(*said) as server, client_of(server) as client:
        ended = await wait_for_job(client, "job-1", poll_seconds=0.01, on_status_change=tell)
    assert ended.status == "completed"
    assert seen == ["pending", "processing", "completed"]
    assert len(server.asked) == 5


@pytest.mark.parametrize("trouble", [
    answer(500, '{"detail": "boom"}'), answer(502, "<html>"), answer(503), answer(429, Retry_After="0"), hang_up, reset,
    stall, answer(200, "<html>"), answer(200, '{"status": "completed"}'), answer(404), answer(401), answer(400),
    answer(302, Location="/elsewhere"), answer(204), answer(200, "x" * 300_000),
])
async def test_a_status_call_that_goes_wrong_does_not_end_the_job(trouble: Answer) -> None:
    async with scripted(trouble, trouble, status("completed")) as server, client_of(server) as client:
        ended = await wait_for_job(client, "job-1", poll_seconds=0.01)
    assert ended.status == "completed"
    assert len(server.asked) == 3


async def test_a_status_that_nobody_knows_is_still_running_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    said = [status(word) for word in ("warming_up", "warming_up", "warming_up", "completed")]
    async with scripted(*said) as server, client_of(server) as client:
        await wait_for_job(client, "job-1", poll_seconds=0.01)
    assert [record.levelno for record in caplog.records].count(logging.WARNING) == 1
    assert "warming_up" in caplog.text


async def test_a_failed_job_is_an_answer_and_not_an_error() -> None:
    async with scripted(status("failed")) as server, client_of(server) as client:
        assert (await wait_for_job(client, "job-1", poll_seconds=0.01)).status == "failed"


async def test_the_deadline_is_our_own_and_the_job_is_asked_about_once_more_at_it() -> None:
    async with scripted(status("pending")) as server, client_of(server) as client:
        began = time.monotonic()
        with pytest.raises(JobOverdue, match=r"last pending\); the queue may still finish and bill it") as raised:
            await wait_for_job(client, "job-1", poll_seconds=30.0, deadline=0.8)
        assert raised.value.job_id == "job-1"
        assert 0.8 <= time.monotonic() - began < 2
        assert len(server.asked) == 2


async def test_a_status_call_that_hangs_does_not_outlast_the_deadline() -> None:
    async with scripted(stall) as server, QueueClient(server.url, SecretStr("k"), read_timeout=60) as client:
        began = time.monotonic()
        with pytest.raises(JobOverdue, match="not heard of"):
            await wait_for_job(client, "job-1", poll_seconds=0.05, deadline=0.3)
        assert time.monotonic() - began < 2


async def test_retry_after_is_kept_to() -> None:
    async with scripted(answer(429, Retry_After="1"), status("completed")) as server, client_of(server) as client:
        began = time.monotonic()
        await wait_for_job(client, "job-1", poll_seconds=0.01)
        assert time.monotonic() - began >= 1.0


async def test_never_faster_than_the_least_interval() -> None:
    asked: list[float] = []

    async def pending(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(time.monotonic())
        writer.write(status("pending" if len(asked) < 5 else "completed"))

    async with scripted(pending) as server, client_of(server) as client:
        await wait_for_job(client, "job-1", poll_seconds=0.1)
    gaps = [after - before for before, after in itertools.pairwise(asked)]
    assert min(gaps) >= 0.1
    assert len({round(gap, 4) for gap in gaps}) > 1


async def test_jobs_that_start_together_do_not_ask_together() -> None:
    begun = time.monotonic()
    asked: list[float] = []

    async def completed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(time.monotonic() - begun)
        writer.write(status("completed"))

    async with scripted(completed) as server, client_of(server) as client:
        await asyncio.gather(*(wait_for_job(client, f"job-{number}", poll_seconds=1.0) for number in range(20)))
    assert max(asked) - min(asked) > 0.2


async def test_a_404_is_believed_only_after_a_while() -> None:
    async with scripted(answer(404)) as server, client_of(server) as client:
        with pytest.raises(JobLost, match=r"has not known job job-1 .* or that is not its id") as raised:
            await wait_for_job(client, "job-1", poll_seconds=0.02, believe_after=0.2)
        assert raised.value.job_id == "job-1"
        assert len(server.asked) > 3


async def test_a_refusal_that_stays_is_told_as_what_it_is() -> None:
    for code, error in ((401, KeyRefused), (400, QueueRefused)):
        async with scripted(answer(code)) as server, client_of(server) as client:
            with pytest.raises(error):
                await wait_for_job(client, "job-1", poll_seconds=0.02, believe_after=0.1)
