"""The flow `batch`: a recipe, or one of the five jobs, on many clips at once."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from flows.many import make_many
from flows.naming import NamedBy
from flows.order import Many, Order
from flows.started import flow
from reelflow import remote
from reelflow.batch import BatchClip, job_recipe, make_clips, own_recipe, read_part, results_of
from reelflow.clip_list import check_apart, read_rows
from reelflow.errors import BadInput
from reelflow.home import expanded
from reelflow.recipe import Recipe
from reelflow.recipe_file import load_recipe
from reelflow.settings import read_settings
from reelflow.sources import is_address, show_source, source_stem
from tasks.stop import cancelled_in_order

Job = Literal["restyle", "edit", "tryon", "motion", "image"]


def name_batch(asked: Mapping[str, Any]) -> str:
    """The recipe or the job, and where the clips are."""
    recipe = str(asked.get("recipe") or "")
    what = asked.get("job") or ("recipe" if "\n" in recipe.strip() else source_stem(recipe))
    part = f" {asked['part']}" if asked.get("part") else ""
    return f"batch {what} · {show_source(str(asked.get('sources') or ''))}{part}"


@flow(flow_run_name=NamedBy(name_batch))
async def batch(
    sources: str,
    recipe: str = "",
    job: Job | None = None,
    prompt: str = "",
    reference_image: str = "",
    model: str = "",
    seed: int | None = None,
    parameters: dict[str, Any] | None = None,
    output: str = "",
    max_cost_usd: float | None = None,
    window: int = 8,
    jobs_at_once: int | None = None,
    max_failures: int | None = None,
    part: str = "",
    overwrite: bool = False,
    estimate: bool = False,
    refresh: bool = False,
    strict: bool = False,
    approve: bool = False,
) -> dict[str, Any]:
    """Run a recipe, or one of the five jobs, on many clips. Run again, it makes only what is missing.

    Args:
        sources: A folder, a glob, a prefix such as s3://bucket/in/, or a list: .txt, or .csv and .jsonl with a column
            source and a column for each parameter that differs from clip to clip.
        recipe: A name from the gallery, a recipe file on the worker, or the recipe itself as YAML. Or choose a job.
        job: One of the five jobs, in place of a recipe.
        prompt: What is asked of the job, in words (of a recipe's first model, where a recipe is run).
        reference_image: A picture that the job goes by (a path on the worker).
        model: The model to ask; left empty, the job's own.
        seed: 0 to 4294967295. The same seed makes the same picture.
        parameters: Further parameters of the job by name, such as {"duration": 5, "fit": "crop"}; of a recipe, fields
            of its steps, such as {"2.target": -14}.
        output: Where the films go: a folder, or a prefix such as s3://bucket/out/. Empty: the work folder.
        max_cost_usd: Refuse, before anything is bought, where all clips together would cost more than this many USD.
        window: How many clips are worked on at a time.
        jobs_at_once: How many jobs may be on the queue at a time; left empty, as the settings say.
        max_failures: Begin no more clips once so many have failed. Empty: one clip's failure never stops the others.
        part: To spread a batch over workers: 2/4 takes every fourth clip, from the second on. Empty: all.
        overwrite: Replace results where they exist.
        estimate: Plan and price only; buy nothing.
        refresh: Buy again what was already bought and kept.
        strict: Take a warning about a film as that clip's error.
        approve: Go on where the recipe asks for a preview: it was looked at, on one clip.
    """
    given = {"prompt": prompt, "reference_image": reference_image, "model": model, "seed": seed, **(parameters or {})}
    asked = {name: value for name, value in given.items() if value not in (None, "")}
    many = Many(window, jobs_at_once, max_failures)
    many.check()
    return await cancelled_in_order(_batch(
        sources, recipe, job, asked, part,
        Order(output, overwrite, max_cost_usd, estimate, refresh), many,
        strict=strict, approve=approve,
    ))


async def _batch(
    sources: str, recipe: str, job: str | None, asked: dict[str, Any], part: str, order: Order, many: Many, *,
    strict: bool, approve: bool,
) -> dict[str, Any]:
    clips = await asyncio.to_thread(
        find_clips, sources, recipe, job, asked, part, strict=strict, approve=approve)
    folder = batch_folder(order.output or "", sources, clips[0].recipe.name)
    if not (order.output and is_address(order.output)):
        order = replace(order, output=str(folder))
    check_apart(sources, str(order.output), results_of(clips), pictures=clips[0].recipe.takes_picture)
    title = " · ".join(filter(None, (clips[0].recipe.name, _last(sources), part)))
    return await make_many(clips, order, many, folder / manifest_name(part, estimate=order.estimate), title=title)


def _last(sources: str) -> str:
    """The last part of where clips are taken from."""
    return show_source(sources).rstrip("/*").rpartition("/")[2] or sources


def find_clips(
    sources: str, recipe: str, job: str | None, asked: dict[str, Any], part: str, *, strict: bool, approve: bool
) -> tuple[BatchClip, ...]:
    """The clips of a batch, each with what is asked of it. Raises BadInput, BadRecipe."""
    if bool(recipe.strip()) == bool(job):
        raise BadInput("Give a recipe or a job, and not both.", field="recipe")
    number, of = read_part(part)
    if job:
        rows = read_rows(sources, pictures=job in ("motion", "image"))
        clips = make_clips(rows, lambda own: job_recipe(job, {**asked, "strict": strict, **own}))
    else:
        found = load_recipe(recipe)
        if found.preview is not None and not approve:
            raise BadInput("The recipe asks for a preview, and in a batch nobody looks at each clip: run it on one of "
                           "them, then the batch with approve (--yes).", field="recipe")
        found = found.changed(strict=found.strict or strict)
        rows = read_rows(sources, pictures=found.takes_picture)
        clips = make_clips(rows, partial(_own, found, asked))
    taken = clips[number - 1::of]
    if not taken:
        raise BadInput(f"Part {number} of {of} has no clips: there are {len(clips)}.", field="part")
    return taken


def _own(recipe: Recipe, asked: dict[str, Any], own: dict[str, Any]) -> Recipe:
    return own_recipe(recipe, {**asked, **own})


def batch_folder(output: str, sources: str, name: str) -> Path:
    """Where a batch's manifest lies, and its films where they go to no address: the same each time that it is run.

    Sources of one name that lie elsewhere have a folder of their own, or each batch would begin the other's manifest
    anew.
    """
    if output and not is_address(output):
        return expanded(output).absolute()
    places = [remote.place_of(show_source(where)) for where in (sources, output) if where]
    folder = next((part for part in reversed(places[0].split("/")) if not any(sign in part for sign in "*?[")), "")
    mark = hashlib.sha256("\n".join(places).encode()).hexdigest()[:8]
    named = [source_stem(folder), name, *([source_stem(show_source(output).rstrip("/"))] if output else []), mark]
    return read_settings().work_dir / "batches" / "-".join(named)


def manifest_name(part: str, *, estimate: bool) -> str:
    """The manifest's name: one of its own for each part, since each may be written by another machine."""
    number, of = read_part(part)
    return ("estimate" if estimate else "manifest") + (f"-{number}-of-{of}" if of > 1 else "") + ".jsonl"
