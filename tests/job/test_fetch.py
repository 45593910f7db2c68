"""Bringing results over: whole or not at all, from where it broke off if that is safe."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import functools
import os
import random
import resource
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from scripted import Act, Answer, Asked, Reply, Server, answer, hang_up, reset, scripted, then

from reelflow.errors import FetchFailed, KeyRefused
from reelflow.job.client import QueueClient
from reelflow.job.content import Content
from reelflow.job.fetch import fetch

MEDIA = random.Random(1).randbytes(6_000_000)
ETAG = '"one"'


def whole(media: bytes = MEDIA, **headers: str) -> bytes:
    return answer(200, media, Content_Type="video/mp4", **headers)


def cut(size: int, **headers: str) -> Answer:
    """The head of the whole, and then only so many of its bytes."""
    head, _ = whole(**headers).split(b"\r\n\r\n", 1)
    return then(head + b"\r\n\r\n" + MEDIA[:size], hang_up)


def rest(begin: int, **headers: str) -> bytes:
    return answer(206, MEDIA[begin:], Content_Range=f"bytes {begin}-{len(MEDIA) - 1}/{len(MEDIA)}", **headers)


def asked_from(asked: Asked) -> int:
    """The byte from which on the content is wanted."""
    return int(asked.headers["range"].removeprefix("bytes=").removesuffix("-"))


def go_on(size: int | None = None) -> Reply:
    """The rest from the byte that was asked for, or only so many bytes of it."""
    def reply(asked: Asked) -> bytes | Act:
        whole_rest = rest(asked_from(asked), ETag=ETAG)
        if size is None:
            return whole_rest
        return then(whole_rest[:whole_rest.index(b"\r\n\r\n") + 4 + size], hang_up)
    return Reply(reply)


async def bring(server: Server, target: Path, **terms: Any) -> Path:
    async with QueueClient(server.url, SecretStr("k"), read_timeout=1) as client:
        return await fetch(functools.partial(client.content, "job-1"), target, job_id="job-1",
                           **{"pause": 0.01, **terms})


def only(target: Path) -> bool:
    return [path.name for path in target.parent.iterdir()] == [target.name]


async def test_it_comes_whole_and_nothing_else_is_left(tmp_path: Path) -> None:
    target, counted = tmp_path / "new" / "out.mp4", []
    async with scripted(whole(ETag=ETAG)) as server:
        await bring(server, target, on_bytes=lambda came, total: counted.append((came, total)))
    assert target.read_bytes() == MEDIA
    assert counted[-1] == (len(MEDIA), len(MEDIA))
    assert only(target)


async def test_it_goes_on_by_range_where_the_content_is_the_same(tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    async with scripted(cut(1_500_000, ETag=ETAG), go_on()) as server:
        await bring(server, target)
    assert target.read_bytes() == MEDIA
    # Of what came last, just before the connection broke, some may not have been read.
    assert 1_000_000 < asked_from(server.asked[1]) <= 1_500_000
    assert server.asked[1].headers["if-range"] == ETAG
    assert only(target)


@pytest.mark.parametrize("headers", [{}, {"ETag": 'W/"weak"'}])
async def test_it_begins_again_where_nothing_proves_that_it_is_the_same(
    headers: dict[str, str], tmp_path: Path
) -> None:
    target = tmp_path / "out.mp4"
    async with scripted(cut(1_000_000, **headers), whole()) as server:
        await bring(server, target)
    assert target.read_bytes() == MEDIA
    assert "range" not in server.asked[1].headers


async def test_it_begins_again_where_the_queue_does_not_go_on(tmp_path: Path) -> None:
    """The server ignores ranges, has other content now, answers another part, or says that there is no more."""
    other = MEDIA[::-1]
    for reply, expected in (
        (whole(ETag=ETAG), MEDIA),
        (whole(other, ETag='"two"'), other),
        (rest(7, ETag=ETAG), MEDIA),
        (answer(416), MEDIA),
    ):
        target = tmp_path / "out.mp4"
        async with scripted(cut(1_000_000, ETag=ETAG), reply, whole(ETag=ETAG)) as server:
            await bring(server, target)
        assert target.read_bytes() == expected
        assert only(target)


async def test_an_earlier_death_s_part_is_gone_on_with(tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    async with scripted(cut(2_000_000, ETag=ETAG), hang_up) as server:
        with pytest.raises(FetchFailed, match="running again goes on fetching"):
            await bring(server, target, tries=2)
    assert not target.exists()
    has = target.with_name("out.mp4.part").stat().st_size
    assert 1_500_000 < has <= 2_000_000
    async with scripted(go_on()) as server:
        await bring(server, target)
        assert asked_from(server.asked[0]) == has
    assert target.read_bytes() == MEDIA
    assert only(target)


@pytest.mark.parametrize("trouble", [
    answer(500), answer(503), answer(429, Retry_After="0"), hang_up, reset, cut(10), answer(200), answer(404),
    answer(200, "<html>", Content_Type="text/html; charset=utf-8"), answer(200, "{}", Content_Type="application/json"),
    answer(200, MEDIA, Content_Encoding="gzip"),
])
async def test_trouble_is_tried_again_and_given_up_in_one_sentence(trouble: Answer, tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    async with scripted(*[trouble] * 4, whole()) as server:
        await bring(server, target)
        assert len(server.asked) == 5
    target.unlink()
    async with scripted(trouble) as server:
        with pytest.raises(FetchFailed, match=r"in 5 tries.*the job is paid") as raised:
            await bring(server, target)
        assert raised.value.job_id == "job-1"
        assert len(server.asked) == 5
    assert not target.exists()


async def test_tries_count_from_the_last_progress(tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    async with scripted(cut(2_400_000, ETag=ETAG), go_on(2_400_000), go_on()) as server:
        await bring(server, target, tries=2)
    assert target.read_bytes() == MEDIA


async def test_a_key_that_is_refused_is_told_at_once(tmp_path: Path) -> None:
    async with scripted(answer(401)) as server:
        with pytest.raises(KeyRefused):
            await bring(server, tmp_path / "out.mp4")
        assert len(server.asked) == 1


async def test_chunks_without_a_length_are_taken_and_one_cut_short_is_not(tmp_path: Path) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\nTransfer-Encoding: chunked\r\n\r\n"
    piece = b"5\r\nhello\r\n"
    target = tmp_path / "out.mp4"
    async with scripted(then(head + piece, hang_up), head + piece + b"0\r\n\r\n") as server:
        await bring(server, target)
        assert len(server.asked) == 2
    assert target.read_bytes() == b"hello"


async def test_two_who_fetch_the_same_do_not_write_into_one_file(tmp_path: Path) -> None:
    target, gate = tmp_path / "out.mp4", asyncio.Event()
    waiting = 0

    async def slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal waiting
        full = whole(ETag=ETAG)
        writer.write(full[:1_000_000])
        waiting += 1
        if waiting == 2:
            gate.set()
        await gate.wait()
        writer.write(full[1_000_000:])
        await writer.drain()

    async with scripted(slowly) as server:
        await asyncio.gather(bring(server, target), bring(server, target))
    assert target.read_bytes() == MEDIA
    assert only(target)


async def test_a_folder_that_can_t_be_written_is_told(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    async with scripted(whole()) as server:
        with pytest.raises(FetchFailed, match="can't be written"):
            await bring(server, blocked / "out.mp4")


async def test_a_disk_that_takes_no_more_is_told_and_leaves_no_result(tmp_path: Path) -> None:
    """A limit on the size of a file stands in for a full disk: the same call fails in the same way."""
    target = tmp_path / "out.mp4"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    async with scripted(whole()) as server:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
        try:
            with pytest.raises(FetchFailed, match=rf"{os.strerror(errno.EFBIG)}\): make room and run again"):
                await bring(server, target)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not target.exists()


async def test_who_is_cancelled_while_a_piece_is_written_leaves_each_byte_once_and_nothing_that_writes_on(
    tmp_path: Path,
) -> None:
    media = random.Random(2).randbytes(64 * 2**20)
    loop, target = asyncio.get_running_loop(), tmp_path / "result.mp4"

    @contextlib.asynccontextmanager
    async def content(at: int, validator: str | None) -> AsyncIterator[Content]:
        async def pieces() -> AsyncIterator[bytes]:
            yield media

        yield Content(0, len(media), ETAG, pieces())

    def cancel_soon(came: int, total: int | None) -> None:
        # The piece is handed to the disk first, which takes longer than the way back to us. Told twice, as by a
        # second signal.
        loop.call_soon(fetching.cancel)
        loop.call_soon(loop.call_soon, fetching.cancel)

    fetching = asyncio.create_task(fetch(content, target, job_id="job-1", on_bytes=cancel_soon))
    with pytest.raises(asyncio.CancelledError):
        await fetching
    assert (tmp_path / "result.mp4.part").read_bytes() == media
    assert not target.exists()
