"""What a child process may use, and its end with ours: set by the shell where Linux has what it takes, else by a fork.

Python forks itself where anything of its own is to run before the program does, and a fork of a process with Prefect in
it takes six milliseconds, in which nothing else goes on; without that it starts the program straight away, in one.
"""

from __future__ import annotations

import ctypes
import functools
import os
import resource
import shutil
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_NICE = 10
_OPTION = b"pdeathsig"
_BLOCK = 512  # POSIX has `ulimit -f` count these; memory is counted in KiB


@dataclass(frozen=True, slots=True)
class Limits:
    """What a child may use: CPU seconds, bytes of address space, bytes of one file. None leaves it free.

    One that `gives_way` gets what others leave of the cores.
    """

    cpu_seconds: int | None = None
    memory_bytes: int | None = None
    file_bytes: int | None = None
    gives_way: bool = False


NO_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Bounded:
    """A command that starts bounded: what to start, and what is to be called in the child before (None: nothing)."""

    arguments: tuple[str, ...]
    before: Callable[[], None] | None = None


def film_limits(timeout: float, *, most_bytes: int | None = None) -> Limits:
    """What ffmpeg may use on a film that others made: generous for any real one, and an end for the others.

    `timeout` is in seconds; `most_bytes` is how large its output may get, with room for the container's index.
    """
    return Limits(
        cpu_seconds=int(timeout * (os.cpu_count() or 1)) + 10, memory_bytes=24 * 2**30,
        file_bytes=None if most_bytes is None else most_bytes * 2 + 2**24,
    )


def bounded(command: Sequence[str], limits: Limits) -> Bounded:
    """How to start `command` within `limits`, so that it is gone when this process is, killed or not."""
    setpriv, shell = _setpriv(), Path("/bin/sh")
    if setpriv is None or not shell.exists():
        _libc()  # loaded here, since little may be done between fork and exec
        return Bounded(tuple(command), functools.partial(_in_child, limits, os.getpid()))
    # Asked after the signal was ordered: a parent that was gone before that would send none.
    steps = [f'[ "$PPID" = {os.getpid()} ]']
    for option, which, value, unit in (
        ("t", resource.RLIMIT_CPU, limits.cpu_seconds, 1),
        ("v", resource.RLIMIT_AS, limits.memory_bytes, 1024),
        ("f", resource.RLIMIT_FSIZE, limits.file_bytes, _BLOCK),
    ):
        if value is not None:
            steps.append(f"ulimit -{option} {_allowed(which, value) // unit}")
    steps.append(f'exec {f"nice -n {_NICE} " if limits.gives_way else ""}"$@"')
    return Bounded((setpriv, "--pdeathsig", "KILL", str(shell), "-c", " && ".join(steps), "reelflow", *command))


def set_limits(limits: Limits) -> None:
    """Set what this process may use from now on."""
    for which, value in (
        (resource.RLIMIT_CPU, limits.cpu_seconds),
        (resource.RLIMIT_AS, limits.memory_bytes),
        (resource.RLIMIT_FSIZE, limits.file_bytes),
    ):
        if value is not None:
            resource.setrlimit(which, (_allowed(which, value),) * 2)
    if limits.gives_way:
        os.nice(_NICE)


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when `parent` is gone (Linux)."""
    if (libc := _libc()) is not None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)


def _in_child(limits: Limits, parent: int) -> None:
    """Run between fork and exec."""
    die_with_parent(parent)
    set_limits(limits)


def _allowed(which: int, value: int) -> int:
    """Who is bounded more narrowly already can't be given more."""
    most = resource.getrlimit(which)[1]
    return value if most == resource.RLIM_INFINITY else min(value, most)


@functools.cache
def _setpriv() -> str | None:
    """The program of util-linux, from 2.33 on; an older one can do less, and so can busybox's."""
    found = shutil.which("setpriv") if sys.platform == "linux" else None
    try:
        is_able = found is not None and Path(found).resolve().name == "setpriv" and _OPTION in Path(found).read_bytes()
    except OSError:
        return None
    return found if is_able else None


@functools.cache
def _libc() -> ctypes.CDLL | None:
    return ctypes.CDLL(None) if sys.platform == "linux" else None
