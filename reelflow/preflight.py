"""Everything that can be refused about a run, found out before anything is started: in a second, not after it."""

from __future__ import annotations

import math
from decimal import Decimal
from pathlib import Path

from pydantic import SecretStr

from reelflow.destination import check_companions, check_folder, choose_output, refuse_existing
from reelflow.errors import BadInput, QueueFault, QueueUnreachable, Refused
from reelflow.media.probe import Probe, probe
from reelflow.models import Kind, Model
from reelflow.plan import Plan, plan_film, plan_picture
from reelflow.receipt import ask_of, find_receipt
from reelflow.recipe import Recipe
from reelflow.settings import Settings
from reelflow.sources import SAMPLE, is_address, source_stem


def plan_job(recipe: Recipe, source: Probe, model: Model) -> Plan:
    """The plan for whichever kind of source the model takes. Raises BadInput."""
    track = recipe.sound_track
    if track is not None and not 1 <= track <= len(source.sounds):
        has = {0: "no sound", 1: "one sound track"}.get(len(source.sounds), f"{len(source.sounds)} sound tracks")
        raise BadInput(f"There is no sound track {track}: {source.path} has {has}.", field="sound_track")
    return (plan_picture if model.kind.source == "picture" else plan_film)(recipe, source, model)


KINDS = {
    "restyle": (Kind.RESTYLE,), "edit": (Kind.EDIT, Kind.CLIP), "tryon": (Kind.TRYON,), "motion": (Kind.MOTION,),
    "image": (Kind.IMAGE,),
}


def check_model(name: str, recipe: Recipe, model: Model) -> None:
    """Check that a model is of the job's kind, and the recipe against its rules. Raises BadInput."""
    if model.kind not in KINDS[name]:
        right = next(job for job, kinds in KINDS.items() if model.kind in kinds)
        raise BadInput(f"{model.name} is not a model for {name}: it is one for {right}.", field="model")
    recipe.check(model)


def read_limit(max_cost_usd: float | None) -> Decimal | None:
    """What a run may cost at most, in USD (None: no limit). Raises BadInput."""
    if max_cost_usd is not None and not 0 <= max_cost_usd < math.inf:
        raise BadInput(f"The limit max_cost_usd of {max_cost_usd:g} can't be used: give 0 USD or more.",
                       field="max_cost_usd")
    return None if max_cost_usd is None else Decimal(str(max_cost_usd))


async def check_reference(recipe: Recipe) -> None:
    """Check that the reference image, where there is one, is a picture. Raises BadInput."""
    if recipe.reference_image is None:
        return
    try:
        is_picture = (await probe(recipe.reference_image)).is_picture
    except Refused as refused:
        raise BadInput(f"The reference image can't be used: {refused.message}", field="reference_image") from None
    if not is_picture:
        raise BadInput(f"The reference image {recipe.reference_image} is not a picture: give a PNG or JPEG.",
                       field="reference_image")


async def preflight(
    name: str, source: str, recipe: Recipe, settings: Settings, *, output: str | None, overwrite: bool,
    estimate: bool = False, max_cost_usd: float | None = None,
) -> None:
    """Check a job's recipe, limit, source, output and queue; what lies at an address is looked at once it is fetched.

    Raises:
        BadInput, BadMedia: what can't be used, and why.
        QueueUnreachable, KeyRefused: the queue isn't there, or doesn't take the key.
    """
    read_limit(max_cost_usd)
    check_folder(settings.work_dir, field="REELFLOW_WORK_DIR")
    model = settings.model_table[recipe.model]
    check_model(name, recipe, model)
    await check_reference(recipe)
    path = Path(source).expanduser().absolute()
    is_here = not is_address(source) and not (source == SAMPLE and not path.exists())
    if is_here:
        plan_job(recipe, await probe(path), model)
    if not estimate:
        is_film = model.kind.result == "film"
        target = choose_output(
            output, folder=settings.work_dir, name=f"{source_stem(source)}-{name}", overwrite=True, source=path,
            is_film=is_film, codec=recipe.codec,
        )
        check_companions(target, is_film=is_film, overwrite=overwrite, source=path)
        if target.exists() and not overwrite and is_here:
            ask = ask_of(recipe, path, queue=settings.queue_identity)
            if await find_receipt(settings.work_dir, ask, target) is None:
                raise refuse_existing(target)
    if not settings.uses_standin:
        await check_queue(settings, recipe.model)


async def check_queue(settings: Settings, model: str) -> str:
    """What `model` stands for, asked of the queue that the settings name. Raises QueueUnreachable, KeyRefused."""
    from reelflow.job.client import QueueClient

    if settings.api_key is None:
        raise BadInput(f"The queue at {settings.queue_url} needs a key: set DECART_API_KEY.", field="DECART_API_KEY")
    key: SecretStr = settings.api_key
    async with QueueClient(settings.queue_url, key, connect_timeout=settings.connect_timeout) as client:
        try:
            return await client.resolve(model)
        except QueueFault as fault:
            if fault.status is None:
                raise QueueUnreachable(f"{fault.message} Check DECART_BASE_URL and the network.") from None
            return model
