"""The metrics over HTTP, for Prometheus to fetch."""

from __future__ import annotations

import asyncio
import socket
import sys
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from reelflow.errors import LedgerFault
from reelflow.job.ledger import Ledger
from reelflow.metrics import CONTENT_TYPE, as_text, look
from reelflow.served import listening, server_of


def metrics_app(ledger: Ledger, work_dir: Path) -> Starlette:
    """An application with `/metrics`."""
    async def told(_request: Request) -> Response:
        try:
            text = as_text(await look(ledger, work_dir))
        except LedgerFault as error:
            return PlainTextResponse(error.message, status_code=503)
        return Response(text, media_type=CONTENT_TYPE)

    return Starlette(routes=[Route("/metrics", told)])


def serve_metrics(ledger_url: str | None, work_dir: Path, *, host: str, port: int) -> None:
    """Serve the metrics until Ctrl-C.

    Raises:
        BadInput: the ledger can't be opened, or the address can't be had.
    """
    with listening(host, port, what="The metrics page", field="serve") as opened:
        asyncio.run(_serve(ledger_url, work_dir, opened))


async def _serve(ledger_url: str | None, work_dir: Path, opened: socket.socket) -> None:
    host, port = opened.getsockname()[:2]
    async with Ledger.open(ledger_url, work_dir=work_dir) as ledger:
        sys.stdout.write(f"Metrics: http://{host}:{port}/metrics (Ctrl-C ends it)\n")
        sys.stdout.flush()
        await server_of(metrics_app(ledger, work_dir)).serve(sockets=[opened])
