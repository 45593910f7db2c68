"""The child that forks for each film: nothing is left behind, and one that is gone is started again."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from reelflow.errors import MediaFailed, MediaTimeout
from reelflow.media.forked import run_forked
from reelflow.media.limits import Limits
from reelflow.media.probe import probe, probe_encoded
from reelflow.media.run import run_ffmpeg

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="reads the kernel's own table, in /proc")

EXAMINE = "reelflow.media.examine"


@pytest.fixture(scope="module")
def long_film(tmp_path_factory: pytest.TempPathFactory, ffmpeg: Path) -> Path:
    """A film that takes a while to be read through: half an hour of tiny pictures."""
    target = tmp_path_factory.mktemp("long") / "long.mp4"
    asyncio.run(run_ffmpeg([
        "-f", "lavfi", "-i", "color=s=16x16:r=60:d=1800", "-c:v", "libx264", "-preset", "ultrafast", f"file:{target}",
    ], ffmpeg=ffmpeg, timeout=120))
    return target


def children_of(pid: int) -> list[int]:
    """The processes that a process has started and that still run."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            after_name = status.read_text("ascii", "replace").rpartition(")")[2].split()
        except OSError:
            continue
        if int(after_name[1]) == pid and after_name[0] != "Z":
            found.append(int(status.parent.name))
    return found


