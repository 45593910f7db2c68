"""What was made of what, noted while a run goes on: each file by its content."""

from __future__ import annotations

import asyncio
from pathlib import Path

from reelflow.digest import digest_of_source
from reelflow.lineage import Made, Stage, in_order
from reelflow.plan import Job, Plan
from reelflow.sources import is_address, show_source
from tasks.facts import note
from tasks.run import Run


class Trail:
    """The way of a run's films from the source on, in its report as far as it has come."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._source = ""
        self._came: dict[int, tuple[str, ...]] = {}
        self._made: list[Made] = []

    async def begin(self, source: str, plan: Plan) -> None:
        """Note the source, whose bytes were read for what is asked."""
        path = plan.source.path
        self._source = await asyncio.to_thread(digest_of_source, path)
        name, lies_at = (show_source(source),) * 2 if is_address(source) else (path.name, str(path))
        self._add(Made(Stage.SOURCE, name.rpartition("/")[2] or name, self._source, (), lies_at))

    async def sent(self, job: Job, path: Path) -> tuple[str, ...]:
        """Note what is sent to a model; gives the digests of what its result is then made of.

        All that is read is read here, before anything is bought.
        """
        digest = self._run.store.digest(path)
        before = [one for feed in job.prepare.pictures.feeds() for one in self._came.get(feed.job, ())]
        # What goes to a model as it came from the last one is not made anew.
        if digest not in before:
            self._add(Made(Stage.PREPARED, f"{job.place} for {job.model.name}", digest,
                           tuple(dict.fromkeys(before)) or (self._source,)))
        if (goes_by := job.step.reference_image) is None:
            return (digest,)
        picture = await asyncio.to_thread(digest_of_source, goes_by)
        self._add(Made(Stage.REFERENCE, goes_by.name, picture, (), str(goes_by)))
        return digest, picture

    def came(self, job: Job, made_of: tuple[str, ...], path: Path, job_id: str | None) -> None:
        """Note what came of what was sent."""
        digest = self._run.store.digest(path)
        self._came[job.number] = (*self._came.get(job.number, ()), digest)
        self._add(Made(Stage.GENERATED, job_id or f"{job.place} from {job.model.name}", digest, made_of))

    def _add(self, made: Made) -> None:
        self._made.append(made)
        note(lineage=in_order(self._made))
