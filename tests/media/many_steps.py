"""A recipe of models and media steps, run without a queue: what stands for the models encodes what it is sent anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reelflow.compile import Known, compile_recipe
from reelflow.media.drawing import Take
from reelflow.media.finish import finish
from reelflow.media.media_step import Given
from reelflow.media.prepare import prepare
from reelflow.media.probe import Probe, probe
from reelflow.media.run import run_ffmpeg
from reelflow.media.segment import read_take
from reelflow.model_row import parse_row
from reelflow.models import ModelTable
from reelflow.plan import How, Plan
from reelflow.preflight import probe_files
from reelflow.recipe import parse_recipe

MODELS = ModelTable.standard().with_rows({
    name: parse_row(name, row) for name, row in {
        "small": {"like": "lucy-restyle-2", "width": 256, "height": 144},
        "smaller": {"like": "lucy-2.5", "width": 192, "height": 112},
    }.items()
})


@dataclass(frozen=True)
class Ran:
    """What came of it: the plan, the first file with its facts, how many encodes it took, analyses apart, and what the
    last said.
    """

    plan: Plan
    path: Path
    film: Probe
    encodes: int
    warnings: tuple[str, ...]


async def run_recipe(
    steps: Sequence[Any], source: Path, folder: Path, *, ffmpeg: Path, outputs: Sequence[Any] = ()
) -> Ran:
    """Compile and run it in `folder`; a job of a film that goes out as it came is sent that."""
    folder.mkdir(parents=True, exist_ok=True)
    recipe = parse_recipe({"name": "made", "steps": list(steps), "outputs": list(outputs)})
    plan = compile_recipe(recipe, await probe(source), Known(MODELS, await probe_files(recipe)))
    given, takes, encodes = Given(plan.files, folder / "steps"), dict[int, Take](), 0
    for job in plan.jobs:
        sent = folder / f"sent-{job.number}.mp4"
        if job.prepare.how is How.AS_IT_IS:
            (feed,) = job.prepare.pictures.feeds()
            sent = takes[feed.job].result.path
        else:
            await prepare(job.prepare, takes, given, sent, ffmpeg=ffmpeg, timeout=60)
            encodes += 1
        generated = folder / f"generated-{job.number}.mp4"
        await run_ffmpeg(["-y", "-i", str(sent), "-c:v", "libx264", "-preset", "ultrafast", "-crf", "12",
                          str(generated)], ffmpeg=ffmpeg, timeout=60)
        takes[job.number], _ = await read_take(plan.feed(job.number), generated)
    paths = [folder / output.name for output in plan.finish.outputs]
    finished = await finish(plan.finish, takes, given, paths, source=plan.source, ffmpeg=ffmpeg, timeout=60)
    return Ran(plan, paths[0], await probe(paths[0]), encodes + 1, finished.warnings)

