"""The command line: `reelflow …` or `python -m flows …`. Commands are loaded when they are called."""

from __future__ import annotations

import atexit
import contextlib
import gc
import io
import os
import sys
from pathlib import Path

from cyclopts import App, CycloptsError, UnknownOptionError, UnusedCliTokensError

from reelflow.errors import BadInput, ReelflowError
from reelflow.legible import is_legible, legible

# Before anything of Prefect is imported. Its telemetry and promotion are off unless somebody turns them on.
QUIET = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    "PREFECT_TELEMETRY_ENABLE_RESOURCE_METRICS": "false",
}
# On the command line we say ourselves what a person has to know; the logs are in the Prefect UI.
SILENT = {
    "PREFECT_LOGGING_LEVEL": "WARNING", "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    # Its services complain of each event that they can't get rid of, one every seven seconds.
    "PREFECT_INTERNAL_LOGGING_LEVEL": "CRITICAL",
}
# Prefect's own 20 s are too few for a first start on a busy machine.
PATIENT = {"PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120"}

# So many new objects are there before cycles among them are looked for: with Python's own 700 that is done some two
# thousand times while Prefect is imported, and finds none.
OBJECTS = 50_000

app = App(
    name="reelflow",
    help="Restyle, edit and animate video with a remote model: frame-exact, in sync, and never paid for twice.\n\n"
    "Without DECART_API_KEY everything runs on an embedded stand-in queue that renders with ffmpeg.",
    version_flags=["--version"],
    result_action="return_value",
    help_on_error=False,
    suppress_keyboard_interrupt=False,  # `main` tells it, as JSON where that was asked for
)
_FILMS, _ABOUT = "flows.cli.films", "flows.cli.about"
app.command(f"{_FILMS}:demo", name="demo", help="Make a sample clip, restyle it, edit it, animate a still of it.")
app.command(f"{_FILMS}:restyle", name="restyle", help="Give a film another look, from a prompt or a picture.")
app.command(f"{_FILMS}:edit", name="edit", help="Change something in a film.")
app.command(f"{_FILMS}:tryon", name="tryon", help="Dress the person in a film.")
app.command(f"{_FILMS}:motion", name="motion", help="Animate a picture along a path.")
app.command(f"{_FILMS}:image", name="image", help="Edit a picture.")
app.command("flows.cli.batch:batch", name="batch", help="A recipe, or one of the five jobs, on many clips.")
app.command("flows.cli.recipes:recipe", name="recipe", help="Pipelines of many steps, written down as data.")
app.command("flows.cli.recipes:approve", name="approve", help="Answer a run that waits for a person.")
app.command("flows.cli.gallery:gallery", name="gallery", help="A folder of runs' pages, in the browser.")
app.command("flows.cli.queue:app", name="queue", help="The stand-in queue.")
app.command("flows.cli.money:jobs", name="jobs", help="What was bought, and what a person has to decide.")
app.command("flows.cli.money:spend", name="spend", help="What was spent, by model.")
app.command("flows.cli.money:cache", name="cache", help="The results that are kept.")
app.command("flows.cli.metrics:metrics", name="metrics", help="Jobs, spend and times as OpenMetrics text.")
app.command("flows.cli.setup:setup", name="setup", help="Make the pool, queues, limit and automations in Prefect.")
app.command(f"{_ABOUT}:models", name="models", help="The table of models: frame, rate, price.")
app.command(f"{_ABOUT}:probe", name="probe", help="What reelflow sees in a film.")
app.command(f"{_ABOUT}:doctor", name="doctor", help="What is installed, what is set, what is wrong.")


def _version() -> str:
    from importlib.metadata import version

    return version("reelflow")


app.version = _version


def main(arguments: list[str] | None = None) -> None:
    """Run one command and end: 0 done, 1 failed, 2 bad input, 3 a person must decide, 130 stopped."""
    for name, value in (QUIET | SILENT | PATIENT).items():
        os.environ.setdefault(name, value)
    words = sys.argv[1:] if arguments is None else arguments
    try:
        _check_names(words)
        code = app(words, exit_on_error=False, print_error=False)
    except CycloptsError as error:
        code = _refuse(_misread(error), 2, words)
    except ReelflowError as error:
        code = _refuse(error.message, error.exit_code, words, _facts(error))
    except KeyboardInterrupt:  # a run that goes on tells its own end
        code = _refuse("Stopped.", 130, words)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except Exception as error:  # a fault of ours, or of what we stand on: told in one sentence too
        code = _refuse(_written_down(error), 1, words)
    sys.exit(code or 0)


def _check_names(words: list[str]) -> None:
    """Refuse words, and the name of this folder, that are no text. Raises BadInput."""
    try:
        here = str(Path.cwd())
    except FileNotFoundError:
        raise BadInput("The current folder is gone: change to one that is there.") from None
    for word in words:
        if not is_legible(word):
            raise BadInput(f"{legible(word)} is not in UTF-8, and no report could tell it: write it so, or rename the "
                           "file of that name.")
    if not is_legible(here):
        raise BadInput(f"The name of the folder {legible(here)} is not in UTF-8, and no report could tell it: change "
                       "to another, or rename it.")


def _misread(error: CycloptsError) -> str:
    """What is wrong with a command's words, and how they are written right."""
    if isinstance(error, UnusedCliTokensError) and error.unused_tokens:
        return f"{' '.join(error.unused_tokens)!r} is one word too many here: put a text with spaces in quotes."
    told = str(error).strip()
    if isinstance(error, UnknownOptionError) and Path(name := error.token.keyword or error.token.value).exists():
        return f"{told} If you mean the file, write ./{name}."
    return told


def _written_down(error: Exception) -> str:
    """An error that nobody foresaw: its traceback goes into a file, which the sentence names."""
    import tempfile
    import traceback

    with tempfile.NamedTemporaryFile("w", prefix="reelflow-", suffix=".log", delete=False) as log:
        log.writelines(traceback.format_exception(error))
    return f"Something unforeseen went wrong ({type(error).__name__}: {error}); what is known of it is in {log.name}."


def _facts(error: ReelflowError) -> list[tuple[str, str]]:
    """What stands below the sentence of an error that came out of a run; one that came before has nothing more."""
    if error.log is None:
        return []
    from reelflow.advice import what_to_do

    return [("where", error.where), ("to do", what_to_do(error)), ("log", str(error.log))]


def _refuse(sentence: str, code: int, words: list[str], facts: list[tuple[str, str]] | None = None) -> int:
    from flows.cli.terminal import say_error

    status = {2: "refused", 3: "undecided", 130: "interrupted"}.get(code, "failed")
    is_brief = bool({"--json", "--quiet", "-q"} & set(words))
    say_error(sentence, as_json="--json" in words, status=status, facts=[] if is_brief else facts or [])
    return code


def program() -> None:
    """The program `reelflow`: `main`, in a process that does nothing else before or behind it."""
    gc.set_threshold(OBJECTS, 20, 20)
    code = 1

    def leave() -> None:
        # All that was registered later has run by now and all threads have ended; to take two thousand modules apart
        # is a third of a second in which nothing happens any more.
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError, AttributeError):  # closed, or never there
                stream.flush()
        os._exit(code)

    atexit.register(leave)
    for stream in (sys.stdout, sys.stderr):
        # In a locale without these letters a run must not end over its own last words.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        main()
    except SystemExit as ended:
        code = 0 if ended.code is None else ended.code if isinstance(ended.code, int) else 1
        raise


if __name__ == "__main__":
    program()
