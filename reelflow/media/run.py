"""Where processes are started: ffmpeg and the probe (see `forked`), bounded, watched, and never left behind."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import re
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from reelflow.errors import BadInput, MediaFailed, MediaStopped, MediaTimeout
from reelflow.media.limits import NO_LIMITS, Limits, bounded

TAIL_BYTES = 16_384
# What both builds say where a picture is of another kind than the first, once or for each of them.
_CHANGED = re.compile(rb"filter context - w: (\d+) h: (\d+) .{,80}?incoming frame - w: (\d+) h: (\d+) ")
_CHANGED_BYTES = 256
# What ffmpeg ends with after SIGINT or SIGTERM, without a word; after an error of that number it says which.
_SIGNALLED = 255
_FROM_OUTSIDE = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL)
# What was opened of a process can't be read any more once that is gone, whoever has its number by then.
_END_WITH_US = 'exec 3<"/proc/$1/stat"; read -r line; read -r line <&3 && kill "$1"'


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an encode is: frames and seconds of film written, bytes, and speed (film seconds per second)."""

    frame: int = 0
    seconds: float = 0.0
    size_bytes: int = 0
    speed: float | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """What a finished process left: standard output (where it was kept) and the last lines of standard error.

    `hides_errors` is whether errors were told before those lines. `resized` is whether ffmpeg, when asked to be
    verbose, told of pictures that changed their size on the way.
    """

    stdout: bytes
    stderr: str
    last: Progress
    resized: bool = False
    hides_errors: bool = False


@functools.cache
def find_ffmpeg(choice: str = "bundled") -> Path:
    """The ffmpeg to use: `bundled` (imageio-ffmpeg's static build), `path` (the one on PATH) or a path.

    Raises BadInput where there is none.
    """
    if choice == "bundled":
        import imageio_ffmpeg

        return Path(imageio_ffmpeg.get_ffmpeg_exe())
    found = shutil.which("ffmpeg") if choice == "path" else shutil.which(choice)
    if found is None:
        where = "on the PATH" if choice == "path" else f"at {choice}"
        raise BadInput(f"There is no ffmpeg {where}: set REELFLOW_FFMPEG to `bundled` or to its path.", field="ffmpeg")
    return Path(found)


