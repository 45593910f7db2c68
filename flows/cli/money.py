"""`reelflow jobs`, `reelflow spend` and `reelflow cache`: what was bought, what it cost, what is kept of it."""

from __future__ import annotations

import asyncio
import datetime as dt
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Annotated, Any

from cyclopts import App, Parameter

from flows.cli.terminal import escape, plain_console, say_json, show_rows, wide_console
from reelflow.errors import BadInput
from reelflow.job.decision import resolve_unknown
from reelflow.job.entry import Entry, Purchase, State, spend_of
from reelflow.job.ledger import Ledger
from reelflow.settings import read_settings
from reelflow.store import Store

Flag = Parameter(negative=(), show_default=False)
jobs = App(name="jobs", help="What was bought, and what a person has to decide.", result_action="return_value")
cache = App(name="cache", help="The results that are kept.", result_action="return_value")
_UNITS = {"h": 3600, "d": 86_400, "w": 7 * 86_400}


@asynccontextmanager
async def _ledger() -> AsyncIterator[Ledger]:
    settings = read_settings()
    async with Ledger.open(settings.ledger_url, work_dir=settings.work_dir) as ledger:
        yield ledger


@jobs.command(name="list")
def list_jobs(*, state: State | None = None, since: str | None = None, json: Annotated[bool, Flag] = False) -> int:
    """The wishes in the ledger, the newest first.

    Parameters
    ----------
    state
        Only those that stand so.
    since
        Only those from then on: a date (2026-11-23), or 12h, 7d, 2w for the time before now.
    json
        Print one JSON object.
    """
    async def read() -> list[Entry]:
        async with _ledger() as ledger:
            return await ledger.entries(since=_time(since))

    found = [entry for entry in asyncio.run(read()) if state is None or entry.state is state]
    if json:
        say_json({"jobs": [_plain(entry) for entry in found]})
        return 0
    from rich.table import Table

    console = wide_console()
    if not found:
        console.print("No wishes in the ledger." if state is None and since is None else "None of them.")
        return 0
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("wish", "state", "model", "job", "seconds", "USD", "when (UTC)"):
        # What is copied from here into the next command is folded rather than cut.
        table.add_column(heading, no_wrap=heading not in ("wish", "job"), overflow="fold")
    for entry in found:
        colour = {State.COMPLETED: "green", State.UNKNOWN: "red", State.FAILED: "red"}.get(entry.state, "default")
        table.add_row(entry.key[:12], f"[{colour}]{entry.state.value}[/]", escape(entry.model),
                      escape(entry.job_id or ""), f"{entry.seconds:.2f}", _usd(entry.cost),
                      f"{entry.created_at:%Y-%m-%d %H:%M}")
    console.print(table)
    if any(entry.state is State.UNKNOWN for entry in found):
        console.print("\nUnknown ones wait for a person: [bold]reelflow jobs resolve WISH "
                      "--resubmit | --adopt JOB_ID | --abandon[/]")
    return 0


@jobs.command
def show(wish: str, /, *, json: Annotated[bool, Flag] = False) -> int:
    """One wish and everything that was bought for it.

    Parameters
    ----------
    wish
        Its key, or the first characters of it.
    json
        Print one JSON object.
    """
    async def read() -> tuple[Entry, list[Purchase]]:
        async with _ledger() as ledger:
            entry = await ledger.find(wish)
            return entry, await ledger.purchases(key=entry.key)

    entry, bought = asyncio.run(read())
    if json:
        say_json(_plain(entry) | {"purchases": [_plain(purchase) for purchase in bought]})
        return 0
    console = plain_console()
    show_rows(console, [(name.replace("_", " "), _shown(value)) for name, value in _plain(entry).items()
                        if value not in (None, "")])
    for number, purchase in enumerate(bought, 1):
        console.print(f"\n[bold]purchase {number}[/]")
        show_rows(console, [(name.replace("_", " "), _shown(value)) for name, value in _plain(purchase).items()
                            if value not in (None, "") and name not in ("key", "model")])
    return 0


@jobs.command
def resolve(wish: str, /, *, resubmit: Annotated[bool, Flag] = False, adopt: str | None = None,
            abandon: Annotated[bool, Flag] = False, json: Annotated[bool, Flag] = False) -> int:
    """Decide about a wish whose reply was lost; give one of the three.

    Where the run that sent the form was on another machine, it takes half a minute to see that it is gone.

    Parameters
    ----------
    wish
        Its key, or the first characters of it.
    resubmit
        It was not bought, or you accept to pay twice: the next run buys it.
    adopt
        It was bought, and this is the job's id: the next run waits for it.
    abandon
        Give it up.
    json
        Print one JSON object.
    """
    given = [name for name, value in (("resubmit", resubmit), ("adopt", adopt is not None), ("abandon", abandon))
             if value]
    if len(given) != 1:
        raise BadInput("Give one of --resubmit, --adopt JOB_ID and --abandon.", field="resolve")

    async def decide() -> Entry:
        async with _ledger() as ledger:
            return await resolve_unknown(ledger, wish, given[0], job_id=adopt)  # type: ignore[arg-type]

    entry = asyncio.run(decide())
    if json:
        say_json(_plain(entry))
        return 0
    then = {"resubmit": "Run the same again: it will be bought.", "abandon": "It will not be bought.",
            "adopt": f"Run the same again: it takes job {adopt} up."}[given[0]]
    plain_console().print(f"Wish {entry.key[:12]} is {entry.state.value}. {escape(then)}")
    return 0


