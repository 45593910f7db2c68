"""Where a run's files go, and whether the very files that it would make lie there already."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from prefect import get_run_logger
from prefect.runtime import flow_run

from flows.order import Order
from reelflow.delivery import Delivery, split_output
from reelflow.destination import Destination, refuse_existing
from reelflow.job.entry import Paid
from reelflow.lineage import Made
from reelflow.plan import Plan
from reelflow.receipt import Receipt, find_receipt
from reelflow.recipe import Recipe
from reelflow.report import RunStatus
from reelflow.sources import is_address
from tasks.facts import note
from tasks.receipt import digest_ask, find_brought, find_there
from tasks.run import Run, open_run

_TRIES, _BETWEEN_SECONDS = 20, 0.25


@dataclass(frozen=True, slots=True)
class Places:
    """Where the files are made, and the address that they are brought to where they don't stay there."""

    work_dir: Path
    destination: Destination
    delivery: Delivery | None

    @classmethod
    def of(cls, run: Run, recipe: Recipe, order: Order) -> Places:
        """The places of a run."""
        work_dir = run.settings.work_dir
        if order.output and is_address(order.output):
            prefix, name = split_output(order.output)
            folder = run.scratch / "results"
            there = Destination(folder, str(folder / name) if name else "", order.overwrite)
            return cls(work_dir, there, Delivery(prefix, folder))
        folder = work_dir / "films" / (flow_run.id or recipe.name)
        return cls(work_dir, Destination(folder, order.output or "", order.overwrite), None)

    def targets(self, source: str, plan: Plan, *, need_bytes: int) -> tuple[Path, ...]:
        """Where a plan's outputs are made. Raises BadInput, as `Destination.targets`, where one can't be."""
        targets = self.destination.targets(plan, plan.source.path, need_bytes=need_bytes)
        if self.delivery is not None:
            self.delivery.check_apart(source, targets)
        return targets

    async def first_there(self, targets: tuple[Path, ...]) -> Path | str | None:
        """The first of these files that exists where it is to lie in the end."""
        if self.delivery is not None:
            return await find_there(self.delivery, targets)
        return next((target for target in targets if target.exists()), None)

    async def find_receipt(self, ask: str, targets: tuple[Path, ...], plan: Plan) -> Receipt | None:
        """The receipt of what is asked for, if the models' names still stand for the same."""
        if self.delivery is not None:
            receipt = await find_brought(self.delivery, ask, targets)
        else:
            receipt = await find_receipt(self.work_dir, ask, targets)
        is_ours = receipt is not None and receipt.resolved == tuple(job.resolved for job in plan.jobs)
        return receipt if is_ours else None


class There(Enum):
    """What lies where the files of a run are to go."""

    NOTHING = "nothing"
    MADE = "the very files that are asked for"
    REPLACEABLE = "what may be replaced: files of the same ask that are made anew, or, where that is allowed, any"


@dataclass(frozen=True, slots=True)
class Sought:
    """What a run was asked for: `ask`, a digest of the recipe and all that goes in, and the files to be made of it."""

    places: Places
    ask: str
    targets: tuple[Path, ...]
    plan: Plan
    order: Order

    async def look(self) -> There:
        """What lies there; where it's the very files, what was told of them is noted.

        What comes to lie there later is nobody's to replace, where nothing did: a second look would take it for what
        this one has seen. Of several files, those that are missing go with those that are there.
        Raises BadInput where something else lies there that may not be replaced.
        """
        there = await self.places.first_there(self.targets)
        if there is None:
            is_open = self.order.overwrite or any(target.is_symlink() for target in self.targets)
            return There.REPLACEABLE if is_open else There.NOTHING
        receipt = await self._receipt()
        if receipt is None and not self.order.overwrite:
            raise refuse_existing(there)
        if receipt is None or not receipt.is_whole or self.order.refresh:
            return There.REPLACEABLE
        delivery = self.places.delivery
        lie = tuple(delivery.shown_address(target) for target in self.targets) if delivery is not None else ()
        get_run_logger().info("%s was made before, just as it is asked for; nothing is left to do.",
                              ", ".join(lie or map(str, self.targets)))
        told = receipt.report
        note(
            status=RunStatus.COMPLETED, paid=Paid.KEPT if self.plan.jobs else None,
            output=None if lie else self.targets[0], outputs=() if lie else self.targets, uploaded=lie,
            output_film=told.get("output_film"), job_ids=tuple(told.get("job_ids", ())),
            warnings=tuple(told.get("warnings", ())), lineage=tuple(map(Made.from_dict, told.get("lineage", ()))),
        )
        return There.MADE

    async def were_made_meanwhile(self) -> bool:
        """Whether another run that was asked for just the same has made the files by now; what was told of them is
        noted, but for what this run has paid.
        """
        paid = note().paid
        for _ in range(_TRIES):
            # Its receipt is there before its files, but those get their names one after another.
            receipt = await self._receipt()
            if receipt is not None and receipt.is_whole:
                if await self.look() is not There.MADE:
                    return False
                note(paid=paid)
                return True
            await asyncio.sleep(_BETWEEN_SECONDS)
        return False

    async def _receipt(self) -> Receipt | None:
        return await self.places.find_receipt(self.ask, self.targets, self.plan)


async def were_made(recipe: Recipe, source: str, plan: Plan, order: Order) -> bool:
    """Whether the very files that a plan makes lie there already, so that making them again costs nothing."""
    async with open_run() as run:
        places = Places.of(run, recipe, order)
        targets = places.targets(source, plan, need_bytes=0)
        if order.refresh or await places.first_there(targets) is None:
            return False
        receipt = await places.find_receipt(await digest_ask(recipe, plan.source.path), targets, plan)
        return receipt is not None and receipt.is_whole
