"""Edit every clip of a folder with Decart's SDK, many at a time: `python many_clips.py CLIPS MADE --at-once 50`."""

import argparse
import asyncio
import json
import os
import resource
import tempfile
from pathlib import Path

from decart import DecartClient, models

FFMPEG = os.environ.get("FFMPEG", "ffmpeg")
MODEL, FPS = "lucy-2.5", 20
ENCODE = ["-c:v", "libx264", "-preset", "medium", "-crf", "18", "-pix_fmt", "yuv420p"]


async def ffmpeg(turn: asyncio.Semaphore, *arguments: str) -> None:
    async with turn:
        process = await asyncio.create_subprocess_exec(FFMPEG, "-y", "-v", "error", *arguments)
        if await process.wait() != 0:
            raise SystemExit("ffmpeg failed")


async def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("clips", type=Path)
    options.add_argument("made", type=Path)
    options.add_argument("--at-once", type=int, default=10)
    options.add_argument("--size", default="1280x720", help="what is sent")
    asked = options.parse_args()
    base_url = os.environ.get("DECART_BASE_URL", "https://api.decart.ai")
    size = asked.size.replace("x", ":")
    turn, jobs = asyncio.Semaphore(os.cpu_count() or 1), asyncio.Semaphore(asked.at_once)

    with tempfile.TemporaryDirectory() as folder:
        async with DecartClient(api_key=os.environ["DECART_API_KEY"], base_url=base_url) as client:

            async def edit(clip: Path) -> None:
                sent, edited = Path(folder, f"sent-{clip.name}"), Path(folder, f"edited-{clip.name}")
                await ffmpeg(turn, "-i", str(clip), "-an", "-vf", f"fps={FPS},scale={size}", *ENCODE, str(sent))
                async with jobs:
                    result = await client.queue.submit_and_poll(
                        {"model": models.video(MODEL), "prompt": f"film noir {clip.stem}", "data": sent}
                    )
                if result.status != "completed":
                    raise SystemExit(f"The job failed: {result.error}")
                edited.write_bytes(result.data)
                await ffmpeg(turn, "-i", str(edited), "-i", str(clip), "-map", "0:v", "-map", "1:a", "-vf",
                             "fps=30", *ENCODE, "-c:a", "copy", "-movflags", "+faststart",
                             str(asked.made / clip.name))

            await asyncio.gather(*(edit(clip) for clip in sorted(asked.clips.glob("*.mp4"))))
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(json.dumps({"film_cpu": used.ru_utime + used.ru_stime}))


if __name__ == "__main__":
    asyncio.run(main())
