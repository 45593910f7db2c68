"""Forms over connections of their own: by TLS, through a tunnel, and what came before a connection broke."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from scripted import Act, answer, hang, hang_up, reset, scripted, stall, then

from reelflow.errors import BadInput, QueueFault, QueueUnreachable, ReelflowError, SubmitUnknown
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


@pytest.mark.parametrize("first", [b"HTTP/1.1 100 Continue", b"HTTP/1.1 103 Early Hints", b""])
async def test_a_queue_that_says_no_more_than_that_it_goes_on_is_waited_for_as_long_as_one_that_is_silent(
    wish: Wish, first: bytes
) -> None:
    said = then(first + b"\r\n\r\n" if first else b"", hang)
    async with (
        asyncio.timeout(20), scripted(said) as server,
        QueueClient(server.url, SecretStr("k"), connect_timeout=0.2, read_timeout=0.2) as client,
    ):
        with pytest.raises(SubmitUnknown, match="no byte of an answer in time"):
            await client.submit(wish)
        with pytest.raises(QueueFault, match="no byte of an answer in time"):
            await client.status("job-1")


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells what a process has open")
@pytest.mark.parametrize("act", [stall, reset, hang_up])
async def test_a_form_that_did_not_leave_whole_leaves_neither_its_file_nor_its_connection_open(
    act: Act, tmp_path: Path
) -> None:
    large = tmp_path / "large.mp4"
    with large.open("wb") as file:
        file.truncate(64 * 2**20)
    wish = Wish(MODEL, large, prompt="x")
    async with (
        scripted(act, read_body=False) as server, QueueClient(server.url, SecretStr("k"), write_timeout=0.2) as client,
    ):
        with pytest.raises(QueueUnreachable, match="nothing was bought"):
            await client.submit(wish)
        cancelled = asyncio.create_task(client.submit(wish))
        while server.connections < 2:
            await asyncio.sleep(0.01)
        cancelled.cancel()
        with pytest.raises((asyncio.CancelledError, ReelflowError)):
            await cancelled
        async with asyncio.timeout(5):
            while large in open_files() or connections_to(server.url):
                await asyncio.sleep(0.01)


async def test_a_client_that_is_closed_while_a_form_stands_still_does_not_wait_for_it(tmp_path: Path) -> None:
    large = tmp_path / "large.mp4"
    with large.open("wb") as file:
        file.truncate(64 * 2**20)
    gone, seen = [0], -1
    async with scripted(stall, read_body=False) as server, asyncio.timeout(20):
        async with QueueClient(server.url, SecretStr("k")) as client:
            sending = asyncio.create_task(client.submit(
                Wish(MODEL, large, prompt="x"), on_bytes=lambda came, _: gone.append(came)))
            while not gone[-1] or gone[-1] != seen:
                seen = gone[-1]
                await asyncio.sleep(0.05)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)


async def test_an_answer_that_is_cut_off_in_its_head_is_told_without_what_came_of_it(wish: Wish) -> None:
    cut = then(b"HTTP/1.1 200 OK\r\nX-Echo: such-a-secret\r\n", hang_up)
    async with scripted(cut) as server, QueueClient(server.url, SecretStr("such-a-secret")) as client:
        with pytest.raises(SubmitUnknown, match=r"no answer came \(it hung up before it answered\)"):
            await client.submit(wish)
        with pytest.raises(QueueFault, match=r"\(it hung up before it answered\)"):
            await client.status("job-1")


async def test_an_address_goes_out_as_the_wire_has_it_whatever_is_written_in_it(wish: Wish) -> None:
    async with scripted(ACCEPTED) as server, QueueClient(f"{server.url}/a b/ä/", SecretStr("k")) as client:
        assert (await client.submit(wish)).job_id == "job-1"
        assert client.identity == f"{server.url}/a b/ä", "as it was written: the ledger knows the queue by it"
    assert server.asked[0].path.startswith("/a%20b/%C3%A4/v1/jobs/")


@pytest.mark.parametrize("bad", [
    "ftp://me:secret@queue.invalid", "http://[::1", "http://me:secret@queue.invalid:99999", "queue.invalid",
])
def test_an_address_that_no_form_could_go_to_is_refused(bad: str) -> None:
    with pytest.raises(BadInput, match="DECART_BASE_URL") as refused:
        QueueClient(bad, SecretStr("k"))
    assert "secret" not in refused.value.message


@pytest.mark.parametrize("bad", ["http://me:secret@proxy.invalid:99999", "http://me:secret@proxy.invalid:abc", "http://"])
def test_a_proxy_that_can_t_be_read_is_refused_and_its_password_is_not_shown(
    bad: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", bad)
    with pytest.raises(BadInput, match="names can't be read") as refused:
        QueueClient("https://queue.invalid", SecretStr("k"))
    assert "secret" not in refused.value.message


async def test_certificates_are_those_of_the_file_or_folder_that_the_environment_names(
    wish: Wish, certificate: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/certificates.pem")
    with pytest.raises(BadInput, match=r"/nowhere/certificates\.pem can't be read"):
        QueueClient("https://queue.invalid", SecretStr("k"))
    monkeypatch.delenv("SSL_CERT_FILE")
    named = subprocess.run(["openssl", "x509", "-hash", "-noout", "-in", certificate[0]],
                           capture_output=True, text=True, check=True).stdout.strip()
    folder = tmp_path / "trusted"
    folder.mkdir()
    (folder / f"{named}.0").write_bytes(certificate[0].read_bytes())
    monkeypatch.setenv("SSL_CERT_DIR", str(folder))
    async with (
        queue_by_tls(certificate) as (port, _), QueueClient(f"https://127.0.0.1:{port}", SecretStr("k")) as client,
    ):
        assert (await client.submit(wish)).job_id == "job-1"


def open_files() -> set[Path]:
    """The files that this process has open."""
    return {link.readlink() for link in _open()}


def connections_to(url: str) -> int:
    """How many connections this process has open to a server."""
    port, found = int(url.rpartition(":")[2]), 0
    for link in _open():
        if str(link.readlink()).startswith("socket:"):
            with contextlib.suppress(OSError), socket.socket(fileno=os.dup(int(link.name))) as one:
                peer = one.getpeername()
                found += isinstance(peer, tuple) and peer[1] == port
    return found


def _open() -> list[Path]:
    return [link for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
