"""Approve before you pay: a preview, the price of the whole, and a person who says whether the run goes on."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal

from prefect.input import RunInput
from prefect.runtime import deployment

from flows.asked import asked
from flows.film import make_within, plan_films
from flows.order import Order
from reelflow.compile import compile_recipe
from reelflow.errors import BadInput, Declined, Unapproved
from reelflow.lineage import Stage
from reelflow.models import ModelTable
from reelflow.plan import Plan
from reelflow.preflight import check_first, check_models, check_total, read_limit
from reelflow.preview import excerpt, with_prompt
from reelflow.recipe import Recipe
from reelflow.report import plain
from reelflow.settings import read_settings
from tasks.report import publish_plan


class Approval(RunInput):
    """Whether the run goes on, and with which prompt."""

    decision: Literal["approve", "change the prompt", "refuse"] = "approve"
    prompt: str = ""


async def approved(recipe: Recipe, source: str, order: Order, *, already: bool) -> Recipe:
    """The recipe as a person has approved it, having seen its preview; with the prompt that the person has changed.

    A deployment's run is suspended meanwhile: its process ends, and when it is resumed the flow begins anew, finds what
    the preview bought, and the answer. A run from the command line ends, and `already` says that it was approved.

    Raises:
        Declined: the person has refused.
        OverBudget: the whole would cost more than it may.
        Unapproved: nobody can be asked here; says where the preview lies and how to go on.
    """
    if already:
        return recipe
    settings, previews = read_settings(), dict[str, Decimal]()
    for round_ in itertools.count():
        plan, known = await plan_films(recipe, source, order=order)
        previewed = excerpt(recipe, plan.source, known)
        short = compile_recipe(previewed, plan.source, known)
        # Where all of it goes to the model, what is bought for the preview is the whole's first job, fresh or not.
        is_whole = short.jobs[0].prepare.frames == plan.jobs[0].prepare.frames
        if deployment.id:  # from the command line the preview is a run of its own
            previews[previewed.model_dump_json()] = short.cost_usd or Decimal(0)
        limit, besides = read_limit(order.max_cost_usd, settings), _besides_usd(previews, previewed, is_whole=is_whole)
        check_total(plan, limit, besides_usd=besides)
        await check_first(plan, limit, settings, refresh=order.refresh, besides_usd=besides)
        # What this run buys anew it goes on with. Another run, as with --yes, would buy it once more.
        is_fresh = order.refresh and bool(deployment.id)
        shown = await make_within(
            previewed, source, Order(overwrite=True, max_cost_usd=order.max_cost_usd, refresh=is_fresh))
        await publish_plan(plan)
        told = "at an unknown price" if plan.cost_usd is None else f"for {plan.cost_usd:.4f} USD"
        jobs = f"{plan.purchases} job{'' if plan.purchases == 1 else 's'}, {plan.seconds:.1f} s"
        if not deployment.id:
            raise Unapproved(f"The preview lies at {shown['output']}. The whole is {jobs} {told}: look at it, and run "
                             "the same again with --yes.")
        answer = await _answered(recipe, _question(shown, jobs, told), settings.model_table,
                                 key=f"approve-{_digest(recipe, plan, shown)}-{round_}")
        if answer.decision == "refuse":
            raise Declined("A person has seen the preview and refused the run: nothing more is bought.")
        if prompt := answer.prompt.strip():
            recipe, previewed = (with_prompt(one, prompt) for one in (recipe, previewed))
        if answer.decision == "approve":
            # The price rests on no prompt, but what is paid besides does; and nothing was made of a new one yet.
            besides = _besides_usd(previews, previewed, is_whole=is_whole)
            check_total(plan, limit, besides_usd=besides)
            await check_first(plan, limit, settings, refresh=order.refresh or bool(prompt), besides_usd=besides)
            return recipe
    raise AssertionError("the rounds end by an answer")


async def _answered(recipe: Recipe, question: str, models: ModelTable, *, key: str) -> Approval:
    """What a person answers; asked again where the model does not take the prompt that is written."""
    told = question
    for again in itertools.count():
        answer = await asked(Approval.with_initial_data(description=told), key=f"{key}-anew-{again}" if again else key)
        if answer.decision != "refuse" and (prompt := answer.prompt.strip()):
            try:
                check_models(with_prompt(recipe, prompt), models)
            except BadInput as refusal:
                told = f"**{plain(refusal.message)}**\n\n{question}"
                continue
        return answer
    raise AssertionError("the questions end by an answer")


def _besides_usd(previews: Mapping[str, Decimal], previewed: Recipe, *, is_whole: bool) -> Decimal:
    """What the previews cost besides the whole of what is `previewed`: that of a whole clip buys the whole's own job,
    those of other prompts are paid for nothing else.
    """
    own = previewed.model_dump_json() if is_whole else ""
    return sum((usd for one, usd in previews.items() if one != own), Decimal(0))


def _question(shown: dict[str, Any], jobs: str, price: str) -> str:
    return (
        f"**The preview is made** ({shown['output']}): before and after are on this run's *Artifacts* tab.\n\n"
        f"The whole is **{jobs}, {price}**. Nothing of it is bought before you choose:\n\n"
        "- `approve`: go on (with another prompt, if you write one)\n"
        "- `change the prompt`: make another preview with the prompt that you write\n"
        "- `refuse`: end here\n\nWithout an answer the run fails after seven days."
    )


def _digest(recipe: Recipe, plan: Plan, shown: dict[str, Any]) -> str:
    """What is approved: the recipe, the files that the preview was made of, what models' names stand for, the price."""
    files = [made["digest"] for made in shown["lineage"] if made["stage"] in (Stage.SOURCE, Stage.REFERENCE)]
    told = [recipe.model_dump_json(), files, [job.resolved for job in plan.jobs], str(plan.cost_usd)]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]
