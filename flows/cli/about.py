"""`reelflow models`, `reelflow probe` and `reelflow doctor`: facts, and nothing bought."""

from __future__ import annotations

import asyncio
import shutil
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from flows.cli.prefect_api import examine_api
from flows.cli.terminal import escape, plain_console, say_json, show_rows, wide_console
from reelflow.errors import ReelflowError
from reelflow.media.run import find_ffmpeg, run_ffmpeg
from reelflow.models import Kind, Model
from reelflow.preflight import check_queue
from reelflow.remote import shown
from reelflow.settings import Settings, read_settings

Flag = Parameter(negative=(), show_default=False)


def models(*, json: Annotated[bool, Flag] = False) -> int:
    """The table of models: what each does, its frame, its rate and its price.

    Parameters
    ----------
    json
        Print one JSON object.
    """
    table = read_settings().model_table
    if json:
        say_json({"models": [_row(row) for row in table], "aliases": dict(table.aliases)})
        return 0
    from rich.table import Table

    shown = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("model", "kind", "frame", "fps", "USD", "limits"):
        shown.add_column(heading, no_wrap=True)
    for row in table:
        limits = [f"{row.max_seconds:g} s"] if row.max_seconds else []
        limits += [f"retired {row.retired}"] if row.retired else []
        shown.add_row(row.name, row.kind.value, f"{row.width}x{row.height}", str(row.fps or ""), _price(row),
                      ", ".join(limits))
    console = wide_console()
    console.print(shown)
    console.print("\n[bold]also taken as[/]")
    for alias, target in table.aliases.items():
        console.print(f"{alias:<20} [dim]for {target}[/]")
    console.print("\n[dim]USD per generated second (pictures: each). A model that isn't listed: a row in "
                  "REELFLOW_MODELS.[/]")
    return 0


def _price(row: Model) -> str:
    if row.usd is None:
        return "unknown"
    return f"{row.usd}" + (f" (480p {row.usd_480p})" if row.kind is Kind.IMAGE and row.usd_480p else "")


def _row(row: Model) -> dict[str, Any]:
    return {
        "name": row.name, "kind": row.kind.value, "width": row.width, "height": row.height, "fps": row.fps,
        "usd": None if row.usd is None else float(row.usd), "max_seconds": row.max_seconds, "retired": row.retired,
    }


def probe(file: Path, /, *, json: Annotated[bool, Flag] = False) -> int:
    """What reelflow sees in a film or a picture: size, rate, span, colour, sound, damage.

    Parameters
    ----------
    file
        The file to look at.
    json
        Print one JSON object.
    """
    from reelflow.media.probe import probe as probe_file
    from reelflow.report import film_rows

    found = asyncio.run(probe_file(file))
    if json:
        say_json(found.to_json())
        return 0
    show_rows(plain_console(), film_rows(found))
    return 0


def doctor(*, json: Annotated[bool, Flag] = False) -> int:
    """What is installed, what is set, what is wrong. Exit code 1 if something is wrong.

    Parameters
    ----------
    json
        Print one JSON object.
    """
    checks = asyncio.run(_examine())
    wrong = [name for name, ok, _ in checks if ok is False]
    if json:
        say_json({"ok": not wrong, "checks": [{"name": name, "ok": ok, "told": told} for name, ok, told in checks]})
        return 1 if wrong else 0
    console = plain_console()
    for name, ok, told in checks:
        mark = {True: "[green]✓[/]", False: "[red]✗[/]", None: "[dim]·[/]"}[ok]
        console.print(f"{mark} [bold]{name}[/]  {escape(told)}")
    return 1 if wrong else 0


async def _examine() -> list[tuple[str, bool | None, str]]:
    """Each check: its name, whether it is well (None: a fact only), and a sentence."""
    checks: list[tuple[str, bool | None, str]] = [
        ("python", sys.version_info >= (3, 11), f"{sys.version.split()[0]}"),
        ("reelflow", None, version("reelflow")),
    ]
    for package, below in (("prefect", (3, 9)), ("fastapi", (0, 151)), ("sqlalchemy", (2, 1))):
        found = version(package)
        fits = tuple(int(part) for part in found.split(".")[:2]) < below
        told = found if fits else f"{found} breaks Prefect 3.8 without a word: run `uv sync --locked`."
        checks.append((package, fits, told))
    try:
        settings = read_settings()
    except ReelflowError as error:
        return [*checks, ("settings", False, error.message)]
    checks.append(await _ffmpeg(settings))
    checks.append(_folder(settings.work_dir))
    checks.append(await _ledger(settings))
    checks.append(("prefect server", *await examine_api()))
    checks.append(await _queue(settings))
    for name in ("max_cost_usd", "max_cost_per_day_usd"):
        value = getattr(settings, name)
        checks.append((name, None, "no limit" if value is None else f"{value} USD"))
    return checks


async def _ffmpeg(settings: Settings) -> tuple[str, bool, str]:
    try:
        path = find_ffmpeg(settings.ffmpeg)
        await run_ffmpeg(["-f", "lavfi", "-i", "color=s=64x64:d=0.1", "-c:v", "libx264", "-f", "null", "-"],
                         ffmpeg=path, timeout=30)
    except ReelflowError as error:
        return "ffmpeg", False, error.message
    return "ffmpeg", True, f"{path} encodes H.264"


def _folder(work_dir: Path) -> tuple[str, bool, str]:
    from reelflow.destination import check_folder

    try:
        check_folder(work_dir, field="REELFLOW_WORK_DIR")
    except ReelflowError as error:
        return "work folder", False, error.message
    return "work folder", True, f"{work_dir}, {shutil.disk_usage(work_dir).free / 1e9:.0f} GB free"


async def _ledger(settings: Settings) -> tuple[str, bool, str]:
    from reelflow.job.ledger import Ledger

    try:
        async with Ledger.open(settings.ledger_url, work_dir=settings.work_dir):
            pass
    except ReelflowError as error:
        return "ledger", False, error.message
    return "ledger", True, "on PostgreSQL" if settings.ledger_url else "a file in the work folder"


async def _queue(settings: Settings) -> tuple[str, bool | None, str]:
    if settings.uses_standin:
        return "queue", None, "the embedded stand-in (neither DECART_API_KEY nor DECART_BASE_URL is set)"
    try:
        trouble: ReelflowError | None = await check_queue(settings, "lucy-restyle-2")
    except ReelflowError as error:
        trouble = error
    if trouble is not None:
        return "queue", False, trouble.message
    return "queue", True, f"{shown(settings.queue_url)} answers and takes the key"
