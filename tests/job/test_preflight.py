"""What is asked of a queue before a run is started."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr
from scripted import answer, scripted

from reelflow.errors import QueueRefused
from reelflow.preflight import check_queue
from reelflow.settings import Settings


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_queue_that_is_there_and_stumbles_or_is_busy_is_left_to_the_run(status: int, tmp_path: Path) -> None:
    async with scripted(answer(status)) as server:
        settings = Settings(base_url=server.url, api_key=SecretStr("k"), work_dir=tmp_path)
        for model in ("lucy-restyle-2", "lucy-restyle-latest"):
            trouble = await check_queue(settings, model)
            assert trouble is not None and str(status) in trouble.message


async def test_a_queue_that_can_t_resolve_names_serves_models_and_refuses_rolling_names(tmp_path: Path) -> None:
    async with scripted(answer(404)) as server:
        settings = Settings(base_url=server.url, api_key=SecretStr("k"), work_dir=tmp_path)
        await check_queue(settings, "lucy-restyle-2")
        with pytest.raises(QueueRefused, match="what the model lucy-restyle-latest stands for now"):
            await check_queue(settings, "lucy-restyle-latest")
