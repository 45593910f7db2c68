"""Tasks that can be folded into one: in a batch a clip is one task run, and what it consists of are plain calls.

Hundreds of clips at once, each with a dozen task runs and as many artifacts, are more than Prefect's SQLite server
takes; and nobody looks at them one by one.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import Callable, Coroutine, Iterator
from contextvars import ContextVar
from typing import Any, ParamSpec, TypeVar

from prefect import task as prefect_task
from prefect.client.schemas.objects import State
from prefect.utilities.annotations import opaque, quote

from reelflow.errors import ReelflowError, SourceFault
from reelflow.recipe import Recipe
from reelflow.report import Report

P = ParamSpec("P")
R = TypeVar("R")

_folded: ContextVar[bool] = ContextVar("folded", default=False)


@contextlib.contextmanager
def folding() -> Iterator[None]:
    """Have tasks inside the block be plain calls, and phases and reports leave nothing in the Prefect UI."""
    token = _folded.set(True)
    try:
        yield
    finally:
        _folded.reset(token)


def is_folded() -> bool:
    """Whether this is part of a larger task run."""
    return _folded.get()


def task(
    **options: Any,
) -> Callable[[Callable[P, Coroutine[Any, Any, R]]], Callable[P, Coroutine[Any, Any, R]]]:
    """Prefect's `task` with these options; inside `folding()` a plain call. Either is tried again, as its `retries`
    say, for what may pass alone: an address that does not answer (SourceFault).

    An error that has no phase to come from is told to come from the task.
    """
    tries, pause = 1 + int(options.get("retries") or 0), float(options.get("retry_delay_seconds") or 0)

    def wrap(function: Callable[P, Coroutine[Any, Any, R]]) -> Callable[P, Coroutine[Any, Any, R]]:
        whole = prefect_task(**options, retry_condition_fn=_may_pass)(function)

        async def once(*given: P.args, **named: P.kwargs) -> R:
            if not is_folded():
                made: R = await whole(*map(_closed, given), **{name: _closed(one) for name, one in named.items()})
                return made
            for _ in range(tries - 1):
                with contextlib.suppress(SourceFault):
                    return await function(*given, **named)
                await asyncio.sleep(pause)
            return await function(*given, **named)

        @functools.wraps(function)
        async def call(*given: P.args, **named: P.kwargs) -> R:
            try:
                return await once(*given, **named)
            except ReelflowError as error:
                error.where = error.where or function.__name__.replace("_", " ")
                raise

        return call
    return wrap


async def _may_pass(_task: Any, _run: Any, state: State[Any]) -> bool:
    return isinstance(await state.aresult(raise_on_failure=False), SourceFault)


def _closed(value: Any) -> Any:
    """What Prefect need not look into for results of other tasks, each time: a recipe has none, and a report is one."""
    return quote(value) if isinstance(value, Recipe) else opaque(value) if isinstance(value, Report) else value
