"""The flow `clean`: what nobody has used for a while is removed from the work folder."""

from __future__ import annotations

import asyncio
from typing import Any

from prefect import flow
from prefect.artifacts import acreate_table_artifact
from prefect.runtime import flow_run

from reelflow.errors import BadInput
from reelflow.run_log import clear_logs
from reelflow.settings import read_settings
from reelflow.store import Store, Usage, clear_notes
from tasks.phase import shown


@flow(name="clean")
async def clean(unused_days: float = 30.0) -> dict[str, Any]:
    """Remove kept results and prepared films that nobody has used for so many days, and logs of that age. The ledger is
    never cleaned.

    What is removed and asked for again is fetched from the queue while that still has it, and told where it hasn't;
    it is never bought again unasked. Finished films are not touched.

    Args:
        unused_days: How long nobody may have used a file for it to be removed.
    """
    if unused_days < 0:
        raise BadInput("The days must be 0 or more.", field="unused_days")
    settings = read_settings()
    store, seconds = Store(settings.work_dir / "store"), unused_days * 86_400
    removed = await store.clear(unused_for=seconds)
    notes = await asyncio.to_thread(clear_notes, settings.work_dir, unused_for=seconds)
    logs = await asyncio.to_thread(clear_logs, settings.work_dir, unused_for=seconds)
    left = await store.usage()
    rows = [{"": name, "files": str(usage.files), "MB": f"{usage.size_bytes / 1e6:.1f}"}
            for name, usage in (("removed", removed), ("notes removed", notes), ("logs removed", logs), ("left", left))]
    await shown(acreate_table_artifact(rows, key="clean", description=f"Unused for {unused_days:g} days"),
                what="What was removed")
    return {"status": "completed", "removed": _told(removed), "notes": _told(notes), "logs": _told(logs),
            "left": _told(left), "flow_run_id": flow_run.id}


def _told(usage: Usage) -> dict[str, int]:
    return {"files": usage.files, "size_bytes": usage.size_bytes}
