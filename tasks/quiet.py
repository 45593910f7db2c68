"""Errors that a person reads as one sentence, without the traceback of our own code, in the logs of Prefect."""

from __future__ import annotations

import logging

from reelflow.errors import ReelflowError


class OneSentence(logging.Filter):
    """Turns the log record of an error that reelflow raised on purpose into its sentence; leaves all others whole."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if error is None and isinstance(record.args, tuple):
            error = next((value for value in record.args if isinstance(value, ReelflowError)), None)
        if isinstance(error, ReelflowError):
            record.msg, record.args = error.message, ()
            record.exc_info = record.exc_text = None
        return True


def install() -> None:
    """Have Prefect's run loggers say our errors in one sentence; calling it again changes nothing."""
    for name in ("prefect.flow_runs", "prefect.task_runs"):
        logger = logging.getLogger(name)
        if not any(isinstance(known, OneSentence) for known in logger.filters):
            logger.addFilter(OneSentence())
