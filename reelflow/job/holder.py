"""Who holds a wish while it is being bought, and whether that one is still there.

Clocks of different machines are never compared. A holder beats: it counts up a number in the ledger. One that can be
seen to be gone (same machine, no such process any more) is gone at once; any other is gone when its number has stood
still for a lease, by the clock of the one who watches.
"""

from __future__ import annotations

import functools
import os
import socket
import time
from pathlib import Path

LEASE_SECONDS = 30.0


def new_holder() -> str:
    """A name for one purchase's holder in this process: machine, process, when it began, and a word of its own."""
    return f"{_this_process(os.getpid())}/{os.urandom(16).hex()}"


def is_gone(holder: str) -> bool:
    """Whether the holder's process provably does not run any more; False where that can't be seen from here."""
    machine, pid, began, _ = holder.rsplit("/", 3)
    if machine != this_machine():
        return False
    if Path("/proc/self/stat").exists():
        return _began(int(pid)) != began
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    return False


class Watch:
    """What one who waits has seen of a holder, and since when it has not changed."""

    def __init__(self, lease: float = LEASE_SECONDS) -> None:
        self._lease = lease
        self._seen: tuple[str | None, int] | None = None
        self._since = 0.0

    def sees_death(self, holder: str | None, beat: int) -> bool:
        """Look at a holder and its beat; True once it is gone."""
        if holder is None or is_gone(holder):
            return True
        if (holder, beat) != self._seen:
            self._seen, self._since = (holder, beat), time.monotonic()
        return time.monotonic() - self._since >= self._lease


@functools.cache
def _this_process(pid: int) -> str:
    """Machine, process and when it began; by its id, which a fork of it does not share."""
    return "/".join((this_machine(), str(pid), _began(pid) or ""))


@functools.cache
def this_machine() -> str:
    """A name for this machine since it was started, as far as process ids mean the same in it (a container is one)."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot}.{Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:
        return socket.gethostname()


def _began(pid: int) -> str | None:
    """When a process began, in the kernel's own ticks; None where it is gone, or dead and only not yet buried."""
    try:
        # The name of the program stands in brackets, and may hold anything.
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]
