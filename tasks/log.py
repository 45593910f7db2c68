"""What each line of a run's log belongs to, and the file that a run from the command line has for its own."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path

import prefect.main  # noqa: F401 - sets Prefect's logging up, which would take our file away if it came later
from prefect.runtime import flow_run

from reelflow.errors import BadInput
from reelflow.run_log import JsonLines, new_log
from reelflow.settings import read_settings

_about: ContextVar[dict[str, str]] = ContextVar("log_about", default={})  # noqa: B039 - never changed, only replaced
_log: ContextVar[Path | None] = ContextVar("log", default=None)
_SECRETS = ("PREFECT_API_KEY", "PREFECT_API_AUTH_STRING")
# On the command line Prefect's level is WARNING, for its own sake; what a run tells is INFO.
_TELLING = ("prefect.flow_runs", "prefect.task_runs")


@contextlib.contextmanager
def about(**ids: str | None) -> Iterator[None]:
    """Have lines inside the block carry these ids (`clip`, `job`), besides those of the blocks around it."""
    token = _about.set({**_about.get(), **{name: told for name, told in ids.items() if told}})
    try:
        yield
    finally:
        _about.reset(token)


def current_log() -> Path | None:
    """The file that the run that goes on has for its log; None where Prefect alone has it."""
    return _log.get()


@contextlib.contextmanager
def logged(name: str) -> Iterator[Path | None]:
    """Write a log of what happens inside the block, of a run of `name`, into a file of its own, and give its path.

    None where there can't be one: a run goes on without.
    """
    root, told = logging.getLogger(), [logging.getLogger(name) for name in _TELLING]
    try:
        settings = read_settings()
        path = new_log(settings.work_dir, name)
        key = settings.api_key.get_secret_value() if settings.api_key else ""
        file = JsonLines(path, _ids, secrets=(key, *(os.environ.get(secret, "") for secret in _SECRETS)))
    except (OSError, BadInput):
        yield None
        return
    levels, token = [logger.level for logger in told], _log.set(path)
    root.addHandler(file)
    for logger in told:
        logger.setLevel(logging.INFO)
    try:
        yield path
    finally:
        _log.reset(token)
        root.removeHandler(file)
        file.close()
        for logger, level in zip(told, levels, strict=True):
            logger.setLevel(level)


def _ids(record: logging.LogRecord) -> dict[str, str]:
    run = getattr(record, "flow_run_id", None) or flow_run.id
    task = getattr(record, "task_run_name", None)
    found = {"run": str(run or ""), "task": str(task or ""), **_about.get()}
    return {name: told for name, told in found.items() if told}
