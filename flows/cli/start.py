"""Starting a flow from the command line, in this process, and telling how it ended."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import importlib
import logging
import os
import signal
from collections.abc import Coroutine, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.cli.prefect_api import told_of_prefect
from flows.cli.terminal import escape, plain_console, say, say_failed, say_json, show_rows, shown_phases
from reelflow.errors import BadInput, ReelflowError
from reelflow.home import expanded

if TYPE_CHECKING:
    from reelflow.job.entry import Standing
    from reelflow.plan import Plan
    from reelflow.report import Report
    from reelflow.settings import Settings
    from tasks.facts import Latest

logger = logging.getLogger("reelflow.cli")


def run_one(
    name: str, parameters: dict[str, Any], *, as_json: bool, quiet: bool, called: str | None = None
) -> int:
    """Run the flow `name`, show its phases, print its report (of what is `called` so), and return the exit code."""
    from reelflow.report import Report, RunStatus
    from reelflow.sources import show_source
    from tasks.facts import reporting

    if not (quiet or as_json):
        say(f"reelflow {called or name}: starting Prefect …")
    source = str(parameters.get("source") or parameters.get("image"))
    with reporting(Report(called or name, RunStatus.FAILED, source=show_source(source))) as latest:
        try:
            with with_log(called or name) as log, shown_phases(quiet=quiet or as_json):
                latest.report = replace(latest.report, log=log)
                with _heeding_ctrl_c():
                    flow = getattr(importlib.import_module(f"flows.{name}"), name)
                run_until_stopped(flow(**parameters))
            code = 0
        except ReelflowError as error:
            latest.report = latest.report.with_error(error)
            # What was bought by then makes a failure of what is a refusal otherwise.
            code = 1 if latest.report.status is RunStatus.FAILED else error.exit_code
        except KeyboardInterrupt:
            code = 130
            latest.report = replace(latest.report, status=RunStatus.INTERRUPTED, error=told_of_stop(latest))
    tell(latest.report, as_json=as_json, quiet=quiet)
    return code


def run_until_stopped(work: Coroutine[Any, Any, Any]) -> Any:
    """Run `work` to its end; Ctrl-C and SIGTERM cancel it and wait for it, so that nothing half-made stays behind.

    It runs in a thread of its own: in the main one Prefect takes SIGTERM for itself, and raises from it out of whatever
    is running just then. Errors that Prefect wraps or that it raises from a failed state come out as they were.
    """
    began: Future[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]]] = Future()

    async def run() -> Any:
        # What is started from here on has it blocked too. Ctrl-C goes to all that a terminal runs just now: else the
        # server that Prefect starts for the run ends with it, and the run waits a minute to tell that how it ends.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        task = asyncio.current_task()
        assert task is not None
        began.set_result((asyncio.get_running_loop(), task))
        return await work

    def stop(*_: object) -> None:
        loop, task = began.result()
        with contextlib.suppress(RuntimeError):  # it has ended just now
            loop.call_soon_threadsafe(task.cancel)

    with ThreadPoolExecutor(1) as thread:
        ending = thread.submit(contextvars.copy_context().run, asyncio.run, run())
        began.result()
        previous = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            with told_of_prefect():
                return ending.result()
        except (asyncio.CancelledError, CancelledError):
            raise KeyboardInterrupt from None
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)


@contextlib.contextmanager
def _heeding_ctrl_c() -> Iterator[None]:
    """Have a Ctrl-C inside the block that something swallows, as imports may, be raised again when the block ends."""
    came = False

    def stop(*_: object) -> None:
        nonlocal came
        came = True
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
    if came:
        raise KeyboardInterrupt


def told_of_stop(latest: Latest) -> str:
    """What a person has to know who stops a run: whether anything was bought by then, the most doubtful first."""
    from reelflow.job.entry import State

    doubt = (State.SENT, State.UNKNOWN, State.ACCEPTED, State.COMPLETED, State.INTENDED, State.REFUSED)
    standings = sorted(latest.standings.values(), key=lambda one: doubt.index(one.state) if one.state in doubt else 9)
    again = "run the same again without --refresh" if latest.report.refreshes else "run the same again"
    jobs = [str(one.job_id) for one in standings if one.state is State.ACCEPTED]
    if len(standings) > 1 and not latest.lost:
        # Whoever reads of jobs that are bought need not be told of others that are not, or that are kept.
        clear = (State.INTENDED, State.REFUSED, *((State.COMPLETED,) if jobs else ()))
        standings = [one for one in standings if one.state not in clear] or standings[:1]
    told = [_told(one, bool(latest.lost), again) for one in standings
            if one.state is not State.ACCEPTED or len(jobs) == 1]
    if len(jobs) > 1:
        told.append(f"Stopped. Jobs {', '.join(jobs[:-1])} and {jobs[-1]} are bought, and the queue may still finish "
                    f"and bill them: {again} to take them up without paying twice.")
    return " ".join(dict.fromkeys(told)) or "Stopped before a job was bought."


def _told(standing: Standing, lost: bool, again: str) -> str:
    from reelflow.job.entry import State

    if standing.state in (State.INTENDED, State.REFUSED) and not lost:
        return "Stopped before a job was bought."
    if standing.state in (State.INTENDED, State.REFUSED):
        return ("Stopped before the form was sent again; one that went out before has no reply, so a job may have been "
                "bought: your account with the queue shows it.")
    if standing.state in (State.SENT, State.UNKNOWN):
        wish = standing.key[:12]
        if standing.job_id:
            return (f"Stopped when job {standing.job_id} was bought and the ledger could not be written: when it can, "
                    f"run `reelflow jobs resolve {wish} --adopt {standing.job_id}`.")
        return ("Stopped when the form was out and no reply had come: a job may have been bought. Decide with "
                f"`reelflow jobs resolve {wish} --resubmit`, `--adopt JOB_ID` or `--abandon`.")
    if standing.state is State.COMPLETED:
        return f"Stopped. What was bought is kept: {again} to go on without paying twice."
    return (f"Stopped. Job {standing.job_id} is bought, and the queue may still finish and bill it: {again} "
            "to take it up without paying twice.")


def tell_estimate(
    plan: Plan | None, source: str, settings: Settings, *, refresh: bool, as_json: bool, quiet: bool
) -> bool:
    """Print what a run would cost, if its plan alone says that; gives whether it does."""
    from reelflow.estimate import estimated, is_settled

    if plan is None or not is_settled(plan, settings):
        return False
    tell(estimated(plan, source, settings, refresh=refresh), as_json=as_json, quiet=quiet)
    return True


def tell(report: Report, *, as_json: bool, quiet: bool) -> None:
    """Print how a run ended: one JSON object, or a table for people, or (quiet) only the output's path."""
    if as_json:
        say_json(report.to_dict())
    if report.error:
        say_failed(report.error, [] if quiet or as_json else failed_rows(report))
        return
    if as_json:
        return
    if quiet:
        for made in report.uploaded or filter(None, (report.output,)):
            plain_console().print(escape(str(made)))
        return
    console = plain_console()
    console.print(f"[bold green]✓[/] {report.flow} {report.status.value}")
    show_rows(console, report.rows())


