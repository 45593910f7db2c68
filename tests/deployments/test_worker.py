"""The worker's look at the processes of its machine, when it is told to stop."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from deployments.worker import children_of


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_a_process_whose_name_is_not_utf_8_is_a_process(tmp_path: Path) -> None:
    sleep = shutil.which("sleep")
    assert sleep is not None
    named = tmp_path / os.fsdecode(b"\xff")
    named.symlink_to(sleep)
    with subprocess.Popen([named, "60"]) as foreign:
        try:
            assert foreign.pid in children_of(os.getpid())
        finally:
            foreign.kill()
