"""The flow `motion`: a picture, animated along a path."""

from __future__ import annotations

from typing import Any, Literal

from flows.film import make_films
from flows.naming import named_after_clip
from flows.order import Order
from flows.started import flow
from reelflow.choices import Codec, Fit, Keep, Quality
from reelflow.model_step import PathPoint
from reelflow.recipe import make_step, plain_recipe


@flow(flow_run_name=named_after_clip("motion"))
async def motion(
    image: str,
    preset: Literal["pan-right", "pan-left", "tilt-up", "tilt-down", "push-in", "arc", "sway"] | None = None,
    path: str = "",
    trajectory: list[PathPoint] | None = None,
    prompt: str = "",
    model: str = "lucy-motion",
    seed: int | None = None,
    enhance_prompt: bool | None = None,
    fit: Fit = Fit.PAD,
    size: Keep = Keep.SOURCE,
    codec: Codec | None = None,
    quality: Quality = Quality.GOOD,
    output: str = "",
    overwrite: bool = False,
    max_cost_usd: float | None = None,
    estimate: bool = False,
    refresh: bool = False,
    strict: bool = False,
) -> dict[str, Any]:
    """Animate a picture along a path: a film of 5 s. Give one of preset, path and trajectory.

    Args:
        image: The picture: a path on the worker, an http(s) address, or "sample" for one that reelflow draws itself.
        preset: A path by name.
        path: A path as text, FRAME:X,Y and so on: "0:0.2,0.5 60:0.5,0.3 124:0.8,0.5".
        trajectory: A path point by point.
        prompt: What happens, in words. At most 1000 characters.
        model: The model to ask. `reelflow models` lists them.
        seed: 0 to 4294967295. The same seed makes the same film.
        enhance_prompt: Whether the model may write your prompt out; left empty, the model's own default (yes).
        fit: How the picture gets into the model's frame: pad (nothing lost), crop (no bars), stretch.
        size: Whose size the finished film has.
        codec: How the film is encoded; left empty, what its container usually holds (H.264 in MP4).
        quality: How much of the picture is kept, against how large the file gets.
        output: Where the finished film goes, a file or a folder ending in "/". Empty: the work folder.
        overwrite: Replace the output where it exists.
        max_cost_usd: Refuse, before anything is bought, where the run would cost more than this many USD.
        estimate: Plan and price only; buy nothing.
        refresh: Buy again what was already bought and kept.
        strict: Take a warning about the film as an error.
    """
    step = make_step(
        "motion", model=model, prompt=prompt, seed=seed, enhance_prompt=enhance_prompt, fit=fit, size=size,
        preset=preset, path=path, trajectory=trajectory,
    )
    recipe = plain_recipe("motion", step, codec=codec, quality=quality, strict=strict)
    return await make_films(recipe, image, Order(output, overwrite, max_cost_usd, estimate, refresh))
