"""The metrics: what they count, that Prometheus can read them, that the dashboard asks for what there is."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from reelflow.job.entry import Intent, Terms
from reelflow.job.ledger import Ledger
from reelflow.measure import Found, Measure, What
from reelflow.metrics import as_text, look
from reelflow.metrics_server import metrics_app

INTENT = Intent(
    key="a" * 64, queue="q", base_url="http://q", stand_in=False, model="lucy-2.5", resolved="lucy-2.5",
    result="film", source_digest="s", reference_digest=None, parameters="[]", seconds=1.5, cost=Decimal("0.0600"),
)


async def test_a_form_that_is_on_its_way_is_not_counted_since_it_may_be_turned_away(work_dir: Path) -> None:
    async with Ledger.open(None, work_dir=work_dir) as ledger:
        claim = await ledger.claim(INTENT, Terms())
        assert claim.purchase
        counted = []
        for step in (ledger.sent, ledger.unsent, ledger.sent):
            await step(claim.purchase)
            counted.append(samples(as_text(await look(ledger, work_dir)))["reelflow_purchases_total", REAL])
        await ledger.accepted(claim.purchase, "job_a", stand_in=False)
        counted.append(samples(as_text(await look(ledger, work_dir)))["reelflow_purchases_total", REAL])
    assert counted == [0, 0, 0, 1]


async def filled(ledger: Ledger, work_dir: Path) -> None:
    """A ledger with one job completed, one whose reply was lost, one of the stand-in, and a run's receipt."""
    for key, stand_in in (("a", False), ("b", False), ("c", True)):
        claim = await ledger.claim(replace(INTENT, key=key * 64, stand_in=stand_in), Terms())
        assert claim.purchase
        await ledger.sent(claim.purchase)
        if key == "b":
            await ledger.unknown(claim.purchase, "no reply")
            continue
        await ledger.accepted(claim.purchase, f"job_{key}", stand_in=stand_in)
        await ledger.completed(claim.purchase, digest="d", size_bytes=1, seconds=1.5)
    (work_dir / "receipts").mkdir()
    measures = [
        Measure(What.QUEUE_WAIT, "lucy-2.5", 1.5), Measure(What.QUEUE_WAIT, "lucy-2.5", 40.0),
        Measure(What.ENCODE, "prepare", 10.0, 2.0), Measure(What.ENCODE, "prepare", 5.0, 3.0),
        Measure(What.LOOK_UP, "result", found=Found.MISS), Measure(What.LOOK_UP, "prepared", found=Found.HIT),
        Measure(What.LOOK_UP, "prepared", found=Found.HIT),
    ]
    (work_dir / "receipts" / "one.json").write_text(json.dumps({"report": {
        "phases": {"prepare": 2.0, "wait": 3.0}, "measures": [measure.to_dict() for measure in measures]}}))
    # Of an earlier version, which measured nothing of itself.
    (work_dir / "receipts" / "old.json").write_text(json.dumps({"report": {"phases": {"wait": 4.0}}}))
    (work_dir / "receipts" / "two.json").write_text("{")


def samples(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Every sample that the text holds, read as Prometheus reads it."""
    return {
        (one.name, tuple(sorted(one.labels.items()))): one.value
        for family in text_string_to_metric_families(text) for one in family.samples
    }


REAL, ACTED = (("model", "lucy-2.5"), ("stand_in", "false")), (("model", "lucy-2.5"), ("stand_in", "true"))


async def test_jobs_money_and_what_waits_are_counted_apart_from_the_stand_in(work_dir: Path) -> None:
    async with Ledger.open(None, work_dir=work_dir) as ledger:
        await filled(ledger, work_dir)
        told = samples(as_text(await look(ledger, work_dir)))
    assert told["reelflow_spent_usd_total", REAL] == 0.06
    assert told["reelflow_spent_usd_total", ACTED] == 0.06
    assert told["reelflow_uncertain_usd", REAL] == 0.06
    assert told["reelflow_generated_seconds_total", REAL] == 1.5
    assert told["reelflow_purchases_total", REAL] == 2
    assert told["reelflow_unknown_wishes", ()] == 1
    assert told["reelflow_wishes", (*REAL[:1], ("stand_in", "false"), ("state", "unknown"))] == 1
    assert told["reelflow_job_seconds_count", REAL] == 1
    assert told["reelflow_phase_seconds_sum", (("phase", "wait"),)] == 7.0


async def test_queue_wait_speed_and_cache_hits_are_counted_from_what_runs_have_measured(work_dir: Path) -> None:
    async with Ledger.open(None, work_dir=work_dir) as ledger:
        await filled(ledger, work_dir)
        told = samples(as_text(await look(ledger, work_dir)))
    assert told["reelflow_queue_wait_seconds_count", REAL] == 2
    assert told["reelflow_queue_wait_seconds_sum", REAL] == 41.5
    assert told["reelflow_queue_wait_seconds_bucket", (("le", "2.0"), *REAL)] == 1
    prepare = (("phase", "prepare"),)
    assert told["reelflow_encoded_film_seconds_total", prepare] / told["reelflow_encode_seconds_total", prepare] == 3.0
    assert told["reelflow_cache_lookups_total", (("found", "hit"), ("kind", "prepared"))] == 2
    assert told["reelflow_cache_lookups_total", (("found", "miss"), ("kind", "result"))] == 1


async def test_an_empty_ledger_has_metrics_too(work_dir: Path) -> None:
    async with Ledger.open(None, work_dir=work_dir) as ledger:
        told = samples(as_text(await look(ledger, work_dir)))
    assert told["reelflow_unknown_wishes", ()] == 0


async def test_metrics_are_served_in_the_type_that_prometheus_asks_for(work_dir: Path) -> None:
    async with Ledger.open(None, work_dir=work_dir) as ledger:
        await filled(ledger, work_dir)
        transport = httpx.ASGITransport(app=metrics_app(ledger, work_dir))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            answer = await client.get("/metrics")
    assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert answer.text.endswith("# EOF\n")


async def test_the_dashboard_asks_only_for_what_is_measured(work_dir: Path) -> None:
    async with Ledger.open(None, work_dir=work_dir) as ledger:
        await filled(ledger, work_dir)
        known = {name for name, _ in samples(as_text(await look(ledger, work_dir)))}
    board: dict[str, Any] = json.loads((Path(__file__).parent.parent / "deployments" / "grafana.json").read_text())
    asked = {name for panel in board["panels"] for target in panel["targets"]
             for name in re.findall(r"reelflow_\w+", target["expr"])}
    assert len(asked) >= 14
    assert asked <= known
