"""An excerpt of a recipe: its first model on a few seconds, so that a person sees what the whole would be; pure."""

from __future__ import annotations

from collections.abc import Sequence

from reelflow.compile import Known, compile_recipe
from reelflow.errors import BadInput
from reelflow.media.probe import Probe
from reelflow.model_step import ModelStep
from reelflow.output_spec import OutputSpec
from reelflow.recipe import Preview, Recipe, make_step
from reelflow.step import Step


def excerpt(recipe: Recipe, source: Probe, known: Known) -> Recipe:
    """The recipe of the preview: the steps up to the first model, on the seconds that are asked for.

    A film that is no longer than the preview, and a picture, go whole: what is bought for them serves the run too.

    Raises:
        BadInput: the recipe has no model to preview, or the excerpt lies outside the film.
    """
    preview, steps = recipe.preview or Preview(), recipe.work
    place = first_model(steps)
    if place is None:
        raise BadInput("A preview needs a model among the steps: leave `preview` away.", field="preview")
    before = steps[:place]
    clip = compile_recipe(recipe.with_steps(before).with_outputs(()), source, known).finish.clip
    cut: tuple[Step, ...] = ()
    seconds = float(clip.seconds)
    if not clip.is_picture and seconds > preview.seconds:
        starts = {"start": 0.0, "middle": (seconds - preview.seconds) / 2, "end": seconds - preview.seconds}
        start = starts[preview.at] if isinstance(preview.at, str) else min(preview.at, seconds - preview.seconds)
        cut = (make_step("trim", start=round(start, 3) or None, duration=preview.seconds),)
    ending = ".png" if _makes_picture(steps[place]) else ".mp4"
    return recipe.with_steps((*before, *cut, steps[place])).with_outputs((OutputSpec(path="{stem}-preview" + ending),))


def first_model(steps: Sequence[Step]) -> int | None:
    """The place of the first step that a model does; None where there is none, or only within variants."""
    return next((place for place, step in enumerate(steps) if isinstance(step, ModelStep)), None)


def with_prompt(recipe: Recipe, prompt: str) -> Recipe:
    """The recipe with another prompt for its first model."""
    steps = list(recipe.work)
    place = first_model(steps)
    if place is None:
        return recipe
    steps[place] = steps[place].model_copy(update={"prompt": prompt})
    return recipe.with_steps(steps)


def _makes_picture(step: Step) -> bool:
    return isinstance(step, ModelStep) and step.kinds[0].result == "picture"
