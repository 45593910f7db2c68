"""Events of jobs and clips, for automations in Prefect: where a person must decide, where money went, what came."""

from __future__ import annotations

from typing import Literal

from prefect import get_run_logger
from prefect.events import emit_event

from reelflow.errors import ReelflowError
from reelflow.inbox import Arrival
from reelflow.sources import show_source
from tasks.run import current_run

Happened = Literal["submitted", "completed", "failed", "unknown"]


async def emit_job(happened: Happened, key: str, *, job_id: str | None = None) -> None:
    """Emit `reelflow.job.…` of the wish `key`: job id, model, seconds and USD (None: unknown) as the ledger has them.

    An event is a notice: where the ledger can't be read for it, the run goes on without.
    """
    try:
        entry = await current_run().ledger.find(key)
    except ReelflowError as error:
        get_run_logger().warning("No event was emitted for wish %s: %s", key[:12], error.message)
        return
    job = job_id or entry.job_id
    cost = entry.cost if entry.output_cost is None else entry.output_cost
    emit_event(
        f"reelflow.job.{happened}",
        resource={
            "prefect.resource.id": f"reelflow.job.{job or key}", "prefect.resource.name": job or f"wish {key[:12]}",
            "reelflow.model": entry.model, "reelflow.stand-in": str(entry.stand_in).lower(),
        },
        payload={
            "job_id": job, "wish": key, "model": entry.model, "resolved_model": entry.resolved,
            "seconds": entry.seconds if entry.output_seconds is None else entry.output_seconds,
            "cost_usd": None if cost is None else float(cost), "stand_in": entry.stand_in, "state": entry.state.value,
        },
    )


def emit_arrival(inbox: str, arrival: Arrival, clip: str) -> None:
    """Emit `reelflow.clip.arrived` for a clip that an inbox has newly taken, under the name `clip`; with its bytes.

    The resource `reelflow.inbox.…` tells it from the same event of whoever brings clips, which starts the inbox.
    """
    emit_event(
        "reelflow.clip.arrived",
        resource={"prefect.resource.id": f"reelflow.inbox.{clip}", "prefect.resource.name": arrival.name},
        payload={"clip": clip, "source": show_source(arrival.source), "inbox": show_source(inbox),
                 "size_bytes": arrival.size_bytes},
    )
