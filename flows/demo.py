"""The flow `demo`: the sample clip through three of the five jobs."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.runtime import flow_run

from flows.edit import edit
from flows.motion import motion
from flows.restyle import restyle
from reelflow.media.run import find_ffmpeg
from reelflow.media.sample import sample_film, sample_picture
from reelflow.settings import read_settings


@flow
async def demo(folder: str) -> dict[str, Any]:
    """Draw a sample clip with sound, restyle it, edit it, and animate a still of it.

    Args:
        folder: Where the films and pictures go.
    """
    settings = read_settings()
    ffmpeg = find_ffmpeg(settings.ffmpeg)
    target = Path(folder)
    film, still = target / "sample.mp4", target / "sample.png"
    await asyncio.to_thread(shutil.copyfile, await sample_film(settings.work_dir, ffmpeg=ffmpeg), film)
    await asyncio.to_thread(shutil.copyfile, await sample_picture(settings.work_dir, ffmpeg=ffmpeg), still)
    films = [
        await restyle(str(film), prompt="watercolour on rough paper, soft edges", seed=7,
                      output=str(target / "restyled.mp4"), overwrite=True),
        await edit(str(film), prompt="light snow falls", seed=7, output=str(target / "edited.mp4"), overwrite=True),
        await motion(str(still), preset="arc", seed=7, output=str(target / "animated.mp4"), overwrite=True),
    ]
    return {"flow_run_id": flow_run.id, "films": films}
