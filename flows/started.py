"""How flows are made that have one client for what Prefect asks of its server before they begin."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

from prefect import Flow
from prefect.context import SyncClientContext

P = ParamSpec("P")
R = TypeVar("R")


class Started(Flow[P, Coroutine[Any, Any, R]]):
    """A flow whose runs ask where results are kept by one client.

    Prefect asks it once for a run, and once more for one that has a name, and makes a client each time, which reads all
    certificates that there are: some 25 ms.
    """

    def __call__(self, *args: Any, **kwargs: Any) -> Coroutine[Any, Any, Any]:  # type: ignore[override]
        """Run the flow."""
        return self._run(args, kwargs)

    async def _run(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        with SyncClientContext.get_or_create():
            return await super().__call__(*args, **kwargs)


def flow(**options: Any) -> Callable[[Callable[P, Coroutine[Any, Any, R]]], Started[P, R]]:
    """Prefect's `flow` with these options."""
    return lambda function: Started(function, **options)
