"""What lies beside the results of many clips: their manifest and their index page, where these are looked for."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from prefect import get_run_logger

from reelflow import remote
from reelflow.errors import BadInput, ReelflowError
from reelflow.manifest import Line, Manifest, read_manifest
from reelflow.page.wall import index_beside, write_wall
from reelflow.sources import is_address, show_source

EVERY_SECONDS = 10.0


class Results:
    """The manifest of many clips and the page that is written from it, brought to `output` where that's an address.

    What was only estimated has no page. Until a batch is known to `go_on` its lines are held back: one that is refused
    as a whole, or halted before it has made anything, leaves the manifest and the page of the one before. `trouble`
    says why a line could not be written.
    """

    def __init__(self, manifest: Manifest, output: str, title: str, clips: int, *, estimated: bool) -> None:
        self._manifest, self._title, self._clips = manifest, title, clips
        self._output = output if is_address(output) else ""
        self._page = index_beside(manifest.path)
        self._estimated = estimated
        self._brought: set[str] = set()
        self._lines = 0
        self._held: list[Line] | None = []
        self.trouble = ""

    def add(self, line: Line) -> None:
        """Write a line into the manifest, or hold it until `go_on`."""
        if self._held is not None:
            self._held.append(line)
            return
        try:
            self._manifest.add(line)
        except OSError as error:
            self.trouble = (f"The manifest {self._manifest.path} can't be written ({error.strerror}): make room there. "
                            "What is bought is in the ledger.")

    def go_on(self) -> None:
        """Begin the manifest anew, write what was held, and from now on each line at once."""
        held, self._held = self._held or [], None
        self._lines = -1
        self._manifest.begin()
        for line in held:
            self.add(line)

    async def tell_of_run_before(self) -> bool:
        """Whether a manifest of a run before lies where it is looked for, as far as that can be told."""
        if not self._output:
            return self._manifest.path.stat().st_size > 0
        try:
            return await asyncio.to_thread(remote.look_at, self._lies(self._manifest.path), field="output") is not None
        except BadInput:
            return True

    @property
    def are_held(self) -> bool:
        """Whether nothing was written yet."""
        return self._held is not None

    @property
    def manifest(self) -> str:
        """Where the manifest is looked for."""
        return show_source(self._lies(self._manifest.path))

    @property
    def page(self) -> str | None:
        """Where the index page is looked for; None where there is none."""
        return None if self._estimated else show_source(self._lies(self._page))

    @contextlib.asynccontextmanager
    async def kept_up(self) -> AsyncIterator[None]:
        """Write the page, and bring everything, every few seconds inside the block and once more at its end."""
        ended = asyncio.Event()
        keeping = asyncio.create_task(self._keep_up(ended))
        try:
            yield
        finally:
            # Not cancelled: a thread that is writing would go on, and might have the last word.
            ended.set()
            await asyncio.gather(keeping, return_exceptions=True)
            await self._show(goes_on=False)

    async def _keep_up(self, ended: asyncio.Event) -> None:
        while not ended.is_set():
            if self._manifest.lines != self._lines:
                await self._show(goes_on=True)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), EVERY_SECONDS)

    async def _show(self, *, goes_on: bool) -> None:
        """The films are what counts: whatever can't be shown is told, and the clips go on."""
        self._lines = self._manifest.lines
        try:
            await asyncio.to_thread(self._write, goes_on)
        except (ReelflowError, OSError) as error:
            get_run_logger().warning("The batch's index page could not be brought up to date: %s", error)

    def _write(self, goes_on: bool) -> None:
        if self._held is not None:
            return
        if self._output:
            remote.put(self._manifest.path, self._lies(self._manifest.path))
        if self._estimated:
            return
        write_wall(self._manifest.path, self._page, title=self._title, clips=self._clips, goes_on=goes_on,
                   away=bool(self._output))
        if self._output:
            self._bring_posters()
            remote.put(self._page, self._lies(self._page))

    def _bring_posters(self) -> None:
        """Bring those that the manifest names by now: others that lie here are another run's, or not made anew yet."""
        told = {line.poster for line in read_manifest(self._manifest.path) if line.poster}
        for name in sorted(told - self._brought):
            if (poster := self._manifest.path.parent / name).is_file():
                remote.put(poster, remote.join(self._output, name))
            self._brought.add(name)

    def _lies(self, path: Path) -> str:
        return remote.join(self._output, path.name) if self._output else str(path)
