"""`reelflow demo` on the terminal: run the flow `demo`, then say where to look."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from flows.cli.start import run_until_stopped, with_log
from flows.cli.terminal import NOTHING_DONE, plain_console, say, say_error, say_json, show_rows, shown_phases
from reelflow.destination import check_folder
from reelflow.report import STANDIN_NOTE


def run_demo(folder: Path, *, as_json: bool, quiet: bool) -> int:
    """Make the demo's films in `folder`, say where they are, and return the exit code."""
    began = time.monotonic()
    check_folder(folder)
    if not (quiet or as_json):
        say("reelflow demo: a sample clip with sound, three jobs, each a Prefect flow run. Starting Prefect …")
    try:
        with with_log("demo"), shown_phases(quiet=quiet or as_json):
            from flows.demo import demo

            made: dict[str, Any] = run_until_stopped(demo(str(folder)))
    except KeyboardInterrupt:
        say_error("Stopped; the films that were finished are whole.", as_json=as_json, status="interrupted")
        return 130
    if as_json:
        say_json(_as_one(folder, **made))
    elif not quiet:
        _show(folder, made["films"], time.monotonic() - began)
    else:
        sys.stdout.write(f"{folder}\n")
    return 0


def _as_one(folder: Path, *, flow_run_id: str, films: list[dict[str, Any]]) -> dict[str, Any]:
    prices = [report["cost_usd"] for report in films]
    return {
        **NOTHING_DONE, "status": "completed", "output": str(folder), "flow_run_id": flow_run_id, "error": None,
        "job_ids": [job for report in films for job in report["job_ids"]],
        "billed_seconds": sum(report["billed_seconds"] for report in films),
        "cost_usd": None if None in prices else sum(prices),
        "stand_in": any(report["stand_in"] for report in films),
        "films": films,
    }


def _show(folder: Path, reports: list[dict[str, Any]], seconds: float) -> None:
    console = plain_console()
    told = f"Three films in {seconds:.0f} s" if any(report["phases"] for report in reports) else (
        "The three films were here already, and are what would be made again")
    console.print(f"\n[bold green]✓[/] {told}. Open them:\n")
    rows = [("the sample", str(folder / "sample.mp4"))]
    for report in reports:
        rows += [(report["flow"], report["page"]), ("", report["output"]), ("", report["before_after"])]
    show_rows(console, rows)
    if any(report["stand_in"] for report in reports):
        console.print(f"\n[dim]{STANDIN_NOTE}[/]")
    console.print("[dim]Next: `make serve` for the Prefect UI, or `.venv/bin/reelflow restyle FILM --prompt noir`.[/]")
