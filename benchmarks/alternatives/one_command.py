"""Edit a clip with Decart's SDK, with one ffmpeg command before and one after.

    DECART_API_KEY=… python one_command.py clip.mp4 edited.mp4 --start 1 --duration 10 --prompt "film noir"
"""

import argparse
import asyncio
import os
import subprocess
import tempfile
from pathlib import Path

from decart import DecartClient, models

FFMPEG = os.environ.get("FFMPEG", "ffmpeg")
MODEL, WIDTH, HEIGHT, FPS = "lucy-2.5", 1280, 720, 20


def encoder(asked: str) -> list[str]:
    preset, crf, *more = asked.split(",")
    options = ["-c:v", "libx264", "-preset", preset, "-crf", crf, "-pix_fmt", "yuv420p"]
    return options + (["-x264-params", *more] if more else [])


def ffmpeg(*arguments: str) -> None:
    subprocess.run([FFMPEG, "-y", "-v", "error", *arguments], check=True)


async def edit(sent: Path, prompt: str, edited: Path) -> None:
    base_url = os.environ.get("DECART_BASE_URL", "https://api.decart.ai")
    async with DecartClient(api_key=os.environ["DECART_API_KEY"], base_url=base_url) as client:
        result = await client.queue.submit_and_poll(
            {"model": models.video(MODEL), "prompt": prompt, "data": sent}
        )
    if result.status != "completed":
        raise SystemExit(f"The job failed: {result.error}")
    edited.write_bytes(result.data)


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("clip")
    options.add_argument("output")
    options.add_argument("--start", default="0")
    options.add_argument("--duration", required=True)
    options.add_argument("--prompt", required=True)
    options.add_argument("--size", default="1920x1080", help="the clip's own size")
    options.add_argument("--fps", default="30", help="the clip's own rate")
    options.add_argument("--sent", default="medium,18", help="preset, crf[, x264-params] of what is sent")
    options.add_argument("--finished", default="medium,18", help="preset, crf[, x264-params] of the output")
    asked = options.parse_args()
    span = ["-ss", asked.start, "-t", asked.duration]

    with tempfile.TemporaryDirectory() as folder:
        sent, edited = Path(folder, "sent.mp4"), Path(folder, "edited.mp4")
        ffmpeg(*span, "-i", asked.clip, "-an", "-vf", f"fps={FPS},scale={WIDTH}:{HEIGHT}", *encoder(asked.sent),
               "-movflags", "+faststart", str(sent))
        asyncio.run(edit(sent, asked.prompt, edited))
        ffmpeg("-i", str(edited), *span, "-i", asked.clip, "-map", "0:v", "-map", "1:a",
               "-vf", f"scale={asked.size.replace('x', ':')},fps={asked.fps}", *encoder(asked.finished), "-c:a", "aac",
               "-movflags", "+faststart", asked.output)


if __name__ == "__main__":
    main()
