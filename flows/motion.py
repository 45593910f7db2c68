"""The flow `motion`: a picture, animated along a path."""

from __future__ import annotations

from typing import Any, Literal

from prefect import flow
from pydantic import BaseModel, Field

from flows.film import Order, make_film, name_run
from reelflow.errors import BadInput
from reelflow.models import Point
from reelflow.recipe import Codec, Fit, Keep, Quality, make_recipe, parse_path, preset_path, read_trajectory


class PathPoint(BaseModel):
    """One point of the path."""

    frame: int = Field(description="Frame number, 25 a second, from 0.")
    x: float = Field(description="0 (left) to 1 (right).")
    y: float = Field(description="0 (top) to 1 (bottom).")


@flow(flow_run_name=name_run)
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
    recipe = make_recipe(
        model=model, prompt=prompt, seed=seed, enhance_prompt=enhance_prompt, fit=fit, size=size, codec=codec,
        quality=quality, strict=strict,
        trajectory=_one_path(preset, path, trajectory),
    )
    return await make_film("motion", image, recipe, Order(output, overwrite, max_cost_usd, estimate, refresh))


def _one_path(preset: str | None, path: str, trajectory: list[PathPoint] | None) -> tuple[Point, ...]:
    if sum(bool(given) for given in (preset, path, trajectory)) != 1:
        raise BadInput("Give one of preset, path and trajectory: they say the same thing.", field="trajectory")
    if preset:
        return preset_path(preset)
    if path:
        return parse_path(path)
    return read_trajectory([point.model_dump() for point in trajectory or []])
