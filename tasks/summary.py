"""What a batch tells the Prefect UI: one table that grows as its clips end, written anew every few seconds at most."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from uuid import UUID

from prefect.artifacts import acreate_table_artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactUpdate
from prefect.logging import get_logger

from reelflow.manifest import Line, Tally

UPDATE_SECONDS = 5.0
MOST_ROWS = 500
logger = get_logger(__name__)


class Summary:
    """The table of a batch: those that failed first, then the latest, five hundred at most; it names the `page`."""

    def __init__(self, tally: Tally, *, page: str | None = None) -> None:
        self.tally, self._page = tally, page
        self.changed, self._over = asyncio.Event(), asyncio.Event()
        self._bad: list[Line] = []
        self._good: list[Line] = []

    def add(self, line: Line) -> None:
        """Count a clip that has ended, and show it soon."""
        self.tally.count(line)
        kept = self._bad if line.is_bad else self._good
        kept.append(line)
        del kept[:-MOST_ROWS]
        self.changed.set()

    def rows(self) -> list[dict[str, str]]:
        """What the table shows."""
        bad = self._bad[-MOST_ROWS:]
        good = self._good[-(MOST_ROWS - len(bad)):] if len(bad) < MOST_ROWS else []
        return [_row(line) for line in (*reversed(bad), *reversed(good))]

    async def show(self) -> None:
        """Write the table now and whenever it has changed, until `end`."""
        artifact: UUID | None = None
        while True:
            over = self._over.is_set()
            self.changed.clear()
            try:
                artifact = await self._write(artifact)
            except Exception:  # whatever the API says, the films go on
                logger.warning("The table of clips could not be shown in the Prefect UI.", exc_info=True)
            if over:
                return
            await self.changed.wait()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._over.wait(), UPDATE_SECONDS)

    def end(self) -> None:
        """Have the table written once more, and no more."""
        self._over.set()
        self.changed.set()

    async def _write(self, artifact: UUID | None) -> UUID | None:
        rows, told = self.rows() or [{"clip": ""}], self.tally.told()
        if self._page:
            told = f"{told}. All of them on one page: {self._page}"
        if artifact is None:
            made: UUID = await acreate_table_artifact(rows, key="clips", description=told)
            return made
        async with get_client() as client:
            await client.update_artifact(artifact, ArtifactUpdate(data=json.dumps(rows), description=told))
        return artifact


@contextlib.asynccontextmanager
async def growing(summary: Summary) -> AsyncIterator[None]:
    """Show a summary while the block runs, and its last state behind it."""
    showing = asyncio.create_task(summary.show())
    try:
        yield
    finally:
        summary.end()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(showing, timeout=15)


def _row(line: Line) -> dict[str, str]:
    price = "unknown" if line.cost_usd is None else f"{line.cost_usd:.4f}"
    return {
        "clip": line.name, "status": line.status, "took": f"{line.took:.1f} s", "USD": price,
        "job": ", ".join(line.job_ids), "result": line.error or ", ".join(line.outputs),
    }
