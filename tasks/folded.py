"""Tasks that can be folded into one: in a batch a clip is one task run, and what it consists of are plain calls.

Hundreds of clips at once, each with a dozen task runs and as many artifacts, are more than Prefect's SQLite server
takes; and nobody looks at them one by one.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
from collections.abc import Callable, Coroutine, Iterator
from contextvars import ContextVar
from typing import Any, ParamSpec, TypeVar, cast

from prefect import task as prefect_task
from prefect.task_engine import run_task_async
from prefect.utilities.annotations import quote

from reelflow.errors import ReelflowError, SourceFault
from tasks.arrows import arrows_to

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
    """Prefect's `task` with these options; inside `folding()` a plain call, tried again where a source may be back.

    An error that has no phase to come from is told to come from the task.
    """
    tries, pause = 1 + int(options.get("retries") or 0), float(options.get("retry_delay_seconds") or 0)

    def wrap(function: Callable[P, Coroutine[Any, Any, R]]) -> Callable[P, Coroutine[Any, Any, R]]:
        whole, signature = prefect_task(**options)(function), inspect.signature(function)

        async def once(*given: P.args, **named: P.kwargs) -> R:
            if not is_folded():
                # As calling `whole` would, but for the two walks through its arguments.
                parameters = _bound(signature, given, named)
                made = await run_task_async(whole, parameters={name: quote(one) for name, one in parameters.items()},
                                            dependencies=arrows_to(parameters))
                return cast(R, made)
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


def _bound(signature: inspect.Signature, given: tuple[Any, ...], named: dict[str, Any]) -> dict[str, Any]:
    bound = signature.bind(*given, **named)
    bound.apply_defaults()
    return bound.arguments
