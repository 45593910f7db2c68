"""`reelflow setup`: what Prefect has to hold before deployments run."""

from __future__ import annotations

import asyncio
from typing import Annotated

from flows.cli.films import Flag
from flows.cli.prefect_api import told_of_prefect
from flows.cli.terminal import say_json, show_rows, wide_console
from reelflow.settings import read_settings


def setup(*, jobs_at_once: int | None = None, dead_after: float = 120.0, notify: str | None = None,
          json: Annotated[bool, Flag] = False) -> int:
    """Make the work pool, its queues, the limit on jobs in flight and the automations, or bring them up to date.

    Run it with the API key that the workers have, on the server that PREFECT_API_URL names; then `prefect --no-prompt
    deploy --all`.

    Parameters
    ----------
    jobs_at_once
        Jobs that all runs with this key may have on the queue together. Left away: as it was set before, or 10.
    dead_after
        Seconds without a sign of life after which a run is taken for dead and taken up again.
    notify
        A notification block, such as slack-webhook/ops: it is told of runs that fail, wait for a person or are late.
    json
        Print one JSON object.
    """
    from flows.setup import Wanted, set_up

    with told_of_prefect():
        made = asyncio.run(set_up(read_settings(), Wanted(jobs_at_once, dead_after, notify)))
    if json:
        say_json({"status": "completed", "made": [{"what": what, "is": told} for what, told in made], "error": None})
    else:
        show_rows(wide_console(), made)
    return 0
