"""Reelflow's side of `many_clips`: every clip of a folder over the plain library, begun together; how many are encoded
and on the queue at a time the run bounds.
"""

import asyncio
import json
import resource
import sys
from pathlib import Path

from benchmarks.plain import edit
from tasks.run import open_run


async def edit_all(clips: Path, made: Path) -> dict[str, float]:
    """Edit every clip; the films are called as the clips are. Gives the CPU seconds of ffmpeg."""
    async with open_run() as run:
        await asyncio.gather(*(
            edit(run, clip, made / clip.name, model="lucy-2.5", prompt=f"film noir {clip.stem}")
            for clip in sorted(clips.glob("*.mp4"))
        ))
    # The child that probes is not waited for, and so not counted: a script has no such thing.
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {"film_cpu": used.ru_utime + used.ru_stime}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(edit_all(Path(sys.argv[1]), Path(sys.argv[2])))))
