"""Edit a long clip with Decart's SDK in segments, one after another, and join what comes back.

    DECART_API_KEY=… python segments.py clip.mp4 edited.mp4 --seconds 60 --segment 5 --prompt "film noir"
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


def ffmpeg(*arguments: str) -> None:
    subprocess.run([FFMPEG, "-y", "-v", "error", *arguments], check=True)


async def edit_segment(client: DecartClient, sent: Path, prompt: str, edited: Path) -> None:
    result = await client.queue.submit_and_poll({"model": models.video(MODEL), "prompt": prompt, "data": sent})
    if result.status != "completed":
        raise SystemExit(f"The job failed: {result.error}")
    edited.write_bytes(result.data)


async def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("clip")
    options.add_argument("output")
    options.add_argument("--seconds", type=float, required=True)
    options.add_argument("--segment", type=float, default=5)
    options.add_argument("--prompt", required=True)
    options.add_argument("--size", default="640x360", help="the clip's own size")
    options.add_argument("--fps", default="30", help="the clip's own rate")
    asked = options.parse_args()
    base_url = os.environ.get("DECART_BASE_URL", "https://api.decart.ai")
    encode = ["-c:v", "libx264", "-preset", "medium", "-crf", "18", "-pix_fmt", "yuv420p"]

    with tempfile.TemporaryDirectory() as folder:
        names = []
        async with DecartClient(api_key=os.environ["DECART_API_KEY"], base_url=base_url) as client:
            for number in range(round(asked.seconds / asked.segment)):
                span = ["-ss", str(number * asked.segment), "-t", str(asked.segment)]
                sent, edited = Path(folder, f"sent{number}.mp4"), Path(folder, f"edited{number}.mp4")
                finished = Path(folder, f"finished{number}.mp4")
                ffmpeg(*span, "-i", asked.clip, "-an", "-vf", f"fps={FPS},scale={WIDTH}:{HEIGHT}", *encode,
                       "-movflags", "+faststart", str(sent))
                await edit_segment(client, sent, asked.prompt, edited)
                ffmpeg("-i", str(edited), "-vf", f"scale={asked.size.replace('x', ':')},fps={asked.fps}", *encode,
                       str(finished))
                names.append(f"file '{finished}'")
        listed = Path(folder, "list.txt")
        listed.write_text("\n".join(names))
        ffmpeg("-f", "concat", "-safe", "0", "-i", str(listed), "-i", asked.clip, "-map", "0:v", "-map", "1:a",
               "-c", "copy", "-movflags", "+faststart", asked.output)


if __name__ == "__main__":
    asyncio.run(main())
