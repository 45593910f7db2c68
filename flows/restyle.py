"""The flow `restyle`: a film in another look."""

from __future__ import annotations

from typing import Any

from flows.film import make_films
from flows.naming import named_after_clip
from flows.order import Order
from flows.started import flow
from reelflow.choices import Codec, Fit, Keep, Quality, Rate
from reelflow.recipe import make_step, make_trim, plain_recipe
from reelflow.sources import path_of


@flow(flow_run_name=named_after_clip("restyle"))
async def restyle(
    source: str,
    prompt: str = "",
    reference_image: str = "",
    model: str = "lucy-restyle-2",
    seed: int | None = None,
    enhance_prompt: bool | None = None,
    start: str | float | None = None,
    end: str | float | None = None,
    duration: str | float | None = None,
    fit: Fit = Fit.PAD,
    size: Keep = Keep.SOURCE,
    rate: Rate = Rate.SOURCE,
    codec: Codec | None = None,
    quality: Quality = Quality.GOOD,
    sound_track: int | None = None,
    output: str = "",
    overwrite: bool = False,
    max_cost_usd: float | None = None,
    estimate: bool = False,
    refresh: bool = False,
    strict: bool = False,
) -> dict[str, Any]:
    """Give a film another look, from a prompt or from a picture (one of the two).

    Args:
        source: The film: a path on the worker, an http(s) address, or "sample" for a clip that reelflow draws itself.
        prompt: The look in words, such as "film noir, hard shadows". At most 1000 characters.
        reference_image: In place of the prompt: a picture that has the look (a path on the worker).
        model: The model to ask. `reelflow models` lists them.
        seed: 0 to 4294967295. The same seed makes the same picture.
        enhance_prompt: Whether the model may write your prompt out; left empty, the model's own default (yes).
        start: Where the span begins, in seconds (2.5) or as 00:00:02.500. Empty: at the beginning.
        end: Where the span ends, written likewise. Empty: at the end.
        duration: How long the span is, in place of its end.
        fit: How the picture gets into the model's frame: pad (nothing lost), crop (no bars), stretch.
        size: Whose size the finished film has.
        rate: Whose frame rate the finished film has; smooth is the source's, with pictures made up in between (slow).
        codec: How the film is encoded; left empty, what its container usually holds (H.264 in MP4).
        quality: How much of the picture is kept, against how large the file gets.
        sound_track: Which of the source's sound tracks is kept, counted from 1. Empty: all of them.
        output: Where the finished film goes, a file or a folder ending in "/". Empty: the work folder.
        overwrite: Replace the output where it exists.
        max_cost_usd: Refuse, before anything is bought, where the run would cost more than this many USD.
        estimate: Plan and price only; buy nothing.
        refresh: Buy again what was already bought and kept.
        strict: Take a warning about the film (damage, a changed rate, HDR, bits or fields that are lost) as an error.
    """
    step = make_step(
        "restyle", model=model, prompt=prompt, reference_image=path_of(reference_image), seed=seed,
        enhance_prompt=enhance_prompt, fit=fit, size=size, rate=rate,
    )
    recipe = plain_recipe(
        "restyle", step, trim=make_trim(start, end, duration), sound_track=sound_track, codec=codec, quality=quality,
        strict=strict,
    )
    return await make_films(recipe, source, Order(output, overwrite, max_cost_usd, estimate, refresh))
