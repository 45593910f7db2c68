"""What models' names stand for: asked of the queue once in a run, before anything is bought."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from scripted import answer, scripted

from flows.restyle import restyle
from reelflow.errors import QueueRefused

pytestmark = pytest.mark.usefixtures("prefect_server")


async def test_a_name_is_asked_about_again_where_the_queue_is_busy_and_not_before_it_says(
    clip: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    said = (answer(429, Retry_After="1"), answer(503), answer(200, '{"model": "lucy-restyle-2"}'))
    async with scripted(*said) as server:
        monkeypatch.setenv("DECART_BASE_URL", server.url)
        monkeypatch.setenv("DECART_API_KEY", "key-of-the-test")
        told = await restyle(str(clip), prompt="noir", estimate=True)
    assert (told["status"], len(server.asked)) == ("estimated", 3)
    for waited in ("is busy (429). Asking again in 1.0 s.", "is busy (503). Asking again in 2.0 s."):
        assert waited in caplog.text


async def test_a_model_s_own_name_needs_no_answer_and_a_rolling_one_does(
    clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rolling = "lucy-restyle-latest"
    monkeypatch.setenv("DECART_API_KEY", "key-of-the-test")
    async with scripted(answer(404)) as server:
        monkeypatch.setenv("DECART_BASE_URL", server.url)
        assert (await restyle(str(clip), prompt="noir", estimate=True))["status"] == "estimated"
        for rows in ({}, {rolling: {"like": "lucy-restyle-2"}}):
            monkeypatch.setenv("REELFLOW_MODELS", json.dumps(rows))
            with pytest.raises(QueueRefused, match=f"what the model {rolling} stands for now"):
                await restyle(str(clip), prompt="noir", model=rolling, estimate=True)
    async with scripted(answer(200, "<html>")) as server:
        monkeypatch.setenv("DECART_BASE_URL", server.url)
        with pytest.raises(QueueRefused, match="did not answer readably"):
            await restyle(str(clip), prompt="noir", estimate=True)
