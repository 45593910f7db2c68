"""The one runner of processes: bounded, watched, and nothing left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from reelflow.errors import BadInput, MediaFailed, MediaTimeout
from reelflow.media.run import Limits, Progress, find_ffmpeg, run_ffmpeg, run_python

ENDLESS = ["-re", "-f", "lavfi", "-i", "testsrc2=s=64x64"]


def stat_of(pid: int) -> list[str]:
    """A process's state, its parent and so on, as the kernel lists them; of one that is gone, a zombie's."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ["Z", "0"]


def is_alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    return stat_of(pid)[0] != "Z"


def children_of(pid: int) -> list[int]:
    """The processes that `pid` started; by their parent, since the threads that started them come and go."""
    return [int(entry.name) for entry in Path("/proc").iterdir()
            if entry.name.isdecimal() and stat_of(int(entry.name))[1] == str(pid)]


async def test_progress_counts_the_frames(ffmpeg: Path) -> None:
    seen: list[Progress] = []
    ended = await run_ffmpeg(["-f", "lavfi", "-i", "testsrc2=s=64x64:d=2:r=25", "-f", "null", "-"], ffmpeg=ffmpeg,
                             timeout=30, on_progress=seen.append)
    assert (ended.last.frame, ended.last.seconds, seen[-1].frame) == (50, 2.0, 50)


async def test_a_failure_carries_ffmpeg_s_last_words(ffmpeg: Path) -> None:
    with pytest.raises(MediaFailed, match="No such file"):
        await run_ffmpeg(["-i", "file:/nowhere.mp4", "-f", "null", "-"], ffmpeg=ffmpeg, timeout=30)


async def test_a_timeout_kills_ffmpeg(ffmpeg: Path) -> None:
    with pytest.raises(MediaTimeout, match=r"longer than 0\.5 s"):
        await run_ffmpeg([*ENDLESS, "-f", "null", "-"], ffmpeg=ffmpeg, timeout=0.5)
    assert not [pid for pid in children_of(os.getpid()) if is_alive(pid) and "ffmpeg" in command_of(pid)]


def command_of(pid: int) -> str:
    """The command line of a process."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except (FileNotFoundError, ProcessLookupError):
        return ""


async def test_a_cancel_kills_ffmpeg(ffmpeg: Path) -> None:
    began = asyncio.Event()
    running = asyncio.create_task(run_ffmpeg([*ENDLESS, "-f", "null", "-"], ffmpeg=ffmpeg, timeout=60,
                                             on_progress=lambda _: began.set()))
    await began.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not [pid for pid in children_of(os.getpid()) if is_alive(pid) and "ffmpeg" in command_of(pid)]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can end a child with its parent")
def test_ffmpeg_dies_with_a_parent_that_is_killed(ffmpeg: Path) -> None:
    program = (
        "import asyncio, sys; from pathlib import Path; from reelflow.media.run import run_ffmpeg;"
        f"asyncio.run(run_ffmpeg({[*ENDLESS, '-f', 'null', '-']!r}, ffmpeg=Path({str(ffmpeg)!r}), timeout=60,"
        "on_progress=lambda _: print('on', flush=True)))"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        (child,) = children_of(parent.pid)
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        ended = os.pidfd_open(child) if is_alive(child) else None
        if ended is not None:
            import select

            assert select.select([ended], [], [], 5)[0]
            os.close(ended)
    assert not is_alive(child)


async def test_a_child_s_output_is_bounded() -> None:
    with pytest.raises(MediaFailed, match="said more than 10 bytes"):
        await run_python("this", [], timeout=30, max_output=10)


async def test_a_child_s_file_size_is_bounded(ffmpeg: Path, tmp_path: Path) -> None:
    target = tmp_path / "large.mkv"
    with pytest.raises(MediaFailed):
        await run_ffmpeg(["-f", "lavfi", "-i", "testsrc2=s=320x240:d=5", "-c:v", "rawvideo", f"file:{target}"],
                         ffmpeg=ffmpeg, timeout=30, limits=Limits(file_bytes=100_000))
    assert target.stat().st_size <= 100_000


def test_a_missing_ffmpeg_is_told() -> None:
    with pytest.raises(BadInput, match="no ffmpeg at /nowhere/ffmpeg: set REELFLOW_FFMPEG"):
        find_ffmpeg("/nowhere/ffmpeg")
