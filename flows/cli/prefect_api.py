"""Prefect's API as a command finds it: that it can't be reached, or refuses, is a sentence."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from reelflow.errors import ReelflowError
from reelflow.sources import show_source

_CHANGE = "or set PREFECT_API_URL to another"


@contextlib.contextmanager
def told_of_prefect() -> Iterator[None]:
    """Have what Prefect's API does wrong inside the block raised as a ReelflowError; other errors as they are."""
    try:
        yield
    except ReelflowError:
        raise
    except Exception as error:
        told = _told(error)
        if told is None:
            raise
        raise ReelflowError(told) from error


async def examine_api() -> tuple[bool | None, str]:
    """Whether the API that is named answers, in a sentence (None: none is named, and each run starts its own)."""
    from prefect.client.orchestration import get_client

    if (address := _address()) is None:
        return None, "started for each run (PREFECT_API_URL is not set)"
    try:
        with told_of_prefect():
            async with get_client() as client:
                return True, f"{address} answers, version {await client.api_version()}"
    except ReelflowError as error:
        return False, error.message
    except ValueError:  # no JSON
        return False, _no_api(address)


def _told(error: Exception) -> str | None:
    import httpx
    from prefect.exceptions import ObjectNotFound

    said, address = str(error), _address()
    if "ephemeral Prefect API server" in said:
        return ("Prefect's server did not start in time: end other work on this machine, or start one with "
                "`prefect server start` and set PREFECT_API_URL.")
    if "incompatible versions" in said:
        return f"Prefect's server at {address} can't be used: {said[:1].lower()}{said[1:]}"
    is_first = "Failed to reach API" in said
    for cause in _causes(error):
        if isinstance(cause, httpx.TransportError):
            return _gone(address)
        if isinstance(cause, httpx.HTTPStatusError):
            if isinstance(error, ObjectNotFound):
                return f"Prefect's server at {address} does not know this run any more: it was deleted there meanwhile."
            return _refused(address, cause.response.status_code)
    return _no_api(address) if is_first else None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what it came of: Prefect wraps what went wrong in one that only says that something did."""
    while error is not None:
        yield error
        error = error.__cause__


def _gone(address: str | None) -> str:
    if address is None:
        return "The Prefect server that was started for this run has ended too soon: run the same again."
    return f"Prefect's server at {address} can't be reached: start it with `prefect server start`, {_CHANGE}."


def _no_api(address: str | None) -> str:
    return f"{address} is not the API of a Prefect server, which ends in /api: set PREFECT_API_URL to it."


def _refused(address: str | None, status: int) -> str:
    """What a status of an answer means that is no good one."""
    if status in (401, 403):
        return (f"Prefect's server at {address} refuses us ({status}): set PREFECT_API_AUTH_STRING to what it takes "
                "(PREFECT_API_KEY for Prefect Cloud).")
    if status == 404:
        return _no_api(address)
    return f"Prefect's server at {address} has answered {status}: look into its log, {_CHANGE}."


def _address() -> str | None:
    """Where the API is, as it may be shown."""
    from prefect.settings import get_current_settings

    address = get_current_settings().api.url
    return None if address is None else show_source(str(address))
