"""The flow `pipeline`: any recipe, on any source."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flows.approve import approved
from flows.film import make_within
from flows.naming import NamedBy
from flows.order import Order
from flows.started import flow
from reelflow.recipe import Preview, Recipe
from reelflow.recipe_file import load_recipe
from reelflow.sources import source_stem
from tasks.stop import cancelled_in_order


def name_pipeline(asked: Mapping[str, Any]) -> str:
    """The recipe and the source."""
    return f"{_shown(asked.get('recipe'))} · {source_stem(str(asked.get('source') or ''))}"


def _shown(recipe: Any) -> str:
    if isinstance(recipe, dict):
        return str(recipe.get("name") or "recipe")
    text = str(recipe or "")
    return "recipe" if "\n" in text.strip() else source_stem(text)


@flow(flow_run_name=NamedBy(name_pipeline))
async def pipeline(
    source: str,
    recipe: str | dict[str, Any],
    output: str = "",
    overwrite: bool = False,
    max_cost_usd: float | None = None,
    preview_seconds: float | None = None,
    estimate: bool = False,
    refresh: bool = False,
    strict: bool = False,
    approve: bool = False,
) -> dict[str, Any]:
    """Run a recipe: steps of film work and of models, one after another, from a source to finished files.

    Args:
        source: The film or the picture: a path on the worker, an http(s) address, or "sample" for one of our own.
        recipe: A name from the gallery, a recipe file on the worker, or the recipe itself as YAML.
        output: Where the files go: a folder, or, where the recipe makes one file, its name. Empty: the work folder.
        overwrite: Replace the outputs where they exist.
        max_cost_usd: Refuse, before anything is bought, where the run would cost more than this many USD.
        preview_seconds: First run the first model on so many seconds, and ask a person before the whole is bought.
        estimate: Plan and price only; buy nothing.
        refresh: Buy again what was already bought and kept.
        strict: Take a warning about the film (damage, a changed rate, HDR, bits or fields that are lost) as an error.
        approve: Go on without asking, where the recipe asks for a preview.
    """
    asked = as_asked(load_recipe(recipe), preview_seconds=preview_seconds, strict=strict)
    order = Order(output, overwrite, max_cost_usd, estimate, refresh)
    return await cancelled_in_order(_approved_and_made(asked, source, order, already=approve))


async def _approved_and_made(recipe: Recipe, source: str, order: Order, *, already: bool) -> dict[str, Any]:
    if recipe.preview is not None and not order.estimate:
        recipe = await approved(recipe, source, order, already=already)
    return await make_within(recipe, source, order)


def as_asked(recipe: Recipe, *, preview_seconds: float | None, strict: bool) -> Recipe:
    """The recipe with what the run's parameters add to it."""
    changed: dict[str, Any] = {}
    if preview_seconds:
        at = recipe.preview.at if recipe.preview is not None else "middle"
        changed["preview"] = Preview(seconds=preview_seconds, at=at)
    if strict:
        changed["strict"] = True
    return recipe.changed(**changed) if changed else recipe
