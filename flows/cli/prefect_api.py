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


def _told(error: BaseException) -> str | None:
    import httpx

    if "ephemeral Prefect API server" in str(error):
        return ("Prefect's server did not start in time: end other work on this machine, or start one with "
                "`prefect server start` and set PREFECT_API_URL.")
    address = _address()
    if "incompatible versions" in str(error):
        return f"Prefect's server at {address} can't be used: {str(error)[:1].lower()}{str(error)[1:]}"
    while not isinstance(error, httpx.TransportError | httpx.HTTPStatusError):
        # Prefect wraps what went wrong in an error that only says that something did.
        if error.__cause__ is None:
            return None
        error = error.__cause__
    if isinstance(error, httpx.TransportError):
        return f"Prefect's server at {address} can't be reached: start it with `prefect server start`, {_CHANGE}."
    return _refused(address, error.response.status_code)


def _refused(address: str | None, status: int) -> str:
    """What a status of an answer means that is no good one."""
    if status in (401, 403):
        return (f"Prefect's server at {address} refuses us ({status}): set PREFECT_API_AUTH_STRING to what it takes "
                "(PREFECT_API_KEY for Prefect Cloud).")
    if status == 404:
        return f"{address} is not the API of a Prefect server (404): it ends in /api; set PREFECT_API_URL to it."
    return f"Prefect's server at {address} has answered {status}: look into its log, {_CHANGE}."


def _address() -> str | None:
    """Where the API is, as it may be shown."""
    from prefect.settings import get_current_settings

    address = get_current_settings().api.url
    return None if address is None else show_source(str(address))
