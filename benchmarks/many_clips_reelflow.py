"""Reelflow's side of `many_clips`: every clip of a folder over the plain library, a bounded number at a time."""

import asyncio
import json
import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Literal

from benchmarks.plain import edit
from tasks.run import open_run


class Counted(asyncio.Semaphore):
    """A semaphore that knows how long it was held, in seconds for each of its places."""

    def __init__(self, places: int) -> None:
        super().__init__(places)
        self._places, self._busy, self._since, self.held = places, 0, 0.0, 0.0

    async def acquire(self) -> Literal[True]:
        """Take a place."""
        await super().acquire()
        self._count(1)
        return True

    def release(self) -> None:
        """Give a place back."""
        self._count(-1)
        super().release()

    def _count(self, more: int) -> None:
        now = time.perf_counter()
        self.held += (now - self._since) * self._busy / self._places
        self._busy, self._since = self._busy + more, now


async def edit_all(clips: Path, made: Path) -> dict[str, float]:
    """Edit every clip; the films are called as the clips are."""
    async with open_run() as opened:
        encoding, window = Counted(os.cpu_count() or 1), asyncio.Semaphore(2 * opened.settings.jobs_at_once)
        run = replace(opened, encoding=encoding)

        async def one(clip: Path) -> None:
            async with window:
                await edit(run, clip, made / clip.name, model="lucy-2.5", prompt=f"film noir {clip.stem}")

        await asyncio.gather(*(one(clip) for clip in sorted(clips.glob("*.mp4"))))
    return {"film_work": encoding.held}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(edit_all(Path(sys.argv[1]), Path(sys.argv[2])))))
