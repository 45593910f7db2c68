"""Events of jobs and clips, for automations in Prefect: where a person must decide, where money went, what came."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from prefect import get_run_logger
from prefect.assets import Asset, AssetProperties
from prefect.context import AssetContext
from prefect.events import emit_event

from reelflow.errors import ReelflowError
from reelflow.inbox import Arrival
from reelflow.lineage import Made, Stage
from reelflow.sources import is_address, show_source
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


# What Prefect takes in no key of an asset, and a key of which the rest tells enough.
_NOT_IN_KEYS, _MOST_IN_KEY = re.compile(r"[\s\0#?&%\"'<>\[\]{}|\\^`]+"), 480


def emit_lineage(lineage: Sequence[Made]) -> None:
    """Emit what Prefect's own assets do: each file as an asset, made of those that it was made of.

    `@materialize` wants a task's assets before it runs, and what a film is called here, its content, is known behind.
    """
    assets = {one.digest: _asset(one) for one in reversed(lineage)}
    for one in lineage:
        asset = _asset(one)
        if not one.made_of:
            emit_event("prefect.asset.referenced", resource=AssetContext.asset_as_resource(asset), related=[],
                       payload=one.to_dict())
            continue
        before = [assets[digest] for digest in one.made_of if digest in assets and assets[digest].key != asset.key]
        emit_event(
            "prefect.asset.materialization.succeeded", resource=AssetContext.asset_as_resource(asset),
            related=[*map(AssetContext.asset_as_related, before), AssetContext.related_materialized_by("reelflow")],
            payload=one.to_dict())


def _asset(one: Made) -> Asset:
    """A source and a finished film are what lies at their place, whatever it holds; all else is its content."""
    if one.lies_at is None or one.stage is Stage.REFERENCE:
        key = f"reelflow://{one.stage}/{one.digest}"
    else:
        key = one.lies_at if is_address(one.lies_at) else f"file://{one.lies_at}"
        key = _NOT_IN_KEYS.sub("_", key.partition("://")[0].lower() + "://" + key.partition("://")[2])[:_MOST_IN_KEY]
    return Asset(key=key, properties=AssetProperties(name=one.name, description=f"{one.stage}, {one.digest}"))
