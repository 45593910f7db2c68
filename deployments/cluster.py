"""The topology of `compose.yaml`, started natively from Debian's PostgreSQL and Redis: for tests, benchmarks, a look.

    python -m deployments.cluster         all of it, with two workers, until Ctrl-C

Each worker has a work folder of its own, as on machines that share nothing but the ledger and an object store.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deployments.parts import HOST, ROOT, Running, Stopped, find_free_port, part, program, wait_for
from deployments.topology import API, RUNS_PER_WORKER, SERVICES, UPGRADE, WORKER, server_settings, worker_settings
from flows.__main__ import QUIET
from reelflow.errors import BadInput, ReelflowError


@dataclass(slots=True)
class Cluster:
    """A running cluster: its API, its ledger, and where its parts write their logs."""

    api: str
    ledger: str
    folder: Path
    environment: dict[str, str]
    parts: contextlib.ExitStack
    running: Running = field(default_factory=list)

    def start_worker(self, name: str, *, limit: int = RUNS_PER_WORKER, **more: str) -> subprocess.Popen[bytes]:
        """Start a worker with a work folder of its own; `more` is added to its environment."""
        environment = {
            **self.environment, **worker_settings(self.api, self.ledger),
            "REELFLOW_WORK_DIR": str(self.folder / name), **more,
        }
        return self._start(name, [*WORKER, "--name", name, "--limit", str(limit)], environment, seconds=45)

    def once(self, *words: str, **more: str) -> None:
        """Run a program of ours against this cluster. Raises Stopped where it fails."""
        done = subprocess.run(
            [_found(words[0]), *words[1:]], cwd=ROOT, env={**self.environment, "PREFECT_API_URL": self.api, **more},
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Stopped(f"✗ `{' '.join(words)}` failed (exit {done.returncode}): {done.stdout[-500:]}{done.stderr}")

    def _start(
        self, name: str, words: list[str], environment: Mapping[str, str], *, seconds: float,
        user: Mapping[str, Any] | None = None,
    ) -> subprocess.Popen[bytes]:
        log = self.folder / f"{name}.log"
        process = self.parts.enter_context(
            part((_found(words[0]), *words[1:]), environment, log, seconds, user=user or {}))
        self.running.append((name, process, log))
        return process


@contextlib.contextmanager
def running_cluster(folder: Path) -> Iterator[Cluster]:
    """PostgreSQL, Redis, the API server and its services, below `folder`; workers are started by the caller.

    Raises:
        BadInput: a program is missing.
        Stopped: a part did not start.
    """
    programs = _postgres_programs()
    redis = shutil.which("redis-server")
    if redis is None:
        raise BadInput("redis-server is not installed (Debian: apt install redis-server).")
    folder.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, **QUIET, "PREFECT_LOGGING_LEVEL": "INFO"}
    ports = [find_free_port() for _ in range(3)]
    api = f"http://{HOST}:{ports[2]}/api"
    with contextlib.ExitStack() as parts:
        at = f"{HOST}:{ports[0]}"
        cluster = Cluster(api, f"postgresql://reelflow@{at}/ledger", folder, environment, parts)
        _start_postgres(cluster, programs, ports[0])
        cluster._start("redis", [redis, "--bind", HOST, "--port", str(ports[1]), "--save", "", "--dir", str(folder)],
                       environment, seconds=10)
        cluster.environment |= server_settings(
            f"postgresql+asyncpg://reelflow@{at}/prefect", f"redis://{HOST}:{ports[1]}/0", api)
        cluster.once(*UPGRADE)
        cluster._start("api", [*API, "--host", HOST, "--port", str(ports[2])], cluster.environment, seconds=15)
        cluster._start("services", list(SERVICES), cluster.environment, seconds=15)
        wait_for(f"{api}/health", cluster.running, seconds=120)
        yield cluster


def _start_postgres(cluster: Cluster, programs: Path, port: int) -> None:
    """A server of our own, as an ordinary user: PostgreSQL refuses to run as root."""
    # Not below the cluster's folder, which that user may not be let into.
    folder = Path(tempfile.mkdtemp(prefix="reelflow-pg-"))
    cluster.parts.callback(shutil.rmtree, folder, ignore_errors=True)
    user: dict[str, Any] = {}
    if os.getuid() == 0:
        user = {"user": "nobody", "group": "nogroup", "extra_groups": []}
        shutil.chown(folder, "nobody", "nogroup")
    database = folder / "database"
    subprocess.run(
        [programs / "initdb", "-D", database, "-U", "reelflow", "-A", "trust", "--no-sync", "-E", "UTF8"], check=True,
        capture_output=True, cwd=folder, **user)
    server = cluster._start(
        "postgres", [str(programs / "postgres"), "-D", str(database), "-h", HOST, "-p", str(port), "-k", str(folder),
                     "-c", "max_connections=200"],
        cluster.environment, seconds=20, user={**user, "cwd": folder})
    is_ready = [str(programs / "pg_isready"), "-q", "-h", HOST, "-p", str(port)]
    until = time.monotonic() + 60
    while subprocess.run(is_ready, check=False).returncode:
        if server.poll() is not None or time.monotonic() > until:
            raise Stopped(f"✗ PostgreSQL did not start; its log is {cluster.folder / 'postgres.log'}.")
        time.sleep(0.1)
    for name in ("prefect", "ledger"):
        subprocess.run([programs / "createdb", "-h", HOST, "-p", str(port), "-U", "reelflow", name], check=True)


def _postgres_programs() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not found:
        raise BadInput("PostgreSQL is not installed (Debian: apt install postgresql).")
    return found[-1]


def _found(name: str) -> str:
    return program(name) if name in ("prefect", "reelflow", "python") else name


def main() -> int:
    """Start all of it with two workers, say where it is, wait for Ctrl-C. Returns the exit code."""
    def stop(*_: object) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        raise Stopped

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    try:
        with running_cluster(Path(tempfile.mkdtemp(prefix="reelflow-cluster-"))) as cluster:
            cluster.once("reelflow", "setup")
            cluster.once("prefect", "--no-prompt", "deploy", "--all")
            for name in ("worker-1", "worker-2"):
                cluster.start_worker(name)
            sys.stdout.write(f"\n  Prefect  {cluster.api.removesuffix('/api')}\n  Ledger   {cluster.ledger}\n"
                             f"  Logs     {cluster.folder}\n\n  Ctrl-C ends all of it.\n")
            sys.stdout.flush()
            while True:
                for name, process, log in cluster.running:
                    if process.poll() is not None:
                        raise Stopped(f"✗ {name} ended by itself (exit {process.returncode}); its log is {log}.")
                time.sleep(0.5)
    except Stopped as ended:
        sys.stdout.write(f"{ended.told or 'Stopped; nothing is left running.'}\n")
        return 1 if ended.told else 0
    except ReelflowError as error:
        sys.stderr.write(f"✗ {error.message}\n")
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