def spend(*, since: str | None = None, json: Annotated[bool, Flag] = False) -> int:
    """What was spent, by model.

    Parameters
    ----------
    since
        From when on: a date (2026-11-23), or 12h, 7d, 2w for the time before now. Without it: all.
    json
        Print one JSON object.
    """
    async def read() -> list[Purchase]:
        async with _ledger() as ledger:
            return await ledger.purchases(since=_time(since))

    bought = asyncio.run(read())
    groups = {
        (model, stand_in): spend_of(one for one in bought if (one.model, one.stand_in) == (model, stand_in))
        for model, stand_in in sorted({(one.model, one.stand_in) for one in bought})
    }
    paid = spend_of(one for one in bought if not one.stand_in)
    if json:
        say_json({
            "since": since, "jobs": paid.jobs, "seconds": round(paid.seconds, 3), "usd": float(paid.usd),
            "uncertain_usd": float(paid.uncertain_usd), "unpriced_jobs": paid.unpriced,
            "models": [{"model": model, "stand_in": stand_in, "jobs": sums.jobs, "seconds": round(sums.seconds, 3),
                        "usd": float(sums.usd), "uncertain_usd": float(sums.uncertain_usd),
                        "unpriced_jobs": sums.unpriced} for (model, stand_in), sums in groups.items()],
        })
        return 0
    from rich.table import Table

    console = wide_console()
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("model", "jobs", "seconds", "USD", "uncertain USD", ""):
        table.add_column(heading, no_wrap=True)
    for (model, stand_in), sums in groups.items():
        notes = ["stand-in, not billed"] if stand_in else []
        notes += [f"{sums.unpriced} without a published price"] if sums.unpriced else []
        table.add_row(escape(model), str(sums.jobs), f"{sums.seconds:.2f}", f"{sums.usd:.4f}",
                      f"{sums.uncertain_usd:.4f}", ", ".join(notes))
    console.print(table)
    console.print(f"\n[bold]{paid.usd:.4f} USD[/] for {paid.jobs} jobs, {paid.seconds:.2f} s"
                  + (f"; {paid.uncertain_usd:.4f} USD more may have been billed" if paid.uncertain_usd else ""))
    return 0


@cache.command(name="show")
def show_cache(*, json: Annotated[bool, Flag] = False) -> int:
    """How much is kept, and where.

    Parameters
    ----------
    json
        Print one JSON object.
    """
    store = Store(read_settings().work_dir / "store")
    usage = asyncio.run(store.usage())
    if json:
        say_json({"folder": str(store.root), "files": usage.files, "bytes": usage.size_bytes})
        return 0
    plain_console().print(
        f"{usage.files} files, {usage.size_bytes / 1e6:.1f} MB in {escape(str(store.root))}")
    return 0


@cache.command
def clear(*, unused_for: str = "30d", json: Annotated[bool, Flag] = False) -> int:
    """Remove the results that nobody has used for a while; what is asked for again is fetched again.

    Where the queue has it no more, a person is told: it is never bought again unasked.

    Parameters
    ----------
    unused_for
        For how long: 12h, 30d, 4w; 0h for everything.
    json
        Print one JSON object.
    """
    store = Store(read_settings().work_dir / "store")
    removed = asyncio.run(store.clear(unused_for=_span(unused_for, "unused-for").total_seconds()))
    if json:
        say_json({"files": removed.files, "bytes": removed.size_bytes})
        return 0
    plain_console().print(f"Removed {removed.files} files, {removed.size_bytes / 1e6:.1f} MB.")
    return 0


def _time(since: str | None) -> dt.datetime | None:
    if since is None:
        return None
    try:
        found = dt.datetime.fromisoformat(since)
    except ValueError:
        try:
            return dt.datetime.now(dt.UTC) - _span(since, "since")
        except OverflowError:
            return None
    return found.replace(tzinfo=found.tzinfo or dt.UTC)


def _span(text: str, field: str) -> dt.timedelta:
    found = re.fullmatch(r"(\d{1,6})([hdw])", text.strip())
    if found is None:
        also = ", or a date (2026-11-23)" if field == "since" else ""
        raise BadInput(f"--{field} {text!r} is not a time: write 12h, 7d or 2w{also}.", field=field)
    return dt.timedelta(seconds=int(found[1]) * _UNITS[found[2]])


def _plain(row: Entry | Purchase) -> dict[str, Any]:
    """A row's facts as JSON values, without what only the ledger itself needs."""
    made: dict[str, Any] = {}
    for name in row.__dataclass_fields__:
        value = getattr(row, name)
        if name in ("holder", "beat", "granted"):
            continue
        if isinstance(value, Decimal):
            value = float(value)
        elif isinstance(value, dt.datetime):
            value = value.isoformat(timespec="seconds")
        elif isinstance(value, State):
            value = value.value
        made[name] = value
    return made


def _shown(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def _usd(cost: Decimal | None) -> str:
    return "unknown" if cost is None else f"{cost:.4f}"
