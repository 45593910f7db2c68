"""What a person reads in the logs of a run: our errors as one sentence, and what the plain library tells."""

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
    """Have Prefect's run loggers say our errors in one sentence, and the library's INFO lines reach them.

    PREFECT_LOGGING_EXTRA_LOGGERS gives a logger Prefect's handlers and not a level, and no setting of Prefect gives one
    to a logger that its logging.yml does not list. Calling this again changes nothing.
    """
    library = logging.getLogger("reelflow")
    if library.level == logging.NOTSET:
        library.setLevel(logging.INFO)
    for name in ("prefect.flow_runs", "prefect.task_runs"):
        logger = logging.getLogger(name)
        if not any(isinstance(known, OneSentence) for known in logger.filters):
            logger.addFilter(OneSentence())
