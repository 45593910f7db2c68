"""Scratch folders: each of one run's own, on the disk of the store, gone with the run."""

from __future__ import annotations

import contextlib
import fcntl
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def scratch_folder(work_dir: Path) -> Iterator[Path]:
    """A scratch folder in `work_dir`, removed when the block ends; those of runs that were killed are removed first.

    The lock is the kernel's and goes with its process, so that nothing of a run that goes on is ever touched.
    """
    folder = work_dir / "scratch"
    folder.mkdir(parents=True, exist_ok=True)
    own = folder / uuid.uuid4().hex
    with contextlib.ExitStack() as locked:
        with (folder / ".lock").open("ab") as door:
            fcntl.flock(door, fcntl.LOCK_EX)
            for left in folder.glob("*/"):
                with contextlib.suppress(OSError), (left / ".lock").open("ab") as lock:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(left, ignore_errors=True)
            own.mkdir()
            fcntl.flock(locked.enter_context((own / ".lock").open("ab")), fcntl.LOCK_EX)
        try:
            yield own
        finally:
            shutil.rmtree(own, ignore_errors=True)
