"""The first film of a run, prepared while the rest of the run is still being started.

To import Prefect takes a core for a second and more, and ffmpeg needs no Prefect: what goes to the first model is known
as soon as the clip was looked at, and so is in which film the changes of scene are looked for, where it goes out in
pieces. It gives way to the import, which would get a fraction of a core beside ffmpeg's threads. Nothing is bought by
it, nothing rests on it: a run that finds nothing made ahead, or not what it needs, does it itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from reelflow.kept import find_kept, first_key
from reelflow.media.command import Shot
from reelflow.media.media_step import Given
from reelflow.media.prepare import Prepared, prepare
from reelflow.media.probe import Probe
from reelflow.media.run import Progress, find_ffmpeg
from reelflow.media.segment import find_scenes
from reelflow.page.facts import moment_before
from reelflow.plan import How, Plan, Prepare, Span
from reelflow.scratch import scratch_folder
from reelflow.settings import Settings
from reelflow.store import Store
from reelflow.strand import whole_span

_LOOK_SECONDS = 0.1

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class MadeAhead:
    """What was made, and for how many seconds it had been at work when it was asked for."""

    prepared: Prepared
    earlier: float


class _InThread(Generic[T]):
    """Something that goes on in a thread of its own, to its end or to `stop`."""

    def __init__(self) -> None:
        self._began: Future[tuple[asyncio.AbstractEventLoop, asyncio.Task[T]]] = Future()
        self._ended: Future[None] = Future()
        self._thread = ThreadPoolExecutor(1)
        self._ending: Future[T] = self._thread.submit(asyncio.run, self._run())
        self._ending.add_done_callback(self._over)

    def _over(self, _: object) -> None:
        """Let nobody wait for what will not come: it may have failed early, or the thread ended before it began."""
        self._began.cancel()
        self._ended.set_result(None)

    async def _run(self) -> T:
        task = asyncio.current_task()
        assert task is not None
        self._began.set_result((asyncio.get_running_loop(), task))
        return await self._make()

    async def _make(self) -> T:
        raise NotImplementedError

    async def _ends(self, seconds: float | None = None) -> None:
        """Wait until it has ended, or so long. (asyncio would tell of an error that nobody has asked for.)"""
        await asyncio.wait({asyncio.wrap_future(self._ended)}, timeout=seconds)

    def _said(self) -> T | None:
        """What came of it; what went wrong goes wrong again for the run, which tells it."""
        return None if self._ending.cancelled() or self._ending.exception() is not None else self._ending.result()

    def stop(self) -> None:
        """End it, and its ffmpeg, wherever it is; returns when they are gone."""
        with contextlib.suppress(RuntimeError, CancelledError):  # it has ended by itself, or never begun
            loop, task = self._began.result()
            loop.call_soon_threadsafe(task.cancel)
        self._thread.shutdown()


class _Ahead(_InThread[Prepared | None]):
    """A film that is being prepared."""

    def __init__(self, plan: Plan, settings: Settings, scratch: Path, *, strict: bool) -> None:
        self._plan, self._settings, self._scratch, self._strict = plan, settings, scratch, strict
        self._progress, self._shots = Progress(), scratch / "shots"
        self._encoding_since = self._encoded_at = 0.0
        self._key: Future[str] = Future()
        super().__init__()

    def _over(self, over: object) -> None:
        super()._over(over)
        if not self._key.done():
            self._key.set_result("")

    async def _make(self) -> Prepared | None:
        settings, prepared = self._settings, self._plan.jobs[0].prepare
        given = Given(self._plan.files, self._scratch / "steps")
        ffmpeg = find_ffmpeg(settings.ffmpeg)
        target = self._scratch / "prepared.mp4"
        key = await first_key(self._plan, given, ffmpeg=ffmpeg)
        self._key.set_result(key)
        if await find_kept(Store(settings.work_dir / "store"), settings.work_dir, key) is not None:
            return None
        self._encoding_since = time.monotonic()
        self._shots.mkdir()
        made = await prepare(prepared, {}, given, target, ffmpeg=ffmpeg, timeout=settings.ffmpeg_timeout,
                             on_progress=self._move, strict=self._strict,
                             shot=Shot(moment_before(self._plan), self._shots), gives_way=True)
        self._encoded_at = time.monotonic()
        return made

    def _move(self, progress: Progress) -> None:
        self._progress = progress

    async def made(
        self, key: str, on_progress: Callable[[Progress], None], shots_to: Path | None
    ) -> MadeAhead | None:
        """What was made, as soon as it is; None where it failed, or where another film is asked for."""
        if await asyncio.wrap_future(self._key) != key:
            await asyncio.to_thread(self.stop)
            return None
        asked_at = time.monotonic()
        while not self._ended.done():
            on_progress(self._progress)
            await self._ends(_LOOK_SECONDS)
        if (made := self._said()) is None:
            return None
        if shots_to is not None:
            for shot in self._shots.iterdir():
                shot.replace(shots_to / shot.name)
        return MadeAhead(made, max(0.0, min(asked_at, self._encoded_at) - self._encoding_since))


class _Scenes(_InThread[tuple[float, ...]]):
    """A look for the changes of scene in a whole film that will go out in pieces."""

    def __init__(self, film: Probe, settings: Settings) -> None:
        self._asked, self._settings = (film, whole_span(film)), settings
        super().__init__()

    async def _make(self) -> tuple[float, ...]:
        settings = self._settings
        return await find_scenes(*self._asked, ffmpeg=find_ffmpeg(settings.ffmpeg), timeout=settings.ffmpeg_timeout,
                                 gives_way=True)

    async def found(self, film: Probe, span: Span) -> tuple[float, ...] | None:
        """What was found, as soon as it is; None where the look failed, or where another film is asked for."""
        if (film, span) != self._asked:
            await asyncio.to_thread(self.stop)
            return None
        await self._ends()
        return self._said()


_Going = TypeVar("_Going", bound=_InThread[Any])
_ahead: ContextVar[_Ahead | None] = ContextVar("ahead", default=None)
_scenes: ContextVar[_Scenes | None] = ContextVar("scenes_ahead", default=None)


@contextlib.contextmanager
def preparing_ahead(plan: Plan | None, settings: Settings, *, strict: bool = False) -> Iterator[None]:
    """Begin to prepare the first film of a plan (None: nothing), for `made_ahead` inside the block to find.

    Where it goes out in pieces the changes of scene are looked for in its place, for `scenes_ahead` to find. Whatever
    goes on when the block ends is ended with it. The work folder has to be there.
    """
    if plan is None or not plan.jobs or plan.source.is_picture:
        yield
        return
    if not _can_be_ahead(plan.jobs[0].prepare):
        if all(len(job.prepare.pieces) <= 1 for job in plan.jobs):
            yield
            return
        with _going_on(_scenes, _Scenes(plan.source, settings)):
            yield
        return
    with (
        scratch_folder(settings.work_dir) as scratch,
        _going_on(_ahead, _Ahead(plan, settings, scratch, strict=strict)),
    ):
        yield


@contextlib.contextmanager
def _going_on(where: ContextVar[_Going | None], what: _Going) -> Iterator[None]:
    """Have it found there while the block lasts, and ended behind it."""
    token = where.set(what)
    try:
        yield
    finally:
        where.reset(token)
        what.stop()


async def made_ahead(
    key: str, on_progress: Callable[[Progress], None], *, shots_to: Path | None = None
) -> MadeAhead | None:
    """The film of this key (see `kept`), where one is prepared ahead: waited for, while its progress is told.

    What was left of the source on the way (see `strip`) is moved to the folder `shots_to`.
    """
    ahead = _ahead.get()
    return None if ahead is None else await ahead.made(key, on_progress, shots_to)


async def scenes_ahead(film: Probe, span: Span) -> tuple[float, ...] | None:
    """The changes of scene in a film's span (seconds on its own clock), where they are looked for ahead: waited for."""
    looking = _scenes.get()
    return None if looking is None else await looking.found(film, span)


def _can_be_ahead(prepared: Prepare) -> bool:
    """Whether it is a film that no other job has to return before, and that isn't cut where its scenes change."""
    return (prepared.how is How.ENCODE and not prepared.is_picture and len(prepared.pieces) <= 1
            and not any(prepared.pictures.feeds()))
