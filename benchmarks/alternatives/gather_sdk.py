"""Edit a clip so many times at once with Decart's SDK: `python gather_sdk.py clip.mp4 FOLDER COUNT`."""

import asyncio
import json
import os
import sys
import time
from pathlib import Path

from decart import DecartClient, models


async def edit_all(clip: Path, folder: Path, count: int) -> None:
    base_url = os.environ.get("DECART_BASE_URL", "https://api.decart.ai")
    async with DecartClient(api_key=os.environ["DECART_API_KEY"], base_url=base_url) as client:

        async def edit(number: int) -> None:
            result = await client.queue.submit_and_poll(
                {"model": models.video("lucy-2.5"), "prompt": f"film noir {number}", "data": clip}
            )
            (folder / f"{number}.mp4").write_bytes(result.data)

        await asyncio.gather(*(edit(number) for number in range(count)))


if __name__ == "__main__":
    began, used = time.perf_counter(), time.process_time()
    asyncio.run(edit_all(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])))
    print(json.dumps({"wall": time.perf_counter() - began, "cpu": time.process_time() - used}))
