"""A run needs few clients for Prefect's server."""

from __future__ import annotations

from typing import Any

import pytest
from prefect.client.orchestration import get_client

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
