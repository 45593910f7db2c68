"""Asking a stand-in over HTTP, and looking at what it sends back."""

from __future__ import annotations

import asyncio
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import httpx
import numpy as np

from reelflow.models import Kind, Model, ModelTable
from reelflow.standin.server import StandIn

KEY = {"X-API-KEY": "any key"}
MODELS = ModelTable.standard().with_rows({
    "small": Model("small", Kind.EDIT, 544, 312, 20),
    "small-restyle": Model("small-restyle", Kind.RESTYLE, 544, 312, 22),
    "small-tryon": Model("small-tryon", Kind.TRYON, 544, 312, 20),
})
"""The real models, and small ones for what does not depend on the frame: they render in a quarter of the time."""


@dataclass(frozen=True, slots=True)
class Media:
    """Test media: `film` is 0.4 s of 192x108 at 25, `tall` the same on end, `still` a picture whose red is x and
    whose green is y, `red` one of a single colour, `garment` a shape before white, `sound` no film at all."""

    film: Path
    tall: Path
    still: Path
    red: Path
    garment: Path
    sound: Path


def client_of(standin: StandIn) -> httpx.AsyncClient:
    """A client of the stand-in's with a key."""
    return httpx.AsyncClient(base_url=standin.url, headers=KEY, timeout=30)


async def submit(
    http: httpx.AsyncClient, model: str, source: Path, *, reference: Path | None = None, **fields: str
) -> httpx.Response:
    """Post a job's form."""
    files: dict[str, Any] = {"data": ("data", source.read_bytes(), "application/octet-stream")}
    if reference is not None:
        files["reference_image"] = ("reference_image", reference.read_bytes(), "application/octet-stream")
    return await http.post(f"/v1/jobs/{model}", data=fields, files=files)


async def ended(http: httpx.AsyncClient, job_id: str) -> str:
    """The job's last status."""
    async with asyncio.timeout(60):
        while True:
            status: str = (await http.get(f"/v1/jobs/{job_id}")).json()["status"]
            if status in ("completed", "failed"):
                return status
            await asyncio.sleep(0.05)


async def generate(http: httpx.AsyncClient, model: str, source: Path, **fields: Any) -> bytes:
    """Submit, wait, fetch."""
    answer = await submit(http, model, source, **fields)
    assert answer.status_code == 200, answer.text
    job_id = answer.json()["job_id"]
    assert await ended(http, job_id) == "completed"
    content = await http.get(f"/v1/jobs/{job_id}/content")
    assert content.status_code == 200
    return content.content


@dataclass(frozen=True, slots=True)
class Film:
    """A decoded film: frames as arrays of height x width x red, green, blue."""

    frames: list[np.ndarray]
    rate: float
    tracks: list[str]
    seconds: float
    comment: str
    colour: tuple[int, int, int]
    times: list[float]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        height, width, _ = self.frames[0].shape
        return width, height


def decode(content: bytes) -> Film:
    """A film's frames and facts."""
    with av.open(io.BytesIO(content)) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        frames = list(container.decode(stream))
        assert stream.average_rate is not None
        assert stream.duration is not None
        assert stream.time_base is not None
        return Film(
            [frame.to_ndarray(format="rgb24") for frame in frames], float(stream.average_rate),
            [each.type for each in container.streams], float(stream.duration * stream.time_base),
            container.metadata.get("comment", ""),
            (context.colorspace, context.color_primaries, context.color_trc), [frame.time or 0.0 for frame in frames],
        )
