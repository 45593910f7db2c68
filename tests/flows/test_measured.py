"""What runs measure of themselves, as the metrics count it from any process."""

from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from flows.restyle import restyle
from reelflow.job.ledger import Ledger
from reelflow.metrics import as_text, look
from reelflow.standin.server import StandIn

pytestmark = pytest.mark.usefixtures("prefect_server")


async def test_a_run_s_queue_wait_speed_and_cache_hits_reach_the_metrics(
    queue: StandIn, clip: Path, tmp_path: Path, work_dir: Path
) -> None:
    for name in ("one", "two"):  # the second finds what was prepared, and what was bought
        await restyle(str(clip), prompt="noir", output=str(tmp_path / f"{name}.mp4"))
    async with Ledger.open(None, work_dir=work_dir) as ledger:
        text = as_text(await look(ledger, work_dir))
    told = {(one.name, *sorted(one.labels.values())): one.value
            for family in text_string_to_metric_families(text) for one in family.samples}
    assert {name: value for name, value in told.items() if name[0] == "reelflow_cache_lookups_total"} == {
        ("reelflow_cache_lookups_total", kind, found): 1.0 for kind, found in (
            ("hit", "prepared"), ("miss", "prepared"), ("hit", "result"), ("miss", "result"))}
    assert told["reelflow_queue_wait_seconds_count", "lucy-restyle-2", "true"] == 1
    assert 0 <= told["reelflow_queue_wait_seconds_sum", "lucy-restyle-2", "true"] < 60
    assert told["reelflow_encoded_film_seconds_total", "prepare"] == pytest.approx(1.0, abs=0.1)
    assert told["reelflow_encoded_film_seconds_total", "finish"] == pytest.approx(2.0, abs=0.2)
    assert told["reelflow_encode_seconds_total", "finish"] > 0