def forkers() -> list[int]:
    """The child that forks, once it is there."""
    return [pid for pid in children_of(os.getpid())
            if b"--fork" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")]


def forks() -> set[int]:
    """Those that look at a film just now, and the one that stays, where it is there."""
    return {pid for one in forkers() for pid in children_of(one)}


staying: set[int] = set()


@pytest.fixture(autouse=True)
def _the_one_that_stays() -> None:
    """Know it, from what ran before in this process."""
    staying.clear()
    staying.update(forks())


def at_work() -> set[int]:
    """Those that look at a film just now."""
    return forks() - staying


async def test_one_that_is_not_wanted_any_more_ends(long_film: Path) -> None:
    asked = asyncio.create_task(run_forked(EXAMINE, [str(long_film)], timeout=60, limits=Limits()))
    async with asyncio.timeout(30):
        while not (looking := at_work()):
            await asyncio.sleep(0.002)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        while looking & at_work():
            await asyncio.sleep(0.01)


async def test_it_is_started_again_where_somebody_has_killed_it(tmp_path: Path, ffmpeg: Path) -> None:
    films = [tmp_path / "one.mp4", tmp_path / "two.mp4"]
    for film in films:
        await run_ffmpeg(["-f", "lavfi", "-i", "testsrc2=s=64x36:r=20:d=0.5", f"file:{film}"], ffmpeg=ffmpeg,
                         timeout=60)
    assert (await probe(films[0])).frames == 10
    (first,) = forkers()
    os.kill(first, signal.SIGKILL)
    os.waitid(os.P_PID, first, os.WEXITED | os.WNOWAIT)
    assert (await probe(films[1])).frames == 10
    assert forkers() != [first]


async def test_a_film_that_has_changed_is_read_again(tmp_path: Path, ffmpeg: Path) -> None:
    film = tmp_path / "film.mp4"
    for frames in (10, 20):
        await run_ffmpeg(["-y", "-f", "lavfi", "-i", "testsrc2=s=64x36:r=20:d=5", "-frames:v", str(frames),
                          f"file:{film}"], ffmpeg=ffmpeg, timeout=60)
        assert (await probe(film)).frames == frames


async def fork_at_work() -> int:
    """The fork that looks at a film, as soon as there is one; no other film may be looked at."""
    async with asyncio.timeout(30):
        while not (looking := at_work()):
            await asyncio.sleep(0.001)
    (pid,) = looking
    return pid


async def test_each_fork_has_the_limits_that_its_own_film_is_given(long_film: Path) -> None:
    for number in (7, 8):
        asked = asyncio.create_task(run_forked(EXAMINE, [str(long_film)], timeout=60, limits=Limits(
            cpu_seconds=number, memory_bytes=number * 2**30, file_bytes=number)))
        pid = await fork_at_work()
        async with asyncio.timeout(30):
            while f"file size {number} " not in (told := " ".join(Path(f"/proc/{pid}/limits").read_text().split())):
                await asyncio.sleep(0.001)
        assert f"Max cpu time {number} {number} " in told
        assert f"Max address space {number * 2**30} {number * 2**30} " in told
        await asked
        async with asyncio.timeout(30):
            while at_work():  # it has answered, and is on its way out
                await asyncio.sleep(0.001)


async def test_a_film_that_kills_its_fork_harms_no_other_and_is_looked_at_again(
    tmp_path: Path, ffmpeg: Path, long_film: Path
) -> None:
    film = tmp_path / "film.mp4"
    await run_ffmpeg(["-f", "lavfi", "-i", "testsrc2=s=64x36:r=20:d=0.5", f"file:{film}"], ffmpeg=ffmpeg, timeout=60)
    asked = asyncio.create_task(run_forked(EXAMINE, [str(long_film)], timeout=60, limits=Limits()))
    os.kill(await fork_at_work(), signal.SIGSEGV)
    before = forkers()
    assert (await probe(film)).frames == 10
    assert b'"frames": 108000' in (await asked).stdout
    assert forkers() == before


async def test_a_film_that_takes_too_long_is_stopped(long_film: Path) -> None:
    with pytest.raises(MediaTimeout, match=r"longer than 0\.02 s"):
        await run_forked(EXAMINE, [str(long_film)], timeout=0.02, limits=Limits())
    async with asyncio.timeout(30):
        while at_work():
            await asyncio.sleep(0.01)


async def test_films_of_our_own_are_looked_at_by_one_fork_which_stays(tmp_path: Path, ffmpeg: Path) -> None:
    films = [tmp_path / f"{number}.mp4" for number in range(4)]
    for film in films:
        await run_ffmpeg(["-f", "lavfi", "-i", "testsrc2=s=64x36:r=20:d=0.5", f"file:{film}"], ffmpeg=ffmpeg,
                         timeout=60)
    told = await probe_encoded(films[0])
    os.utime(films[0])
    assert told == await probe(films[0])  # by a fork of its own
    (stays,) = [pid for pid in forks() if sockets_of(pid)]
    looked = await asyncio.gather(*(probe_encoded(film) for film in films[1:]))
    assert [one.frames for one in looked] == [10, 10, 10]
    os.kill(stays, signal.SIGKILL)
    async with asyncio.timeout(30):
        while stays in forks():
            await asyncio.sleep(0.001)
    os.utime(films[1])
    assert await probe_encoded(films[1]) == looked[0]


async def test_a_film_of_our_own_that_is_gone_is_told_and_keeps_the_one_that_stays(
    tmp_path: Path, ffmpeg: Path
) -> None:
    film = tmp_path / "film.mp4"
    await run_ffmpeg(["-f", "lavfi", "-i", "testsrc2=s=64x36:r=20:d=0.5", f"file:{film}"], ffmpeg=ffmpeg, timeout=60)
    before = await probe_encoded(film)
    there = {pid for pid in forks() if sockets_of(pid)}
    with pytest.raises(MediaFailed):
        await run_forked(EXAMINE, [str(tmp_path / "gone.mp4")], timeout=60, limits=Limits(), harmless=True)
    os.utime(film)
    assert await probe_encoded(film) == before
    assert {pid for pid in forks() if sockets_of(pid)} == there


async def test_a_film_that_takes_long_is_asked_of_a_fork_of_its_own(long_film: Path) -> None:
    films = [run_forked(EXAMINE, [str(long_film)], timeout=60, limits=Limits(), harmless=True) for _ in range(12)]
    assert all(b'"frames": 108000' in told.stdout for told in await asyncio.gather(*films))


def sockets_of(pid: int) -> bool:
    """Whether a fork waits to be asked: one that has ended has nothing open any more."""
    try:
        return bool(list(Path(f"/proc/{pid}/fd").iterdir()))
    except OSError:
        return False
