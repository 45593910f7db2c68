"""Everything in one terminal (`make serve`): Prefect's server, the stand-in, the deployments and a worker.

For trying out and for one person. Each part is a child in a session of its own, so that Ctrl-C reaches this process
alone and the parts are ended in order: the worker before the server that it reports to.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

from deployments.parts import HOST, ROOT, Running, Stopped, check_free, part, program, wait_for
from deployments.topology import SLOT_WAIT
from flows.__main__ import QUIET
from reelflow.errors import ReelflowError
from reelflow.settings import Settings, read_settings

PREFECT_PORT = int(os.environ.get("REELFLOW_PREFECT_PORT", "4200"))
STANDIN_PORT = int(os.environ.get("REELFLOW_STANDIN_PORT", "8642"))


def main() -> int:
    """Start all parts, say where to look, wait for Ctrl-C, end all parts. Returns the exit code."""
    def stop(_signal: int, _frame: FrameType | None) -> None:
        # A second Ctrl-C must not cut short the ending of the parts.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise Stopped

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    try:
        settings = read_settings()
        with contextlib.ExitStack() as parts:
            _start_all(settings, parts)
    except Stopped as ended:
        _say(ended.told or "Stopped; nothing is left running.")
        return 1 if ended.told else 0
    except ReelflowError as error:
        _say(f"✗ {error.message}")
        return error.exit_code
    return 0


def _start_all(settings: Settings, parts: contextlib.ExitStack) -> None:
    logs = settings.work_dir / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    api = f"http://{HOST}:{PREFECT_PORT}/api"
    environment = {**SLOT_WAIT, **os.environ, **QUIET, "PREFECT_LOGGING_LEVEL": "INFO", "PREFECT_API_URL": api}
    running: Running = []

    def start(name: str, *words: str, seconds: float) -> None:
        log = logs / f"{name}.log"
        running.append((name, parts.enter_context(part(words, environment, log, seconds)), log))

    check_free(PREFECT_PORT, "Prefect's server", "REELFLOW_PREFECT_PORT")
    start("server", program("prefect"), "server", "start", "--host", HOST, "--port", str(PREFECT_PORT), seconds=10)
    if settings.uses_standin:
        check_free(STANDIN_PORT, "the stand-in queue", "REELFLOW_STANDIN_PORT")
        start("stand-in", sys.executable, "-m", "flows", "queue", "serve", "--port", str(STANDIN_PORT), seconds=5)
        environment |= {"DECART_BASE_URL": f"http://{HOST}:{STANDIN_PORT}", "DECART_API_KEY": "stand-in"}
    _say("Starting Prefect …")
    wait_for(f"{api}/health", running, seconds=120)
    for words in (
        (sys.executable, "-m", "flows", "setup"),
        (program("prefect"), "--no-prompt", "deploy", "--all"),
    ):
        _once(*words, environment=environment, log=logs / "deploy.log")
    start("worker", sys.executable, "-m", "deployments.worker", "--name", "reelflow-local", seconds=45)
    queue = f"the stand-in at {environment['DECART_BASE_URL']} (no API key is set; nothing is billed)"
    _say(
        f"\n  Prefect     http://{HOST}:{PREFECT_PORT}/deployments\n"
        f"  Queue       {queue if settings.uses_standin else settings.queue_url}\n"
        f"  Films       {settings.work_dir / 'films'}\n"
        f"  Logs        {logs}\n\n"
        "  Try         open a deployment, press Run; or, in another terminal:\n"
        f"              PREFECT_API_URL={api} {_near(program('prefect'))} deployment run restyle/restyle "
        "--param source=sample --param prompt=neon --watch\n\n"
        "  Ctrl-C ends all of it.\n"
    )
    while True:
        for name, process, log in running:
            if process.poll() is not None:
                raise Stopped(f"✗ The {name} ended by itself (exit {process.returncode}); its log is {log}.")
        time.sleep(0.5)


def _once(*words: str, environment: dict[str, str], log: Path) -> None:
    with log.open("ab") as written:
        code = subprocess.run(words, env=environment, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=written,
                              stderr=subprocess.STDOUT, check=False).returncode
    if code != 0:
        raise Stopped(f"✗ `{' '.join(words[1:])}` failed (exit {code}); its log is {log}.")


def _near(path: str) -> str:
    return os.path.relpath(path) if path.startswith(str(Path.cwd())) else path


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
