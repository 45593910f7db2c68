"""How flows are made whose runs need few clients for Prefect's server."""

from __future__ import annotations

import contextlib
import functools
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import certifi
from prefect import Flow
from prefect.context import AsyncClientContext, SyncClientContext
from prefect.settings import get_current_settings

from reelflow.media.run import end_with_us

P = ParamSpec("P")
R = TypeVar("R")


class Started(Flow[P, Coroutine[Any, Any, R]]):
    """A flow whose runs have one client of each kind, and both the same certificates.

    Prefect asks its server where results are kept once for a run, and once more for one that has a name, and makes a
    synchronous client each time. Each client reads all certificates that there are, some 25 ms, whether it needs them
    or not. A run that a worker starts, or a flow with other options, goes Prefect's
    own way.
    """

    def __call__(self, *args: Any, **kwargs: Any) -> Coroutine[Any, Any, Any]:  # type: ignore[override]
        """Run the flow."""
        return self._run(args, kwargs)

    async def _run(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        async with _clients():
            return await super().__call__(*args, **kwargs)


def flow(**options: Any) -> Callable[[Callable[P, Coroutine[Any, Any, R]]], Started[P, R]]:
    """Prefect's `flow` with these options."""
    return lambda function: Started(function, **options)


@contextlib.asynccontextmanager
async def _clients() -> AsyncIterator[None]:
    """Both clients for what runs inside the block; those that are there already stay."""
    if AsyncClientContext.get() is not None:
        with SyncClientContext.get_or_create():
            yield
        return
    settings = _connecting()
    asking, telling = SyncClientContext(settings), AsyncClientContext(settings)
    # Who asks for a client without settings of its own is given that of a context without: these are such, with the
    # very certificates that Prefect would read for them.
    asking._httpx_settings = telling._httpx_settings = None
    async with telling:
        with asking:
            _end_server_with_us()
            yield


def _end_server_with_us() -> None:
    """Have the server that Prefect has started for us, if it has, end with us also where we are killed.

    Prefect ends it only when we end by ourselves. Else it stays for good, and holds open what we write to, so that
    `reelflow … | tail` does not end.
    """
    if get_current_settings().api.url is None:
        from prefect.server.api.server import SubprocessASGIServer

        if (server := SubprocessASGIServer().server_process) is not None:
            end_with_us(server.pid)


def _connecting() -> dict[str, Any] | None:
    api = get_current_settings().api
    if api.tls_insecure_skip_verify:
        return None
    file = api.ssl_cert_file or certifi.where()
    return {"verify": _certificates(file, Path(file).stat().st_mtime_ns)}


@functools.lru_cache(maxsize=1)
def _certificates(file: str, _changed: int) -> ssl.SSLContext:
    """Those of this file, read anew once it has changed: those that Prefect and httpx take by themselves."""
    return ssl.create_default_context(cafile=file)
