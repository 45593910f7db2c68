"""Send a clip with Decart's SDK and write its result: `python bulk_sdk.py clip.mp4 result.mp4`."""

import asyncio
import os
import sys
from pathlib import Path

from decart import DecartClient, models


async def edit(clip: Path, target: Path) -> None:
    base_url = os.environ.get("DECART_BASE_URL", "https://api.decart.ai")
    async with DecartClient(api_key=os.environ["DECART_API_KEY"], base_url=base_url) as client:
        result = await client.queue.submit_and_poll(
            {"model": models.video("lucy-2.5"), "prompt": "film noir", "data": clip}
        )
    target.write_bytes(result.data)


if __name__ == "__main__" and sys.argv[1] != "--idle":
    asyncio.run(edit(Path(sys.argv[1]), Path(sys.argv[2])))