def failed_rows(report: Report) -> list[tuple[str, str]]:
    """Where a run failed, what to do, and where more of it is to be read."""
    return [
        ("where", report.failed_in or ""), ("to do", report.to_do or ""), ("job", ", ".join(report.job_ids)),
        ("spent", report.price() if report.job_ids else ""), ("in doubt", _in_doubt(report)),
        ("page", str(report.page or "")), ("log", str(report.log or "")),
    ]


def _in_doubt(report: Report) -> str:
    most = report.in_doubt_usd
    if most == 0 or report.status.value != "undecided":
        return ""
    return f"up to {most:.4f} USD" if most is not None else "a job of unknown price"


def check_prefect_home() -> None:
    """Refuse a folder that Prefect can't use, before it's imported: it would try for two minutes, and warn each time.

    Raises:
        BadInput: the folder can't be made, or can't be written to.
    """
    if os.environ.get("PREFECT_API_URL"):
        return
    named = os.environ.get("PREFECT_HOME")
    home = expanded(named or "~/.prefect")
    if not named and not _is_usable(home):  # it may be named in a file that only Prefect reads
        from prefect.settings import get_current_settings

        home = get_current_settings().home
    if not _is_usable(home):
        raise BadInput(f"Prefect's folder {home} can't be made or written to: set PREFECT_HOME to one that can.",
                       field="PREFECT_HOME")


def _is_usable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK | os.X_OK)


@contextlib.contextmanager
def with_log(name: str) -> Iterator[Path | None]:
    """A log of its own for the run inside the block, which errors that come out of it name.

    Raises:
        ReelflowError: something unforeseen went wrong.
        BadInput: Prefect can't be used here.
    """
    check_prefect_home()
    with _heeding_ctrl_c():
        from tasks.log import logged

    with logged(name) as log:
        try:
            yield log
        except ReelflowError as error:
            logger.error("%s", error.message)
            error.log = log
            raise
        except Exception as error:
            if log is None:
                raise
            logger.error("Something unforeseen went wrong.", exc_info=error)
            told = ReelflowError(f"Something unforeseen went wrong ({type(error).__name__}: {error}).")
            told.log = log
            raise told from error
