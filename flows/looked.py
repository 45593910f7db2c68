"""Clips that were looked at: what will be done to each, and what can't be done to all of them together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path, PurePath

from prefect.artifacts import acreate_table_artifact
from prefect.runtime import flow_run

from reelflow.amounts import spell_usd
from reelflow.batch import BatchClip
from reelflow.compile import Known
from reelflow.errors import BadInput, OverBudget
from reelflow.manifest import Line, line_of
from reelflow.plan import Plan, sum_usd
from reelflow.report import Report, RunStatus
from reelflow.sources import show_source
from tasks.phase import shown


@dataclass(frozen=True, slots=True)
class Looked:
    """A clip that was looked at: what will be done, whether it was done already, whether its source is here, and what
    told it from others then (None of one that was brought here).
    """

    clip: BatchClip
    plan: Plan
    known: Known
    was_made: bool
    is_staged: bool
    state: tuple[int, ...] | None

    @property
    def is_changed(self) -> bool:
        """Whether its source is another than it was then, which may be hours ago."""
        return self.state is not None and state_of(self.plan.source.path) != self.state


def check_names(looked: Iterable[Looked]) -> None:
    """Refuse clips that would be written over one another. Raises BadInput."""
    taken: dict[PurePath, BatchClip] = {}
    for one in looked:
        for output in one.plan.finish.outputs:
            other = taken.setdefault(PurePath(output.name), one.clip)
            if other is not one.clip:
                raise BadInput(
                    f"{show_source(other.source)} and {show_source(one.clip.source)} would both become {output.name}: "
                    "put {stem} into the path of the recipe's output; where it is there, give one of the clips another "
                    "name.",
                    field="recipe")


async def publish_looked(
    to_make: Sequence[Looked], *, clips: int, bad: int, made_before: int, results: str
) -> None:
    """Show in the Prefect UI what will be done and what it will cost, before anything is bought."""
    cost = sum_usd(one.plan.cost_usd for one in to_make)
    rows = [
        ("clips", str(clips)), ("can't be used", str(bad)),
        ("made before", str(made_before)), ("to be made", str(len(to_make))),
        ("jobs", str(sum(one.plan.purchases for one in to_make))),
        ("generated", f"{sum(one.plan.seconds for one in to_make):.2f} s"),
        ("price", spell_usd(cost)), ("results", results),
    ]
    await shown(acreate_table_artifact(
        [{"": name, "planned": value} for name, value in rows], key="plan", description=f"Plan: {len(to_make)} clips",
    ), what="The plan")


def check_sum(to_make: Sequence[Looked], limit: Decimal | None) -> None:
    """Refuse clips that would cost more together than they may. Raises OverBudget."""
    if limit is None or not to_make:
        return
    cost = sum_usd(one.plan.cost_usd for one in to_make)
    if cost is None:
        raise OverBudget(f"The price of these {len(to_make)} clips is not known, so it can't be held against the "
                         f"limit max_cost_usd of {limit} USD: give the model a price in REELFLOW_MODELS, or "
                         "take the limit away.")
    if cost > limit:
        raise OverBudget(f"These {len(to_make)} clips would cost {cost.normalize():f} USD, and the limit "
                         f"max_cost_usd is {limit.normalize():f} USD: nothing was sent. Take fewer clips or "
                         "raise the limit.")


def estimated(one: Looked) -> Line:
    """What an estimate says of it in the manifest."""
    cost, seconds = (Decimal(0), 0.0) if one.was_made else (one.plan.cost_usd, one.plan.seconds)
    return line_of(Report(
        one.plan.name, RunStatus.ESTIMATED, source=show_source(one.clip.source), billed_seconds=seconds, cost_usd=cost,
        warnings=one.plan.warnings, flow_run_id=flow_run.id,
    ), one.clip.name, took=0.0)


def state_of(path: Path) -> tuple[int, ...]:
    """What tells a file from itself after a change; empty where it is gone."""
    try:
        status = path.stat()
    except OSError:
        return ()
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
