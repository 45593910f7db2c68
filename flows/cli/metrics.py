"""`reelflow metrics`: the ledger's figures as Prometheus reads them."""

from __future__ import annotations

import asyncio
import sys

from reelflow.job.ledger import Ledger
from reelflow.settings import read_settings


def metrics(*, serve: int | None = None, host: str = "127.0.0.1") -> int:
    """Jobs by state and model, seconds, spend, times, and what waits for a person, as OpenMetrics text.

    Parameters
    ----------
    serve
        Serve them at /metrics on this port until Ctrl-C, in place of printing them once.
    host
        Address to listen on.
    """
    settings = read_settings()
    if serve is not None:
        from reelflow.metrics_server import serve_metrics

        serve_metrics(settings.ledger_url, settings.work_dir, host=host, port=serve)
        return 0
    from reelflow.metrics import as_text, look

    async def read() -> str:
        async with Ledger.open(settings.ledger_url, work_dir=settings.work_dir) as ledger:
            return as_text(await look(ledger, settings.work_dir))

    sys.stdout.write(asyncio.run(read()))
    return 0
