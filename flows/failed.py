"""However a run ends, what is known of it is told; one that fails leaves a page, until the same output is made."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from prefect import get_run_logger
from prefect.runtime import flow_run

from flows.order import Order
from reelflow.delivery import split_output
from reelflow.destination import Destination
from reelflow.errors import BadInput, Declined, ReelflowError, SourceFault
from reelflow.model_step import ModelStep
from reelflow.page.template import is_ours
from reelflow.plan import Plan
from reelflow.recipe import Recipe
from reelflow.report import Report, RunStatus, joined
from reelflow.settings import read_settings
from reelflow.sources import is_address, show_source
from tasks.facts import Latest, note, reporting
from tasks.log import about, current_log
from tasks.page import publish_failure
from tasks.phase import shown_in_the_end, timing
from tasks.report import publish_report

# Letters of an output's name, of up to four bytes each, in that of its page in the work folder.
_SHOWN_OF_NAME = 48


@dataclass(slots=True)
class Ending:
    """What is known of a run for the page that it leaves if it fails: its plan, and what its outputs are named after.
    """

    recipe: Recipe
    stem: str
    order: Order | None
    plan: Plan | None = None

    def pages(self) -> tuple[Path, ...]:
        """Where the page may lie: beside the output, and in the work folder where nothing may be written there.

        None for a run that makes no output. Raises BadInput for settings that can't be used.
        """
        if self.order is None or self.order.estimate:
            return ()
        work_dir, output = read_settings().work_dir, self.order.output or ""
        beside: tuple[Path, ...] = ()
        if is_address(output):
            wanted = split_output(output)[1]
        else:
            there = Destination(work_dir / "films" / (flow_run.id or self.recipe.name), output)
            wanted, beside = "", (there.failed_page(self.recipe, self.stem),)
        folder = work_dir / "failed"
        page = Destination(folder, str(folder / wanted) if wanted else "").failed_page(self.recipe, self.stem)
        mark = hashlib.sha256(str(next(iter(beside), output)).encode()).hexdigest()[:8]
        # The name may be as long as a name can be.
        return (*beside, folder / f"{page.name.removesuffix('.failed.html')[:_SHOWN_OF_NAME]}-{mark}.failed.html")

    async def made(self) -> None:
        """Note that the output is made: the page of an earlier run that failed to is no longer true."""
        await asyncio.to_thread(self._forget)

    def _forget(self) -> None:
        for page in self.pages():
            if page.is_file() and is_ours(page):
                with contextlib.suppress(OSError):
                    page.unlink()


@contextlib.asynccontextmanager
async def reported(recipe: Recipe, source: str, stem: str, order: Order | None) -> AsyncIterator[Ending]:
    """However the run ends, what is known of it is published; a run that is cancelled has no time for that."""
    steps = [step for step in recipe.all_steps() if isinstance(step, ModelStep)]
    seeds = {step.seed for step in steps if step.seed is not None}
    facts: dict[str, Any] = {
        "model": joined(step.model for step in steps), "prompt": joined(step.prompt for step in steps),
        "seed": seeds.pop() if len(seeds) == 1 else None, "refreshes": order is not None and order.refresh,
        "flow_run_id": flow_run.id, "flow_run_name": flow_run.name,
    }
    start = Report(recipe.name, RunStatus.FAILED, source=show_source(source), **facts)
    ending = Ending(recipe, stem, order)
    with reporting(start) as latest, timing() as times, about(clip=stem):
        note(**facts, phases=times, log=current_log())
        try:
            async with shown_in_the_end():
                yield ending
        except ReelflowError as error:
            latest.report = latest.report.with_error(error)
            await _tell(ending, latest, error)
            raise
        except Exception as error:
            told = f"Something unforeseen went wrong ({type(error).__name__}: {error})."
            latest.report = replace(latest.report, status=RunStatus.FAILED, error=told)
            await _tell(ending, latest, error)
            raise


async def _tell(ending: Ending, latest: Latest, error: Exception) -> None:
    try:
        # What can't be used is told by its sentence, and what lies where a page would lie beside may be as it should.
        is_told = isinstance(error, BadInput | Declined) and not isinstance(error, SourceFault)
        if not is_told or latest.report.status is RunStatus.FAILED:
            await publish_failure(ending.recipe, ending.plan, latest.report, ending.pages(),
                                  last_words=str(getattr(error, "stderr", "")))
        await publish_report(latest.report)
    except Exception:  # whatever the API says, the run's own error is the one to tell
        get_run_logger().warning("The report could not be shown in the Prefect UI.", exc_info=True)
