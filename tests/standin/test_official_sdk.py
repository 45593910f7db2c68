"""The official SDK, unchanged, against the stand-in."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from asking import Media, decode
from decart import DecartClient, models
from decart.errors import ProcessingError, QueueStatusError, QueueSubmitError
from PIL import Image

from reelflow.standin.server import StandIn, running_standin


@pytest.fixture
async def sdk(standin: StandIn) -> AsyncIterator[DecartClient]:
    async with DecartClient(api_key="any", base_url=standin.url) as client:
        yield client


async def test_submit_and_poll(sdk: DecartClient, media: Media) -> None:
    seen: list[str] = []
    result = await sdk.queue.submit_and_poll({
        "model": models.video("lucy-restyle-2"), "prompt": "anime", "data": media.film, "seed": 5,
        "enhance_prompt": True, "on_status_change": lambda job: seen.append(job.status),
    })
    assert result.status == "completed"
    assert (seen[0], seen[-1]) == ("pending", "completed")
    assert decode(result.data).size == (1280, 704)


async def test_submit_status_and_result(sdk: DecartClient, standin: StandIn, media: Media) -> None:
    job = await sdk.queue.submit({
        "model": models.video("lucy-2.5"), "prompt": "", "data": media.film.read_bytes(),
        "reference_image": media.red, "enhance_prompt": False,
    })
    assert job.status == "pending"
    while (status := (await sdk.queue.status(job.job_id)).status) != "completed":
        assert status in ("pending", "processing")
    assert len(decode(await sdk.queue.result(job.job_id)).frames) == 8
    [received] = standin.received
    sent = {part.name: (part.text, part.filename) for part in received.parts}
    assert sent["prompt"] == ("", None)
    assert sent["enhance_prompt"] == ("False", None)
    assert sent["data"] == (None, "data")


async def test_an_image_edit(sdk: DecartClient, media: Media) -> None:
    edited = await sdk.process({
        "model": models.image("lucy-image-2"), "prompt": "watercolour", "data": media.still.open("rb"),
    })
    with Image.open(io.BytesIO(edited)) as picture:
        assert picture.size == (1280, 704)


async def test_what_breaks_a_rule_is_422(sdk: DecartClient, standin: StandIn, media: Media) -> None:
    with pytest.raises(QueueSubmitError, match=r"422.*body.*data"):
        await sdk.queue.submit({"model": models.video("lucy-2.5"), "prompt": "x", "data": b"not a film"})
    with pytest.raises(ProcessingError, match="422"):
        await sdk.process({"model": models.image("lucy-image-2"), "prompt": "x", "data": media.film})
    assert standin.jobs_made == 0


async def test_a_wrong_key_is_401(work_dir: Path, ffmpeg: Path, media: Media) -> None:
    async with (
        running_standin(work_dir, ffmpeg=ffmpeg, api_key="right") as running,
        DecartClient(api_key="wrong", base_url=running.url) as sdk,
    ):
        with pytest.raises(QueueSubmitError, match="401"):
            await sdk.queue.submit({"model": models.video("lucy-2.5"), "prompt": "x", "data": media.film})
        with pytest.raises(QueueStatusError, match="401"):
            await sdk.queue.status("job_1")
