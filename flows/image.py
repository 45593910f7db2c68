"""The flow `image`: a picture, edited."""

from __future__ import annotations

from typing import Any, Literal

from flows.film import make_films
from flows.naming import named_after_clip
from flows.order import Order
from flows.started import flow
from reelflow.choices import Fit, Keep
from reelflow.recipe import make_step, plain_recipe
from reelflow.sources import path_of


@flow(flow_run_name=named_after_clip("image"))
async def image(
    image: str,
    prompt: str,
    reference_image: str = "",
    model: str = "lucy-image-2",
    resolution: Literal["720p", "480p"] | None = None,
    seed: int | None = None,
    enhance_prompt: bool | None = None,
    fit: Fit = Fit.PAD,
    size: Keep = Keep.SOURCE,
    output: str = "",
    overwrite: bool = False,
    max_cost_usd: float | None = None,
    estimate: bool = False,
    refresh: bool = False,
    strict: bool = False,
) -> dict[str, Any]:
    """Edit a picture.

    Args:
        image: The picture: a path on the worker, an http(s) address, or "sample" for one that reelflow draws itself.
        prompt: What changes, in words. At most 1000 characters.
        reference_image: A picture of what comes in (a path on the worker).
        model: The model to ask. `reelflow models` lists them.
        resolution: 720p, or 480p for a lower price; left empty, the model's own default (720p).
        seed: 0 to 4294967295. The same seed makes the same picture.
        enhance_prompt: Whether the model may write your prompt out; left empty, the model's own default (yes).
        fit: How the picture gets into the model's frame: pad (nothing lost), crop (no bars), stretch.
        size: Whose size the finished picture has.
        output: Where the finished picture (PNG) goes, a file or a folder ending in "/". Empty: the work folder.
        overwrite: Replace the output where it exists.
        max_cost_usd: Refuse, before anything is bought, where the run would cost more than this many USD.
        estimate: Plan and price only; buy nothing.
        refresh: Buy again what was already bought and kept.
        strict: Take a warning about the picture as an error.
    """
    step = make_step(
        "image", model=model, prompt=prompt, reference_image=path_of(reference_image), resolution=resolution, seed=seed,
        enhance_prompt=enhance_prompt, fit=fit, size=size,
    )
    recipe = plain_recipe("image", step, is_film=False, strict=strict)
    return await make_films(recipe, image, Order(output, overwrite, max_cost_usd, estimate, refresh))
