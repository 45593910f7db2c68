"""A run needs few clients for Prefect's server."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path
from typing import Any

import certifi
import pytest
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_KEY, PREFECT_API_SSL_CERT_FILE, temporary_settings

from flows import started

pytestmark = pytest.mark.usefixtures("prefect_server")


async def test_all_of_a_run_and_of_runs_within_it_share_one_client_of_each_kind() -> None:
    seen: list[tuple[Any, Any]] = []

    @started.flow(flow_run_name="inner {depth}")
    async def whole(depth: int) -> None:
        seen.append((get_client(), get_client(sync_client=True)))
        if depth:
            await whole(depth - 1)
        seen.append((get_client(), get_client(sync_client=True)))

    await whole(1)
    assert len({id(client) for client, _ in seen}) == len({id(client) for _, client in seen}) == 1
    await whole(0)
    assert len({id(client) for client, _ in seen}) == 2


async def test_they_bring_the_key_and_trust_whom_prefect_s_settings_name(tmp_path: Path) -> None:
    seen: list[Any] = []

    @started.flow()
    async def whole() -> None:
        seen.extend((get_client(), get_client(sync_client=True)))

    own = tmp_path / "own.pem"
    own.write_text(Path(certifi.where()).read_text("utf-8"), "utf-8")
    with temporary_settings({PREFECT_API_KEY: "a key", PREFECT_API_SSL_CERT_FILE: str(own)}):
        await whole()
    assert [client._client.headers["Authorization"] for client in seen] == ["Bearer a key"] * 2
    with temporary_settings({PREFECT_API_SSL_CERT_FILE: str(tmp_path / "none.pem")}), pytest.raises(FileNotFoundError):
        await whole()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process from a later one of its number")
async def test_a_run_that_is_killed_leaves_no_server_behind_that_holds_its_output_open() -> None:
    program = (
        "import asyncio; from flows import started\n"
        "@started.flow()\n"
        "async def whole():\n"
        "    print('on', flush=True)\n"
        "    await asyncio.Event().wait()\n"
        "asyncio.run(whole())"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        env={name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"}, start_new_session=True,
    )
    assert process.stdout is not None
    try:
        assert await process.stdout.readline() == b"on\n"
        process.kill()
        assert await asyncio.wait_for(process.stdout.read(), 30) == b""
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
