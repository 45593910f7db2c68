"""How a run's facts are told."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from reelflow import errors
from reelflow.advice import what_to_do
from reelflow.errors import (
    BadInput,
    BadRecipe,
    BadRows,
    ClipsFailed,
    JobFailed,
    JobLost,
    MediaFailed,
    OutputTaken,
    OverBudget,
    QueueRefused,
    QueueUnreachable,
    ReelflowError,
    SourceFault,
    SubmitUnknown,
)
from reelflow.job.entry import Paid
from reelflow.report import Report, RunStatus

DONE = Report(
    "restyle", RunStatus.COMPLETED, source="a.mp4", output=Path("b.mp4"), model="lucy-latest",
    resolved_model="lucy-2.6",
    job_ids=("job_1",), paid=Paid.NOW, billed_seconds=1.5, cost_usd=Decimal("0.015"), phases={"prepare": 0.51234},
)


def test_a_report_is_one_json_object_with_plain_values() -> None:
    told = json.loads(DONE.to_json())
    assert "\n" not in DONE.to_json()
    assert (told["status"], told["output"], told["job_ids"], told["cost_usd"], told["phases"]) == (
        "completed", "b.mp4", ["job_1"], 0.015, {"prepare": 0.512})


def test_an_unknown_price_is_null_and_is_said_to_be_unknown() -> None:
    unpriced = replace(DONE, cost_usd=None)
    assert json.loads(unpriced.to_json())["cost_usd"] is None
    assert "unknown" in dict(unpriced.rows())["price"]


@pytest.mark.parametrize(("paid", "price"), [
    (Paid.NOW, "0.0150 USD"), (Paid.EARLIER, "nothing now: job job_1 was paid for earlier"),
    (Paid.KEPT, "nothing: the result was already paid for and kept"), (None, None),
])
def test_the_price_is_what_this_run_paid(paid: Paid | None, price: str | None) -> None:
    told = replace(DONE, paid=paid)
    assert dict(told.rows()).get("price") == price
    assert json.loads(told.to_json())["paid"] == (paid.value if paid else None)


def test_a_run_that_bought_nothing_cost_nothing() -> None:
    told = json.loads(Report("x", RunStatus.FAILED, estimated_cost_usd=Decimal("0.02")).to_json())
    assert (told["cost_usd"], told["estimated_cost_usd"], told["billed_seconds"]) == (0.0, 0.02, 0.0)


def test_an_alias_is_told_with_what_it_stands_for() -> None:
    assert dict(DONE.rows())["model"] == "lucy-latest (now lucy-2.6)"


def test_the_stand_in_is_never_taken_for_the_real_queue() -> None:
    told = dict(replace(DONE, stand_in=True).rows())
    assert "not by Decart's models" in told["queue"]
    assert "not billed" in told["price"]


@pytest.mark.parametrize(("error", "status"), [
    (BadInput("no"), RunStatus.REFUSED), (JobFailed("no", job_id="job_2"), RunStatus.FAILED),
    (SubmitUnknown("who knows", key="abc"), RunStatus.UNDECIDED), (ReelflowError("no"), RunStatus.FAILED),
])
def test_an_error_says_how_the_run_ended(error: ReelflowError, status: RunStatus) -> None:
    assert replace(DONE, paid=None).with_error(error).status is status


@pytest.mark.parametrize(("paid", "status", "told"), [
    (None, RunStatus.REFUSED, "nothing was bought"), (Paid.KEPT, RunStatus.REFUSED, "nothing was bought"),
    (Paid.NOW, RunStatus.FAILED, "what was bought is kept"),
    (Paid.EARLIER, RunStatus.FAILED, "what was bought is kept"),
])
def test_what_is_refused_after_something_was_bought_is_a_failure(
    paid: Paid | None, status: RunStatus, told: str
) -> None:
    for error in (OverBudget("no"), SourceFault("no"), QueueUnreachable("no")):
        ended = replace(DONE, paid=paid).with_error(error)
        assert ended.status is status
        assert told in str(ended.to_do)


def test_who_refreshed_is_told_to_run_again_without_that_where_something_was_bought() -> None:
    fresh, error = replace(DONE, refreshes=True), MediaFailed("no")
    assert "run the same again without --refresh" in str(fresh.with_error(error).to_do)
    for other in (OverBudget("no"), BadInput("no"), QueueRefused("no", status=422)):
        assert "without --refresh it is not paid again" in str(fresh.with_error(other).to_do)
    assert "--refresh" not in str(replace(fresh, paid=None).with_error(error).to_do)
    assert "--refresh" not in str(DONE.with_error(error).to_do)


def test_who_may_have_adopted_a_wrong_id_is_not_sent_to_buy_again_first() -> None:
    told = str(DONE.with_error(JobLost("no", job_id="job_2")).to_do)
    assert 0 < told.index("--adopt") < told.index("--refresh")


def test_an_error_is_told_first_with_where_it_came_from_and_what_to_do() -> None:
    error = JobFailed("The job failed.", job_id="job_2")
    error.where = "wait job_2"
    told = replace(DONE, log=Path("/w/logs/a.jsonl")).with_error(error)
    assert [name for name, _ in told.rows()][:3] == ["error", "failed in", "to do"]
    assert dict(told.rows())["log"] == "/w/logs/a.jsonl"
    assert (json.loads(told.to_json())["failed_in"], "once more" in str(told.to_do)) == ("wait job_2", True)
    assert not {"failed in", "to do", "log"} & dict(DONE.rows()).keys()


@pytest.mark.parametrize("kind", [
    kind for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, ReelflowError) and kind not in (
        ClipsFailed, BadRecipe, BadRows, BadInput, OutputTaken)
])
def test_what_to_do_is_told_of_every_kind_of_error(kind: type[ReelflowError]) -> None:
    error = kind.__new__(kind)
    assert what_to_do(error).endswith(".")


def test_an_error_brings_what_it_knows_of_the_job() -> None:
    assert Report("x", RunStatus.FAILED).with_error(JobFailed("no", job_id="job_2")).job_ids == ("job_2",)
    assert Report("x", RunStatus.FAILED).with_error(SubmitUnknown("?", key="abc")).ledger_key == "abc"
    assert DONE.with_error(JobFailed("no", job_id="job_2")).job_ids == ("job_1", "job_2")
    assert DONE.with_error(JobFailed("no", job_id="job_1")).job_ids == ("job_1",)


def test_nothing_of_a_prompt_becomes_markup() -> None:
    page = replace(DONE, prompt="<img src=x> | **bold** [link](http://x)\n# head").markdown()
    assert "<img" not in page
    assert "\\*\\*bold\\*\\*" in page
    assert "\n# head" not in page
