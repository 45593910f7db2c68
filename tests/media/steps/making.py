"""What the tests of steps share: a recipe of media steps, compiled, and what came of it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import reelflow.media.steps
import reelflow.model_step  # noqa: F401
from reelflow.compile import Known, compile_recipe
from reelflow.media.finish import Finished
from reelflow.media.media_step import MediaStep
from reelflow.media.probe import Probe, probe
from reelflow.models import ModelTable
from reelflow.plan import Plan
from reelflow.recipe import Recipe, parse_recipe


@dataclass(frozen=True)
class Made:
    """What came of a recipe: its plan, its first file and that file's facts, and the commands that made it."""

    plan: Plan
    path: Path
    probe: Probe
    finished: Finished

    @property
    def graph(self) -> str:
        """The filters of the one command, without the names of what goes in and out."""
        command = self.finished.commands[-1]
        return re.sub(r"\[s\d+\]", "", command[command.index("-filter_complex") + 1])


Make = Callable[..., Awaitable[Made]]
Film = Callable[..., Awaitable[Path]]


async def plan_of(steps: Sequence[Any], source: Path, outputs: Sequence[Any] = ()) -> tuple[Recipe, Plan]:
    """A recipe of these steps, and its plan for a source."""
    recipe = parse_recipe({"name": "made", "steps": list(steps), "outputs": list(outputs)})
    files: dict[Path, Probe] = {}
    for step in recipe.all_steps():
        assert isinstance(step, MediaStep)
        files |= await step.look()
    return recipe, compile_recipe(recipe, await probe(source), Known(ModelTable.standard(), files))
