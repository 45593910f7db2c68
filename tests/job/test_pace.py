"""The pace of a model's jobs: when a job is asked about, by how long the earlier ones took; and no crowd for it."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import Counter
from itertools import pairwise

import pytest
from pydantic import SecretStr
from scripted import Server, answer, scripted

from reelflow.errors import JobOverdue, QueueFault
from reelflow.job.client import QueueClient
from reelflow.job.pace import Pace, Turn
from reelflow.job.wait import wait_for_job


class Jobs:
    """Jobs that are all done so many seconds after the first is asked about."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._begun = seconds, 0.0

    async def tell(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._begun = self._begun or time.monotonic()
        over = time.monotonic() - self._begun >= self._seconds
        writer.write(answer(200, f'{{"job_id": "job", "status": "{"completed" if over else "processing"}"}}'))


def client_of(server: Server, **terms: int | float) -> QueueClient:
    return QueueClient(server.url, SecretStr("k"), **terms)


async def calls_of_one(seconds: float, pace: Pace) -> tuple[int, float]:
    """How often a job was asked about, and how many seconds after its end it was noticed."""
    async with scripted(Jobs(seconds).tell) as server, client_of(server) as client:
        begun = time.monotonic()
        await wait_for_job(client, "job", poll_seconds=0.02, pace=pace)
        return len(server.asked), time.monotonic() - begun - seconds


def test_nothing_is_known_until_a_job_is_done_and_then_the_quickest_of_the_last_ones_counts() -> None:
    pace = Pace()
    assert pace.soonest is None
    for seconds in (1.0, 7.0, 5.0):
        pace.learn(seconds)
    assert pace.soonest == 1.0
    for _ in range(32):
        pace.learn(6.0)
    assert pace.soonest == 6.0, "models become slower too"


async def test_whoever_waits_to_know_is_told_at_once_and_otherwise_waits_no_longer_than_asked() -> None:
    pace = Pace()
    assert not await pace.known_within(0.01)
    waiting = [asyncio.create_task(pace.known_within(60)) for _ in range(3)]
    await asyncio.sleep(0)
    pace.learn(3.0)
    async with asyncio.timeout(5):
        assert await asyncio.gather(*waiting) == [True] * 3


async def test_a_job_is_asked_about_when_earlier_ones_were_done_and_seldom_before() -> None:
    pace = Pace()
    unknown, _ = await calls_of_one(1.0, pace)
    known, late = await calls_of_one(1.0, pace)
    assert known < unknown / 2
    assert late < 0.5


@pytest.mark.parametrize("took", [0.5, 1.0, 3.0, 59.0])
def test_a_new_job_is_first_asked_about_so_that_a_later_ask_falls_on_its_end(took: float) -> None:
    pace = Pace()
    with pace.waiting() as turn:
        assert 1.0 <= turn.first(2.0) <= 1.4
    pace.learn(took)
    for _ in range(50):
        with pace.waiting() as turn:
            first = turn.first(2.0)
        assert 0 < first <= 2.6
        behind = (first - took) % 2.0
        assert min(behind, 2.0 - behind) <= max(0.25, 0.5 * took), "on the aim, or sooner to try"


def test_of_many_new_jobs_each_is_first_asked_about_at_another_moment() -> None:
    random.seed(1)
    pace = Pace()
    with contextlib.ExitStack() as stack:
        firsts = sorted(stack.enter_context(pace.waiting()).first(2.0) for _ in range(50))
    assert firsts[0] >= 0.5 and firsts[-1] <= 2.2
    assert max(after - before for before, after in pairwise(firsts)) < 0.4


def test_a_try_that_is_sooner_than_before_is_later_than_what_was_too_early() -> None:
    pace = Pace()
    pace.learn(3.0, not_by=1.9)
    pace.learn(3.2, not_by=3.1)
    assert (pace.soonest, pace.latest_not_done) == (3.0, 1.9)


async def test_a_job_that_is_done_far_sooner_than_those_before_it_is_noticed_half_as_long_again_at_most() -> None:
    pace = Pace()
    pace.learn(600.0)
    _, late = await calls_of_one(1.0, pace)
    assert late < 0.5 + 0.3


async def test_what_is_known_of_earlier_jobs_moves_no_deadline() -> None:
    pace = Pace()
    pace.learn(600.0)
    async with scripted(Jobs(60.0).tell) as server, client_of(server) as client:
        begun = time.monotonic()
        with pytest.raises(JobOverdue):
            await wait_for_job(client, "job", poll_seconds=0.02, deadline=0.5, pace=pace)
        assert 0.5 <= time.monotonic() - begun < 1.5


async def test_of_many_only_a_few_are_asked_about_often_until_one_is_done_and_then_all() -> None:
    pace = Pace()
    async with scripted(Jobs(1.0).tell) as server, client_of(server) as client:
        begun = time.monotonic()
        await asyncio.gather(*(
            wait_for_job(client, f"{number}", poll_seconds=0.1, pace=pace) for number in range(40)))
        assert time.monotonic() - begun < 2.5
    asked = Counter(one.path for one in server.asked)
    often = sorted(asked.values(), reverse=True)
    assert len(asked) == 40
    assert often[7] > often[8]
    assert often[8] <= 5


async def test_how_long_the_queue_wants_to_be_left_alone_is_kept_to_though_another_job_is_done_meanwhile() -> None:
    pace = Pace()
    with contextlib.ExitStack() as stack:
        turns = [stack.enter_context(pace.waiting()) for _ in range(9)]
        begun = time.monotonic()
        pausing = asyncio.create_task(turns[-1].pause(0.5, 10.0))
        await asyncio.sleep(0)
        turns[0].done()
        await pausing
        assert time.monotonic() - begun >= 0.5


async def test_no_more_requests_are_under_way_than_there_are_connections() -> None:
    under_way = most = 0

    async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.01)
        under_way -= 1
        writer.write(answer(200, '{"job_id": "job", "status": "processing"}'))

    async with scripted(count) as server, client_of(server, max_connections=3) as client:
        said = await asyncio.gather(*(client.status("job") for _ in range(30)))
        assert len(said) == len(server.asked) == 30
        assert most == 3
        assert server.connections == 3


