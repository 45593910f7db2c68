"""Everything that can be refused about a run, found out before anything is started: in a second, not after it."""

from __future__ import annotations

import math
import tempfile
from decimal import Decimal
from pathlib import Path

from pydantic import SecretStr

from reelflow.compile import Known, compile_recipe
from reelflow.destination import Destination, check_folder, refuse_existing
from reelflow.errors import (
    BadInput,
    Fault,
    KeyRefused,
    OverBudget,
    QueueBusy,
    QueueFault,
    QueueRefused,
    QueueUnreachable,
    Refused,
)
from reelflow.home import expanded
from reelflow.kept import find_kept, first_key
from reelflow.media.media_step import Given, MediaStep
from reelflow.media.probe import Probe, probe
from reelflow.media.run import find_ffmpeg
from reelflow.model_step import ModelStep
from reelflow.models import ModelTable
from reelflow.plan import Plan
from reelflow.receipt import ask_of, find_receipt
from reelflow.recipe import Recipe
from reelflow.remote import shown
from reelflow.settings import Settings
from reelflow.sources import SAMPLE, is_address, source_stem
from reelflow.store import Store


def check_models(recipe: Recipe, models: ModelTable) -> None:
    """Check every model of a recipe, and what it is asked, against its rules. Raises BadInput, BadRecipe."""
    faults: list[Fault] = []
    for number, step in recipe.numbered():
        if isinstance(step, ModelStep):
            try:
                step.check(models[step.model])
            except BadInput as error:
                faults.append(Fault(number, step.name, error.message, error.field))
    if faults:
        raise recipe.refusal(faults)


def read_limit(max_cost_usd: float | None, settings: Settings) -> Decimal | None:
    """What a run may cost at most, in USD (None: no limit): the least of what it is given and of what the settings say.

    Raises BadInput.
    """
    if max_cost_usd is not None and not 0 <= max_cost_usd < math.inf:
        raise BadInput(f"The limit max_cost_usd of {max_cost_usd:g} can't be used: give 0 USD or more.",
                       field="max_cost_usd")
    own = None if max_cost_usd is None else Decimal(str(max_cost_usd))
    return min((limit for limit in (own, settings.max_cost_usd) if limit is not None), default=None)


def check_total(plan: Plan, limit: Decimal | None, *, besides_usd: Decimal = Decimal(0)) -> None:
    """Refuse a plan of several jobs whose sum goes over the run's limit, before the first of them is bought.

    A single job is `check_first`'s. `besides_usd` is what the same run pays for previews of it.

    Raises:
        OverBudget: the price is over the limit, or is not known.
    """
    if limit is None or plan.purchases < 2:
        return
    if plan.cost_usd is None:
        unpriced = next(job.model.name for job in plan.jobs if job.cost_usd is None)
        raise OverBudget(f"The price of {unpriced} is not known, so it can't be held against the limit max_cost_usd of "
                         f"{limit} USD: give it a price in REELFLOW_MODELS, or take the limit away.")
    if plan.cost_usd + besides_usd > limit:
        raise _over(f"The {plan.purchases} jobs", plan.cost_usd, limit, besides_usd)


async def check_first(
    plan: Plan, limit: Decimal | None, settings: Settings, *, refresh: bool = False, besides_usd: Decimal = Decimal(0)
) -> None:
    """Refuse a single job that goes over the run's limit before its film is encoded.

    One whose film was made here before may be kept, and cost nothing: what the ledger knows decides then, and with
    `refresh` nothing kept counts. `besides_usd` is as in `check_total`. Raises OverBudget.
    """
    if limit is None or plan.purchases != 1 or plan.cost_usd is None or plan.cost_usd + besides_usd <= limit:
        return
    if not refresh:
        with tempfile.TemporaryDirectory(prefix="reelflow-") as folder:
            key = await first_key(plan, Given(plan.files, Path(folder)), ffmpeg=find_ffmpeg(settings.ffmpeg))
        if await find_kept(Store(settings.work_dir / "store"), settings.work_dir, key) is not None:
            return
    raise _over("This", plan.cost_usd, limit, besides_usd)


def _over(what: str, cost: Decimal, limit: Decimal, besides: Decimal) -> OverBudget:
    more = f", {besides.normalize():f} of it for previews" if besides else ""
    sent = "nothing more is sent" if besides else "nothing was sent"
    return OverBudget(f"{what} would cost {(cost + besides).normalize():f} USD{more}, and the limit max_cost_usd is "
                      f"{limit.normalize():f} USD: {sent}. Ask for less, or raise the limit.")


