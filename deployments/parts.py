"""The parts of a running system as children of this process: started, waited for, ended in order."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from reelflow.errors import BadInput

ROOT = Path(__file__).resolve().parent.parent
HOST = "127.0.0.1"

Running = list[tuple[str, subprocess.Popen[bytes], Path]]
"""Parts that run: the name of each, its process, its log."""


class Stopped(Exception):
    """Ctrl-C or SIGTERM, or a part that ended by itself (`told` says which)."""

    def __init__(self, told: str = "") -> None:
        super().__init__(told)
        self.told = told


@contextlib.contextmanager
def part(
    words: tuple[str, ...], environment: Mapping[str, str], log: Path, seconds: float, *, user: Mapping[str, Any] = {},
) -> Iterator[subprocess.Popen[bytes]]:
    """A child in a session of its own; ended with SIGINT, and with SIGKILL after `seconds`. `user` is as for Popen."""
    with log.open("ab") as written:
        process = subprocess.Popen(
            words, env=environment, stdin=subprocess.DEVNULL, stdout=written, stderr=subprocess.STDOUT,
            start_new_session=True, **{"cwd": ROOT, **user},
            preexec_fn=die_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509 - one thread here
        )
    try:
        yield process
    finally:
        for way in (signal.SIGINT, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, way)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(seconds)
                break
        # What a part started and left behind in its session goes too.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def die_with_parent() -> None:
    """Have the kernel send this process SIGTERM when its parent is gone (Linux); run between fork and exec."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def wait_for(address: str, running: Running, *, seconds: float) -> None:
    """Wait until an address answers. Raises Stopped where a part has ended, or it does not answer in time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for name, process, log in running:
            if process.poll() is not None:
                raise Stopped(f"✗ The {name} did not start (exit {process.returncode}); its log is {log}.")
        with contextlib.suppress(OSError), urllib.request.urlopen(address, timeout=2):
            return
        time.sleep(0.2)
    raise Stopped(f"✗ {address} did not answer within {seconds:g} s; the log is {running[0][2]}.")


def check_free(port: int, part: str, setting: str) -> None:
    """Refuse a port that is taken. Raises BadInput."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            raise BadInput(f"Port {port}, for {part}, is taken: end what uses it, or set {setting}.") from None


def find_free_port() -> int:
    """A port of this machine that nobody uses just now."""
    with socket.socket() as free:
        free.bind((HOST, 0))
        return int(free.getsockname()[1])


def program(name: str) -> str:
    """The path of a program that is installed beside this Python."""
    return str(Path(sys.executable).parent / name)