async def test_whoever_gives_up_its_place_leaves_it_to_the_next() -> None:
    held = asyncio.Event()

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.set()
        await reader.read()

    done = answer(200, '{"job_id": "job", "status": "completed"}')
    async with scripted(hold, done) as server, client_of(server, max_connections=1) as client:
        first = asyncio.create_task(client.status("job"))
        await held.wait()
        waiting = [asyncio.create_task(client.status("job")) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        first.cancel()
        assert [one.status for one in await asyncio.gather(*waiting[1:])] == ["completed"] * 2


async def test_to_wait_for_a_connection_too_long_is_a_fault_that_is_tried_again() -> None:
    held = asyncio.Event()

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.set()
        await reader.read()

    async with scripted(hold) as server, client_of(server, max_connections=1, pool_timeout=0.1) as client:
        first = asyncio.create_task(client.status("job"))
        await held.wait()
        with pytest.raises(QueueFault, match="could not be reached"):
            await client.status("job")
        first.cancel()


@pytest.mark.parametrize(("waiting", "least"), [(100, 0.2), (300, 0.4)])
async def test_while_nothing_is_known_all_but_the_first_few_are_asked_about_seldom_and_in_a_crowd_more_so(
    waiting: int, least: float
) -> None:
    pace = Pace()
    with contextlib.ExitStack() as stack:
        turns = [stack.enter_context(pace.waiting()) for _ in range(waiting)]
        begun = time.monotonic()
        pauses = [asyncio.create_task(turn.pause(0.05, 60.0)) for turn in turns]
        await asyncio.gather(*pauses[:8])
        assert not any(pause.done() for pause in pauses[8:]), "the first few show how long it takes"
        await asyncio.gather(*pauses)
        assert time.monotonic() - begun >= least


async def test_a_crowd_asks_at_a_few_moments_together_and_no_sooner_than_it_may() -> None:
    pace = Pace()
    loop, asked, gaps = asyncio.get_running_loop(), [], []

    async def ask(turn: Turn, first: float) -> None:
        await asyncio.sleep(first)
        for _ in range(2):
            begun = loop.time()
            await turn.pause(1.0, 60.0)
            gaps.append(loop.time() - begun)
            asked.append(loop.time())

    with contextlib.ExitStack() as stack:
        turns = [stack.enter_context(pace.waiting()) for _ in range(300)]
        firsts = [turn.first(1.0) for turn in turns]
        pace.learn(0.1)
        await asyncio.gather(*(ask(turn, first) for turn, first in zip(turns, firsts, strict=True)))
    # Not when: on a machine that is busy each of these moments is later than it should be, and one for all.
    moments = Counter(int(moment / 0.05) for moment in asked).most_common(8)
    assert sum(count for _, count in moments) > 0.6 * len(asked), "two fifths of them by chance"
    assert min(gaps) >= 1.0
