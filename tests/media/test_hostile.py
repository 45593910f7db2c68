"""Files made to do harm, names made to confuse, and ends that come too soon: nothing hangs, leaks or is left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import pytest
from nasty import encoded, later, run
from numbered import write_numbered
from one_job import finish, given, plan_of, prepare

import reelflow.media.steps  # noqa: F401 - `flip` is known by its name
from reelflow.compile import Known, compile_recipe
from reelflow.errors import BadInput, BadMedia, MediaFailed, MediaTimeout, Refused
from reelflow.media.finish import finish as finish_phase
from reelflow.media.picture import write_poster
from reelflow.media.probe import probe
from reelflow.media.run import Progress
from reelflow.models import Model, ModelTable
from reelflow.recipe import parse_recipe


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """An address that a file may try to reach; nothing must ever knock."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.0)
        yield server


def playlists(secret: Path, port: int) -> dict[str, str]:
    address = f"http://127.0.0.1:{port}/x.ts"
    return {
        "ffconcat": f"ffconcat version 1.0\nfile '{secret}'\n",
        "hls": f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{address}\n#EXTINF:1,\nfile://{secret}\n#EXT-X-ENDLIST\n",
        "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
                'mediaPresentationDuration="PT1S"><Period><AdaptationSet mimeType="video/mp4"><Representation id="1" '
                f'bandwidth="1"><BaseURL>{address}</BaseURL></Representation></AdaptationSet></Period></MPD>',
        "sdp": f"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video {port} RTP/AVP 96\n",
        "concat-protocol": f"concat:{secret}|{secret}",
        "tty": "\x1b[2J" + "hello\n" * 500,
        "imf": '<?xml version="1.0"?><CompositionPlaylist xmlns="http://www.smpte-ra.org/schemas/2067-3/2016"/>',
        "subtitles": "1\n00:00:00,000 --> 00:00:01,000\nhello\n",
        "ffmetadata": ";FFMETADATA1\ntitle=x\n",
    }


@pytest.mark.parametrize("suffix", [".mp4", *later(".mkv", ".m3u8", ".mpd")])
async def test_a_text_that_points_elsewhere_is_refused(
    suffix: str, listener: socket.socket, tmp_path: Path
) -> None:
    secret = write_numbered(tmp_path / "secret.mp4", frames=5)
    for kind, text in playlists(secret, listener.getsockname()[1]).items():
        path = tmp_path / f"{kind}{suffix}"
        path.write_text(text)
        with pytest.raises(Refused, match="is not a video or a picture that can be read"):
            await probe(path)
    with pytest.raises(BlockingIOError):
        listener.accept()


