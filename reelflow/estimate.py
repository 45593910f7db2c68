"""What a run would cost, told from its plan alone: without Prefect an estimate takes a second, and not ten."""

from __future__ import annotations

from reelflow.plan import Plan
from reelflow.report import Report, RunStatus, describe_film, joined
from reelflow.settings import Settings
from reelflow.sources import show_source


def is_settled(plan: Plan, settings: Settings) -> bool:
    """Whether the run itself would plan just the same.

    It asks the queue what a rolling name stands for and whether it is a stand-in, and cuts a long film at its scenes.
    """
    names = (settings.model_table[job.step.model] for job in plan.jobs)
    return settings.base_url is None and not any(model.rolling for model in names) and not any(
        len(job.prepare.pieces) > 1 for job in plan.jobs)


def estimated(plan: Plan, source: str, settings: Settings, *, refresh: bool = False) -> Report:
    """The report of an estimate."""
    steps = [job.step for job in plan.jobs]
    seeds = {step.seed for step in steps if step.seed is not None}
    return Report(
        plan.name, RunStatus.ESTIMATED, source=show_source(source), model=joined(step.model for step in steps),
        resolved_model=joined(job.resolved for job in plan.jobs), prompt=joined(step.prompt for step in steps),
        seed=seeds.pop() if len(seeds) == 1 else None, billed_seconds=plan.seconds, cost_usd=plan.cost_usd,
        estimated_cost_usd=plan.cost_usd, stand_in=settings.uses_standin, source_film=describe_film(plan.source),
        warnings=plan.warnings, refreshes=refresh,
    )