@contextlib.asynccontextmanager
async def _process(arguments: Sequence[str], limits: Limits) -> AsyncIterator[asyncio.subprocess.Process]:
    """A child that is gone when the block is left, whatever happened in it.

    Killed rather than asked: after SIGINT or SIGTERM ffmpeg writes a trailer, and a short film that plays looks whole.
    """
    start = bounded(arguments, limits)
    process = await asyncio.create_subprocess_exec(
        *start.arguments, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE, preexec_fn=start.before,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await asyncio.shield(process.wait())


async def _read_tail(stream: asyncio.StreamReader) -> tuple[bytes, bool, bool]:
    """The end of what is said, whether anything in it was said of another size, and of errors before that end."""
    tail, resized, hides_errors = b"", False, False
    while chunk := await stream.read(65_536):
        read = tail + chunk
        resized = resized or any(
            found.group(1, 2) != found.group(3, 4)
            for found in _CHANGED.finditer(read, len(tail) - min(len(tail), _CHANGED_BYTES)))
        hides_errors = hides_errors or b"[error]" in read[:-TAIL_BYTES]
        tail = read[-TAIL_BYTES:]
    return tail, resized, hides_errors


async def _read_progress(stream: asyncio.StreamReader, on_progress: Callable[[Progress], None] | None) -> Progress:
    """Follow `-progress pipe:1`. `out_time_us` and `out_time_ms` are both microseconds, and any value may be N/A."""
    seen: dict[str, str] = {}
    last, rest = Progress(), b""
    while chunk := await stream.read(65_536):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            name, _, value = line.decode("ascii", "replace").strip().partition("=")
            seen[name] = value.strip()
            if name == "progress":
                last = Progress(
                    frame=int(_number(seen.get("frame")) or last.frame),
                    seconds=(_number(seen.get("out_time_us")) or last.seconds * 1e6) / 1e6,
                    size_bytes=int(_number(seen.get("total_size")) or last.size_bytes),
                    speed=_number((seen.get("speed") or "").rstrip("x")),
                )
                if on_progress is not None:
                    on_progress(last)
    return last


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None


async def run_ffmpeg(
    arguments: Sequence[str],
    *,
    ffmpeg: Path,
    timeout: float,
    on_progress: Callable[[Progress], None] | None = None,
    limits: Limits = NO_LIMITS,
) -> Ended:
    """Run one ffmpeg command (arguments after the program's name) and wait for its end.

    Adds `-nostdin -hide_banner -loglevel warning -progress pipe:1`. `timeout` is in seconds.

    Raises:
        MediaFailed: it ended with an error; its last lines are in the message and in `stderr`.
        MediaStopped: a signal that we had not sent ended it.
        MediaTimeout: it took longer than `timeout` and was killed.
    """
    command = [
        str(ffmpeg), "-nostdin", "-hide_banner", "-loglevel", "level+warning", "-nostats", "-progress", "pipe:1",
        *arguments,
    ]
    try:
        async with asyncio.timeout(timeout), _process(command, limits) as process:
            assert process.stdout is not None and process.stderr is not None
            last, (tail, resized, hides_errors), code = await asyncio.gather(
                _read_progress(process.stdout, on_progress), _read_tail(process.stderr), process.wait()
            )
    except TimeoutError:
        raise MediaTimeout(f"ffmpeg took longer than {timeout:g} s and was stopped.") from None
    stderr = tail.decode("utf-8", "replace").strip()
    if code != 0 and "No space left on device" in stderr:
        raise MediaFailed(f"There is no room left on the disk of {_folder_of(arguments)}: make room and run again.",
                          stderr=stderr)
    if code != 0:
        is_stopped = -code in _FROM_OUTSIDE or (
            code == _SIGNALLED and not hides_errors and "[error]" not in stderr)
        message = f"ffmpeg failed ({_ending(code)}): {_last_words(stderr)}"
        if is_stopped:
            raise MediaStopped(message, stderr=stderr, is_killed=-code == signal.SIGKILL)
        raise MediaFailed(message, stderr=stderr)
    return Ended(b"", stderr, last, resized, hides_errors)


async def run_python(
    module: str, arguments: Sequence[str], *, timeout: float, limits: Limits = NO_LIMITS, max_output: int = 4 * 2**20
) -> Ended:
    """Run `python -m module arguments` and keep its standard output (at most `max_output` bytes).

    Raises:
        MediaFailed: it ended with an error, or said more than that.
        MediaTimeout: it took longer than `timeout` seconds and was killed.
    """
    try:
        async with (
            asyncio.timeout(timeout),
            _process([sys.executable, "-P", "-m", module, *arguments], limits) as process,
        ):
            assert process.stdout is not None and process.stderr is not None
            errors = asyncio.create_task(_read_tail(process.stderr))
            said = bytearray()
            while chunk := await process.stdout.read(65_536):
                said += chunk
                if len(said) > max_output:
                    errors.cancel()
                    raise MediaFailed(f"{module} said more than {max_output} bytes.")
            (tail, *_), code = await asyncio.gather(errors, process.wait())
    except TimeoutError:
        raise MediaTimeout(f"{module} took longer than {timeout:g} s and was stopped.") from None
    stderr = tail.decode("utf-8", "replace").strip()
    if code != 0:
        raise MediaFailed(f"{module} failed ({_ending(code)}): {_last_words(stderr)}", stderr=stderr)
    return Ended(bytes(said), stderr, Progress())


@functools.cache
def end_with_us(pid: int) -> None:
    """Have a process that others have started for us end when we do, killed or not (Linux).

    The kernel would send it a signal when the thread ends that started it, and a run's thread ends before the run is
    told. So a shell waits for the end of what it reads from us, which is there as long as we are.
    """
    if sys.platform != "linux":
        return
    read, _left_open = os.pipe()
    with contextlib.suppress(OSError):  # no run fails for want of a shell
        os.posix_spawn(
            "/bin/sh", ["/bin/sh", "-c", _END_WITH_US, "reelflow", str(pid)], {}, setpgroup=0,
            file_actions=[
                (os.POSIX_SPAWN_DUP2, read, 0), (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
                (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
            ],
        )
    os.close(read)


def _ending(code: int) -> str:
    if code >= 0:
        return f"exit {code}"
    if -code == signal.SIGKILL:
        return "SIGKILL, perhaps for want of memory"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


def _folder_of(arguments: Sequence[str]) -> str:
    """Of the folders of a command's files the one with the least room."""
    folders = {Path(word.removeprefix("file:")).parent for word in arguments if word.startswith("file:")}
    return str(min((folder for folder in folders if folder.is_dir()), key=lambda folder: shutil.disk_usage(folder).free,
                   default=Path()))


def _last_words(stderr: str, lines: int = 3) -> str:
    # A verbose log is asked for where its counts are wanted; a person wants what went wrong. Each JPEG that is written
    # beside a film is warned of.
    chat = ("[verbose]", "[info]", "deprecated pixel format used")
    told = [line.strip() for line in stderr.splitlines() if line.strip() and not any(word in line for word in chat)]
    return " / ".join(told[-lines:])[-600:] or "it said nothing."
