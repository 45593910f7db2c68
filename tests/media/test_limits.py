"""What a child may use, and that it ends with us: where the kernel's tools set it, and where a fork of ours does."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not Path("/proc/self/limits").exists(), reason="reads the kernel's own table, in /proc")

# `run_ffmpeg` in a process of its own, which finds `setpriv` on its PATH or does not.
STARTS = """
import asyncio, sys
from pathlib import Path
from reelflow.media.limits import Limits
from reelflow.media.run import run_ffmpeg

asyncio.run(run_ffmpeg([sys.argv[2]], ffmpeg=Path(sys.argv[1]), timeout=60, limits=Limits(
    cpu_seconds=7, memory_bytes=3 * 2**30, file_bytes=2**20, gives_way=True)))
"""


@pytest.fixture(params=["by the system's tools", "by a fork", "by a fork, past tools that are too old"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The PATH of whoever starts ffmpeg."""
    if request.param == "by a fork":
        return "/nowhere"
    if "too old" in request.param:
        old = tmp_path / "old"
        old.mkdir()
        (old / "setpriv").write_text("#!/bin/sh\necho unrecognized option >&2\nexit 1\n", "utf-8")
        (old / "setpriv").chmod(0o755)
        return f"{old}:/usr/bin:/bin"
    if shutil.which("setpriv", path="/usr/bin:/bin") is None:
        pytest.skip("util-linux is not installed")
    return "/usr/bin:/bin"


def program(folder: Path, does: str) -> Path:
    """In ffmpeg's place, a script that is given a file's name as the last word."""
    made = folder / "ffmpeg"
    made.write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\nfor told; do :; done\n{does}\n", "utf-8")
    made.chmod(0o755)
    return made


def start(ffmpeg: Path, told: Path, path: str, before: str = "") -> subprocess.Popen[bytes]:
    """Run it, in a process of its own."""
    return subprocess.Popen([sys.executable, "-c", before + STARTS, str(ffmpeg), str(told)],
                            env={**os.environ, "PATH": path}, stderr=subprocess.PIPE)


def test_a_child_has_its_limits_and_gives_way(tmp_path: Path, path: str) -> None:
    told = tmp_path / "told"
    started = start(program(tmp_path, 'cat /proc/$$/limits /proc/$$/stat > "$told"'), told, path)
    _, errors = started.communicate(timeout=60)
    assert started.returncode == 0, errors
    words = " ".join(told.read_text().split())
    assert "Max cpu time 7 7 " in words
    assert f"Max address space {3 * 2**30} {3 * 2**30} " in words
    assert f"Max file size {2**20} {2**20} " in words
    assert words.rpartition(")")[2].split()[16] == "10"


def test_who_is_bounded_more_narrowly_is_given_no_more_and_goes_on(tmp_path: Path, path: str) -> None:
    told = tmp_path / "told"
    started = start(program(tmp_path, 'cat /proc/$$/limits > "$told"'), told, path,
                    "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))\n")
    _, errors = started.communicate(timeout=60)
    assert started.returncode == 0, errors
    assert "Max file size 65536 65536 " in " ".join(told.read_text().split())


def test_a_child_is_gone_when_its_parent_is_killed(tmp_path: Path, path: str) -> None:
    told = tmp_path / "told"
    os.mkfifo(told)
    started = start(program(tmp_path, 'exec 9> "$told"\necho $$ >&9\nexec sleep 1000'), told, path)
    with told.open("rb") as said:
        assert int(said.readline()) > 0
        started.send_signal(signal.SIGKILL)
        started.communicate(timeout=60)
        # The kernel closes what a process had open when that ends: nobody else has this end.
        assert said.read() == b""