async def probe_files(recipe: Recipe) -> dict[Path, Probe]:
    """The facts of the files that steps read, by path. Raises BadInput, BadRecipe: what can't be used, and why."""
    found: dict[Path, Probe] = {}
    faults: list[Fault] = []
    for number, step in recipe.numbered():
        try:
            if isinstance(step, ModelStep) and step.reference_image is not None:
                await _check_reference(step.reference_image)
            elif isinstance(step, MediaStep):
                found |= await step.look()
        except BadInput as error:
            faults.append(Fault(number, step.name, error.message, error.field))
    if faults:
        raise recipe.refusal(faults)
    return found


async def _check_reference(path: Path) -> None:
    try:
        is_picture = (await probe(path)).is_picture
    except Refused as refused:
        raise BadInput(f"The reference image can't be used: {refused.message}", field="reference_image") from None
    if not is_picture:
        raise BadInput(f"The reference image {path} is not a picture: give a PNG or JPEG.", field="reference_image")


async def preflight(
    recipe: Recipe, source: str, settings: Settings, destination: Destination, *, estimate: bool = False,
    refresh: bool = False, max_cost_usd: float | None = None, delivers: bool = False,
) -> Plan | None:
    """Check a recipe, limit, source, output and queue; what lies at an address is looked at once it is fetched.

    What the run `delivers` to an address may lie there already.

    Gives the plan of what has to be made (with `estimate`, of all that is asked for); None where that is made, or not
    known yet.

    Raises:
        BadInput, BadRecipe, BadMedia: what can't be used, and why.
        QueueUnreachable, KeyRefused: the queue isn't there, or doesn't take the key.
        QueueRefused: it does not say what a rolling name stands for.
    """
    limit = read_limit(max_cost_usd, settings)
    check_folder(settings.work_dir, field="REELFLOW_WORK_DIR")
    check_models(recipe, settings.model_table)
    files = await probe_files(recipe)
    path = expanded(source).absolute()
    planned: Plan | None = None
    is_here = not is_address(source) and not (source == SAMPLE and not path.exists())
    if is_here:
        plan = compile_recipe(
            destination.named(recipe, source), await probe(path),
            Known(settings.model_table, files, stem=source_stem(source)),
        )
        if not estimate:
            targets = destination.targets(plan, path, need_bytes=0)
            there = next((target for target in targets if target.exists()), None)
            ask = "" if there is None else ask_of(
                destination.named(recipe, source), path, queue=settings.queue_identity)
            receipt = None if there is None else await find_receipt(settings.work_dir, ask, targets)
            if receipt is None or not receipt.is_whole:
                planned = plan
                if there is not None and receipt is None and not destination.overwrite:
                    raise refuse_existing(there)
                # Whether what is delivered lies there already, and costs nothing, the run finds out.
                if not delivers:
                    check_total(plan, limit)
                    await check_first(plan, limit, settings, refresh=refresh)
        else:
            planned = plan
    elif not estimate:
        destination.check_folder()
    if not settings.uses_standin:
        for model in dict.fromkeys(step.model for step in recipe.all_steps() if isinstance(step, ModelStep)):
            await check_queue(settings, model)
    return planned


async def check_queue(settings: Settings, model: str) -> QueueBusy | QueueFault | None:
    """Ask the queue that the settings name what `model` stands for, which costs nothing and shows that it is there.

    Gives what went wrong where it is there and that may pass: a run asks it again, more than once.

    Raises:
        QueueUnreachable, KeyRefused: the queue isn't there, or doesn't take the key.
        QueueRefused: the name is a rolling one, and the queue does not say for what.
    """
    from reelflow.job.client import QueueClient

    if settings.api_key is None:
        raise BadInput(f"The queue at {shown(settings.queue_url)} needs a key: set DECART_API_KEY.",
                       field="DECART_API_KEY")
    key: SecretStr = settings.api_key
    async with QueueClient(settings.queue_url, key, connect_timeout=settings.connect_timeout) as client:
        try:
            await client.resolve(model)
        except (QueueBusy, QueueFault) as trouble:
            if isinstance(trouble, QueueFault) and trouble.status is None:
                raise QueueUnreachable(f"{trouble.message} Check DECART_BASE_URL and the network.") from None
            return trouble
        except QueueRefused as refusal:
            # A name that is a model's own needs no answer: what the queue takes, the submit will show.
            if isinstance(refusal, KeyRefused) or settings.model_table[model].rolling:
                raise
    return None