async def test_what_is_not_a_regular_file_is_refused_before_it_is_opened(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.mp4"
    os.mkfifo(pipe)
    link = tmp_path / "link.mp4"
    link.symlink_to(pipe)
    async with asyncio.timeout(5):
        for path, said in (
            (pipe, "is not a regular file"), (link, "is not a regular file"), (Path("/dev/zero"), "is not a regular"),
            (tmp_path, "is a folder"), (tmp_path / "none.mp4", "There is no file .*none.mp4"),
            (tmp_path / ("x" * 300), "can't be opened"), (Path("a\0b"), "can't be opened"),
        ):
            with pytest.raises(BadInput, match=said):
                await probe(path)


async def test_a_probe_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    source = write_numbered(tmp_path / "in.mp4", frames=5)
    with pytest.raises(Refused, match=r"in\.mp4 could not be read within 0\.00\d+ s"):
        await probe(source, timeout=0.001)


NAMES = [
    "with space.mp4", "a:b.mp4", "-o.mp4", "--help.mp4", "concat:x.mp4", "it's \"quoted\".mp4", "100%d %03d.mp4",
    "ünïcödé-映画-🎬.mp4", "[brackets];,=.mp4", "back\\slash.mp4", "new\nline.mp4", "pipe:0.mp4",
    "$HOME `id`.mp4", "*?.mp4",
]


@pytest.mark.parametrize("name", [*NAMES[1:8], *later(NAMES[0], *NAMES[8:])])
async def test_a_name_is_only_a_name(
    name: str, either: Path, small_model: Model, render: Any, work_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = write_numbered(work_dir / "plain.mp4", frames=6)
    (work_dir / "in").mkdir()
    (work_dir / "out").mkdir()
    plain.rename(work_dir / "in" / name)
    monkeypatch.chdir(work_dir / "in")
    plan = plan_of(await probe(Path(name)), small_model)
    sent = await prepare(plan, work_dir / "out" / name, ffmpeg=either, timeout=20)
    generated = await render(sent.path) if name not in ("100%d %03d.mp4",) else sent.path
    monkeypatch.chdir(work_dir)
    done = await finish(plan, generated, work_dir / "out" / f"2{name}", ffmpeg=either, timeout=20)
    poster = await write_poster(done.path, work_dir / "out" / f"{name}.png", ffmpeg=either)
    assert (await probe(done.path)).frames == 6
    assert sorted(path.name for path in (work_dir / "out").iterdir()) == sorted([name, f"2{name}", poster.name])


@pytest.fixture(scope="session")
def long_film(tmp_path_factory: pytest.TempPathFactory, ffmpeg: Path) -> Path:
    """A film that takes seconds to prepare: noise, large, a minute long."""
    path = tmp_path_factory.mktemp("long") / "in.mp4"
    encoded("-c:v", "libx264", "-preset", "ultrafast", "-crf", "35", "-c:a", "aac",
            picture="testsrc2=s=640x360:r=30:d=60", sound="sine=d=60")(ffmpeg, path)
    return path


def running(marker: Path) -> list[int]:
    """The processes whose command line names something in this folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if str(marker).encode() in command:
                found.append(int(entry.name))
    return found


async def gone_within_a_second(marker: Path) -> bool:
    try:
        async with asyncio.timeout(1):
            while running(marker):
                await asyncio.sleep(0.02)
    except TimeoutError:
        return False
    return True


@pytest.mark.parametrize("room", ["prepare", "finish"])
@pytest.mark.parametrize("ending", ["cancel", "timeout"])
async def test_an_end_that_comes_too_soon_leaves_nothing(
    ending: str, room: str, either: Path, long_film: Path, small_model: Model, work_dir: Path
) -> None:
    plan = plan_of(await probe(long_film), small_model, size="source")
    begun = asyncio.Event()

    def watch(seen: Progress) -> None:
        if seen.frame:
            begun.set()

    destination = work_dir / "done.mp4"
    limit = 0.3 if ending == "timeout" else 60
    if room == "prepare":
        work = prepare(plan, destination, ffmpeg=either, timeout=limit, on_progress=watch)
    else:
        ready = await prepare(plan, work_dir / "sent.mp4", ffmpeg=either, timeout=60)
        work = finish(plan, ready.path, destination, ffmpeg=either, timeout=limit, on_progress=watch)
    task: asyncio.Task[Any] = asyncio.create_task(work)
    if ending == "cancel":
        await asyncio.wait_for(begun.wait(), 30)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    else:
        with pytest.raises(MediaTimeout, match=r"took longer than 0.3 s"):
            await task
    assert await gone_within_a_second(work_dir)
    assert {path.name for path in work_dir.iterdir()} <= {"sent.mp4"}


@pytest.mark.parametrize("room", ["prepare", "finish"])
@pytest.mark.skipif(sys.platform != "linux", reason="children die with their parent on Linux only")
async def test_a_killed_parent_takes_its_ffmpeg_along(
    room: str, either: Path, ffmpeg: Path, long_film: Path, small_model: Model, work_dir: Path
) -> None:
    script = textwrap.dedent("""
        import asyncio, sys
        from pathlib import Path
        sys.path.insert(0, sys.argv.pop())
        from one_job import finish, given, plan_of, prepare
        from reelflow.media.probe import probe
        from reelflow.model_row import parse_row

        async def main(room, ffmpeg, source, folder, sent):
            model = parse_row("small", {"kind": "edit", "width": 256, "height": 144, "fps": 20})
            plan = plan_of(await probe(source), model)
            tell = {"ffmpeg": ffmpeg, "timeout": 60, "on_progress": lambda seen: print(seen.frame, flush=True)}
            if room == "prepare":
                await prepare(plan, folder / "done.mp4", **tell)
            else:
                await finish(plan, sent, folder / "done.mp4", **tell)

        asyncio.run(main(sys.argv[1], *map(Path, sys.argv[2:])))
    """)
    sent, folder = work_dir / "sent.mp4", work_dir / "out"
    folder.mkdir()
    if room == "finish":
        plan = plan_of(await probe(long_film), small_model)
        await prepare(plan, sent, ffmpeg=ffmpeg, timeout=60)
    parent = subprocess.Popen(
        [sys.executable, "-c", script, room, str(either), str(long_film), str(folder), str(sent),
         str(Path(__file__).parent)],
        stdout=subprocess.PIPE, stdin=subprocess.DEVNULL,
    )
    assert parent.stdout is not None and parent.stdout.readline()
    assert len(running(folder)) == 2
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    assert await gone_within_a_second(folder)
    assert not (folder / "done.mp4").exists()


@pytest.fixture
def full_disk(work_dir: Path) -> Iterator[Path]:
    """A disk with room for 100 kB."""
    folder = work_dir / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", str(folder)], capture_output=True,
                             check=False)
    if mounted.returncode:
        pytest.skip("a small disk can only be mounted by root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.parametrize("room", ["prepare", "finish"])
async def test_a_full_disk_is_said_and_leaves_no_file(
    room: str, either: Path, ffmpeg: Path, long_film: Path, small_model: Model, work_dir: Path, full_disk: Path
) -> None:
    plan = plan_of(await probe(long_film), small_model)
    with pytest.raises(MediaFailed, match="no room left on the disk"):
        if room == "prepare":
            await prepare(plan, full_disk / "done.mp4", ffmpeg=either, timeout=60)
        else:
            sent = await prepare(plan, work_dir / "sent.mp4", ffmpeg=ffmpeg, timeout=60)
            await finish(plan, sent.path, full_disk / "done.mp4", ffmpeg=either, timeout=60)
    assert list(full_disk.iterdir()) == []


async def test_a_file_that_may_not_grow_leaves_no_file(
    either: Path, long_film: Path, small_model: Model, work_dir: Path
) -> None:
    plan = plan_of(await probe(long_film), small_model)
    script = work_dir / "ffmpeg"
    script.write_text(f'#!/bin/sh\ntrap "" XFSZ\nulimit -f 100\nexec "{either}" "$@"\n')
    script.chmod(0o755)
    with pytest.raises(MediaFailed):
        await prepare(plan, work_dir / "sent.mp4", ffmpeg=script, timeout=60)
    assert [path.name for path in work_dir.iterdir()] == ["ffmpeg"]


async def test_a_folder_that_is_not_there_is_said(ffmpeg: Path, small_model: Model, work_dir: Path) -> None:
    source = write_numbered(work_dir / "in.mp4", frames=5)
    plan = plan_of(await probe(source), small_model)
    with pytest.raises(MediaFailed, match="No such file or directory"):
        await prepare(plan, work_dir / "none" / "sent.mp4", ffmpeg=ffmpeg, timeout=20)


async def test_pictures_that_get_smaller_midway_show_no_other_memory(
    build: Path, ffmpeg: Path, small_model: Model, work_dir: Path
) -> None:
    """A crop goes by the first picture's size: what lies behind a smaller one must not be sent along."""
    parts = [work_dir / f"{size}.ts" for size in ("320x180", "64x200")]
    for part, after in zip(parts, (0, 0.6), strict=True):
        encoded("-c:v", "libx264", "-preset", "ultrafast", "-bf", "0", "-output_ts_offset", str(after),
                picture=f"color=white:s={part.stem}:r=25:d=0.6,format=yuv420p")(ffmpeg, part)
    source = work_dir / "in.ts"
    source.write_bytes(b"".join(part.read_bytes() for part in parts))
    plan = plan_of(await probe(source), replace(small_model, height=200), fit="crop")
    sent = await prepare(plan, work_dir / "sent.mp4", ffmpeg=build, timeout=20)
    with av.open(str(sent.path)) as opened:
        darkest = [int(frame.to_ndarray(format="gray").min()) for frame in opened.decode(video=0)]
    assert len(darkest) == 24 and min(darkest) > 200


@pytest.mark.parametrize("room", ["prepare", "finish"])
async def test_a_film_that_is_turned_and_changes_its_size_is_refused(
    room: str, build: Path, ffmpeg: Path, small_model: Model, work_dir: Path
) -> None:
    """ffmpeg turns it by its first picture before we get to it, and of a smaller one would show other memory."""
    for size in ("320x180", "64x200"):
        encoded("-c:v", "libx264", "-preset", "ultrafast", "-bf", "0",
                picture=f"color=white:s={size}:r=25:d=0.6,format=yuv420p")(ffmpeg, work_dir / f"{size}.h264")
    both = work_dir / "both.h264"
    both.write_bytes(b"".join((work_dir / f"{size}.h264").read_bytes() for size in ("320x180", "64x200")))
    run(ffmpeg, "-r", "25", "-i", both, "-c", "copy", work_dir / "both.mp4")
    source = work_dir / "in.mp4"
    run(ffmpeg, "-display_rotation", "90", "-i", work_dir / "both.mp4", "-c", "copy", source)
    sent, done = work_dir / "sent.mp4", work_dir / "done.mp4"
    with pytest.raises(BadMedia, match="is stored turned and changes the size of its pictures on the way"):
        if room == "prepare":
            await prepare(plan_of(await probe(source), small_model), sent, ffmpeg=build, timeout=20)
        else:
            recipe = parse_recipe({"name": "flip", "steps": [{"flip": "horizontal"}]})
            plan = compile_recipe(recipe, await probe(source), Known(ModelTable.standard()))
            await finish_phase(plan.finish, {}, given(work_dir), [done], source=plan.source, ffmpeg=build, timeout=20)
    assert not sent.exists() and not done.exists()
