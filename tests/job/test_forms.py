"""Forms over connections of their own: by TLS, through a tunnel, and what came before a connection broke."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import ssl
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from scripted import answer, reset, scripted, then

from reelflow.errors import BadInput, QueueFault, QueueUnreachable
from reelflow.job.client import QueueClient
from reelflow.job.form import Form
from reelflow.job.wire import Wish
from reelflow.models import ModelTable

MODEL = ModelTable.standard()["lucy-2.5"]
ACCEPTED = answer(200, '{"job_id": "job-1", "status": "pending"}', Connection="close")


@pytest.fixture
def wish(tmp_path: Path) -> Wish:
    film = tmp_path / "film.mp4"
    film.write_bytes(os.urandom(3_000_000))
    return Wish(MODEL, film, prompt="x")


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate of 127.0.0.1 and queue.invalid that only itself vouches for, and its key."""
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=reelflow", "-addext", "subjectAltName=IP:127.0.0.1,DNS:queue.invalid", "-keyout", key,
         "-out", certificate], check=True, capture_output=True,
    )
    return certificate, key


@contextlib.asynccontextmanager
async def queue_by_tls(certificate: tuple[Path, Path]) -> AsyncIterator[tuple[int, list[bytes]]]:
    """A queue that takes each form; its port, and the forms."""
    forms: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = next(int(line.partition(":")[2]) for line in head.split("\r\n")
                          if line.lower().startswith("content-length"))
            forms.append(await reader.readexactly(length))
            writer.write(ACCEPTED)
            await writer.drain()
        writer.close()

    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(*certificate)
    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls) as server:
        yield server.sockets[0].getsockname()[1], forms


@contextlib.asynccontextmanager
async def tunnel_to(port: int) -> AsyncIterator[tuple[str, list[str]]]:
    """A proxy that leads each connection there, wherever it should go; its address, and the heads that it read."""
    heads: list[str] = []

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(65_536):
            writer.write(piece)
            await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            await asyncio.gather(pass_on(reader, far_writer), pass_on(far_reader, writer))

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"http://me:se%3Acret@127.0.0.1:{server.sockets[0].getsockname()[1]}", heads


async def test_a_form_leaves_by_tls_to_a_queue_that_is_vouched_for_and_to_no_other(
    wish: Wish, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with queue_by_tls(certificate) as (port, forms):
        async with QueueClient(f"https://127.0.0.1:{port}", SecretStr("k")) as client:
            with pytest.raises(QueueUnreachable, match=r"certificate.*nothing was bought"):
                await client.submit(wish)
        assert not forms
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
        async with QueueClient(f"https://127.0.0.1:{port}", SecretStr("k")) as client:
            assert (await client.submit(wish)).job_id == "job-1"
        assert wish.source.read_bytes() in forms[0]


async def test_a_form_leaves_through_the_tunnel_of_a_proxy_that_wants_a_name(
    wish: Wish, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    async with queue_by_tls(certificate) as (port, forms), tunnel_to(port) as (proxy, heads):
        monkeypatch.setenv("https_proxy", proxy)
        async with QueueClient("https://queue.invalid", SecretStr("k")) as client:
            assert (await client.submit(wish)).job_id == "job-1"
    assert wish.source.read_bytes() in forms[0]
    assert heads[0].startswith("CONNECT queue.invalid:443 ")
    assert base64.b64encode(b"me:se:cret").decode() in heads[0]
    assert "X-API-KEY" not in heads[0], "the key is for the queue alone"


async def test_a_job_s_id_that_came_before_the_connection_broke_is_not_lost(wish: Wish) -> None:
    async with scripted(then(ACCEPTED, reset)) as server, QueueClient(server.url, SecretStr("k")) as client:
        assert (await client.submit(wish)).job_id == "job-1"
        assert len(server.asked) == 1


async def test_each_form_has_a_connection_of_its_own_and_leaves_none_behind(wish: Wish) -> None:
    kept = answer(200, '{"job_id": "job-1", "status": "pending"}')
    async with (
        scripted(kept) as server,
        QueueClient(server.url, SecretStr("k"), max_connections=2) as client,
    ):
        await asyncio.gather(*(client.submit(wish) for _ in range(5)))
        assert server.connections == len(server.asked) == 5


async def test_a_form_is_the_same_where_the_system_can_t_say_what_is_in_memory(
    wish: Wish, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def body() -> bytes:
        form = Form(wish)
        whole = b"".join([piece async for piece in form])
        assert len(whole) == form.length
        return whole.replace(form.headers["Content-Type"].partition("boundary=")[2].encode(), b"")

    known = await body()
    monkeypatch.delattr(os, "RWF_NOWAIT", raising=False)
    assert await body() == known


async def test_an_address_that_can_t_be_one_is_told_in_a_sentence(wish: Wish) -> None:
    for bad in ("http://127.0.0.1:99999", "http://ü" + "x" * 70):
        with pytest.raises(BadInput, match="check DECART_BASE_URL"):
            QueueClient(bad, SecretStr("k"))
    async with QueueClient("http://a..b", SecretStr("k")) as client:
        with pytest.raises(QueueUnreachable, match="nothing was bought"):
            await client.submit(wish)


async def test_a_proxy_that_takes_a_connection_and_says_nothing_is_given_up(
    wish: Wish, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(say_nothing, "127.0.0.1", 0) as proxy:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.sockets[0].getsockname()[1]}")
        async with (
            asyncio.timeout(30),
            QueueClient("https://queue.invalid", SecretStr("k"), connect_timeout=0.2, read_timeout=0.2) as client,
        ):
            with pytest.raises(QueueFault, match="could not be reached"):
                await client.status("job-1")
            with pytest.raises(QueueUnreachable, match="nothing was bought"):
                await client.submit(wish)
