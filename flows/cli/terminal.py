"""What a person sees on a terminal while a run goes on, and the one JSON object that a program reads."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reelflow.errors import ReelflowError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

    from tasks.phase import Moment

EACH_SECONDS = 10.0
NOTHING_DONE: dict[str, Any] = {
    "output": None, "job_ids": [], "billed_seconds": 0.0, "cost_usd": 0.0, "flow_run_id": None, "stand_in": False,
}


def say(text: str) -> None:
    """One line on standard error, where what is not the result goes."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def say_json(answer: dict[str, Any]) -> None:
    """The one JSON object on standard output."""
    is_utf_8 = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    sys.stdout.write(json.dumps(answer, ensure_ascii=not is_utf_8) + "\n")
    sys.stdout.flush()


def say_error(
    sentence: str, *, as_json: bool, status: str = "refused", facts: Sequence[tuple[str, str]] = ()
) -> None:
    """An error that no report tells; `facts` are what stands below its sentence."""
    if as_json:
        say_json({"status": status, **NOTHING_DONE, "stand_in": _names_no_queue(), "error": sentence})
    say_failed(sentence, facts)


def say_failed(sentence: str, facts: Sequence[tuple[str, str]]) -> None:
    """How a run failed, in one block: what, and below it where, what to do, and where more of it is to be read."""
    console = plain_console(stderr=True)
    console.print(f"[bold red]✗[/] {escape(sentence)}")
    show_rows(console, [(name, value) for name, value in facts if value], indent="  ")


def show_rows(console: Console, rows: list[tuple[str, str]], *, indent: str = "") -> None:
    """Facts below each other, each with its name; a long one is not cut, so that it can be copied."""
    width = max((len(name) for name, _ in rows), default=0)
    for name, value in rows:
        console.print(f"{indent}[dim]{name:<{width}}[/]  {escape(near(value))}")


def near(value: str) -> str:
    """A path inside the current folder, written from there."""
    here = f"{Path.cwd()}/"
    return value.replace(here, "") if here != "//" else value


def _names_no_queue() -> bool:
    """Whether the settings have a run use the embedded stand-in; not where they can't be read."""
    from reelflow.settings import read_settings

    try:
        return read_settings().uses_standin
    except ReelflowError:
        return False


def plain_console(*, stderr: bool = False) -> Console:
    """A console that prints text as it stands: nothing is cut, coloured by guess, or taken for a picture (`:V:`)."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False, soft_wrap=True, emoji=False)


def wide_console() -> Console:
    """A console for tables: on a terminal as wide as it is, elsewhere wide enough that nothing is cut."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=True, emoji=False, width=None if sys.stdout.isatty() else 240)


def escape(text: str) -> str:
    """Text as it stands, whatever brackets are in it."""
    from rich.markup import escape as rich_escape

    return rich_escape(text)


@contextlib.contextmanager
def shown_phases(*, quiet: bool) -> Iterator[None]:
    """Show each phase inside the block: as a bar on a terminal, as plain lines elsewhere, not at all if `quiet`."""
    from tasks.phase import listening

    if quiet:
        yield
    elif sys.stderr.isatty():
        with _bars() as bars, listening(bars.move):
            yield
    else:
        with listening(Lines().move):
            yield


class Lines:
    """A line when a phase says something new about itself, one now and then while it goes on, and one when it ends."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._said: dict[str, str] = {}
        self._said_at: dict[str, float] = {}

    def move(self, moment: Moment) -> None:
        title = f"{moment.phase} {moment.of}".strip()
        if moment.ended:
            say(f"{title}: {'stopped' if moment.stopped else 'failed' if moment.failed else 'done'}")
        elif moment.done is None and moment.note and self._said.get(title) != moment.note.partition(",")[0]:
            self._said[title] = moment.note.partition(",")[0]
            say(f"{title}: {moment.note}")
        elif moment.done is not None and moment.note:
            now = self._clock()
            if now - self._said_at.setdefault(title, now) >= EACH_SECONDS:
                self._said_at[title] = now
                say(f"{title}: {moment.done:.0%}, {moment.note}")


@contextlib.contextmanager
def _bars() -> Iterator[_Bars]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.table import Column

    # A long note, as a batch has it, is broken into lines; it takes nothing from the bar, and nothing of it is lost.
    with Progress(
        SpinnerColumn(finished_text="[green]✓[/]"),
        TextColumn("{task.description:<8}", table_column=Column(min_width=8, no_wrap=True)),
        BarColumn(bar_width=20, complete_style="cyan", finished_style="green", table_column=Column(min_width=20)),
        TimeElapsedColumn(table_column=Column(min_width=7, no_wrap=True)),
        TextColumn("[dim]{task.fields[note]}[/]", table_column=Column(no_wrap=False, overflow="fold")),
        console=Console(stderr=True),
    ) as progress:
        yield _Bars(progress)


class _Bars:
    """A bar for each phase, in the order in which they begin; two of one name may go on at once."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._bars: dict[tuple[str, str], TaskID] = {}

    def move(self, moment: Moment) -> None:
        named = moment.phase, moment.of
        bar = self._bars.get(named)
        if bar is None:
            bar = self._bars[named] = self._progress.add_task(moment.phase, total=None, note="")
        total = None if moment.done is None and not moment.ended else 1.0
        note = moment.of if moment.ended else moment.note or moment.of
        self._progress.update(bar, total=total, completed=moment.done or 0.0, note=escape(note))
        if moment.ended:
            self._bars.pop(named)
            if moment.failed:
                self._progress.stop_task(bar)
            else:
                self._progress.update(bar, total=1.0, completed=1.0)
