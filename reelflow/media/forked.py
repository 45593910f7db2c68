"""One child that has imported what it takes to open files, and forks for each file: the start is paid for once.

A file is opened in a process of its own all the same, with its own limits, which ends with that file; it holds nothing
of any other file's, and no way to be asked for one. Only Python and PyAV are in its memory already: starting both takes
a tenth of a second of CPU, a fork some milliseconds. The child that forks never opens a file, so that nothing hostile
ever gets to it; and nothing rests on it: a file whose fork says nothing, for whatever reason, is looked at once more by
`run_python`, as all are where the kernel is not Linux.

What we have just encoded ourselves does no harm (it may hold a sound track of the source, which had a fork of its own
before), and each fork takes longer than to look at a short film does. So one fork stays, and looks at small films of
our own, one after another, within the same limits but that of the CPU. What it can't say soon is asked of another fork.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import itertools
import json
import os
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace

from reelflow.errors import MediaFailed, MediaTimeout
from reelflow.media.limits import Limits, die_with_parent, set_limits
from reelflow.media.run import Ended, Progress, run_python

_DOOR = 3
_MOST_ASKED = 65_536
_END = b"\n"
_STAY = b"stay"
_MANY = 10
_SOON = 5.0

Answer = Callable[[Sequence[str]], str]


class _Child:
    """A child that is asked over a socket, its door; started with the first file, it ends when this process does."""

    def __init__(self) -> None:
        self._door: socket.socket | None = None
        self._asking = threading.Lock()

    def ask(self, asked: bytes, answers: socket.socket) -> None:
        """Have it answer what is asked on that socket; started again where it is gone. Raises OSError."""
        with self._asking:
            for is_last in (False, True):
                if self._door is None:
                    self._door = self._start()
                try:
                    socket.send_fds(self._door, [asked], [answers.fileno()])
                    return
                except BlockingIOError:
                    raise  # it is there, and has too much to do
                except OSError:
                    self._door.close()
                    self._door = None
                    self._end()
                    if is_last:
                        raise

    def begin(self) -> None:
        """Start the child, if it is not there, for what will be asked later. Raises OSError."""
        with self._asking:
            if self._door is None:
                self._door = self._start()

    def _start(self) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            try:
                self._open_to(theirs)
            except OSError:
                ours.close()
                raise
        # Whoever asks must never be held up.
        ours.setblocking(False)
        return ours

    def _open_to(self, door: socket.socket) -> None:
        """Start a child that is asked at that door. Raises OSError."""
        raise NotImplementedError

    def _end(self) -> None:
        """Make sure that a child which does not listen any more is gone."""


class _Forker(_Child):
    """The child that forks."""

    def __init__(self, module: str) -> None:
        super().__init__()
        self._module, self._pid = module, 0

    def _open_to(self, door: socket.socket) -> None:
        self._pid = os.posix_spawn(
            sys.executable, [sys.executable, "-P", "-m", self._module, "--fork"], os.environ,
            file_actions=[
                (os.POSIX_SPAWN_DUP2, door.fileno(), _DOOR), (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
                (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
            ],
        )

    def _end(self) -> None:
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)


class _Resident(_Child):
    """The fork that stays. It ends with its parent, or when its door is closed."""

    def __init__(self, forker: _Forker) -> None:
        super().__init__()
        self._forker = forker

    def _open_to(self, door: socket.socket) -> None:
        self._forker.ask(_STAY, door)


@dataclass(frozen=True, slots=True)
class _Children:
    forker: _Forker
    resident: _Resident


_started: dict[tuple[int, str], _Children] = {}


def begin_early(module: str) -> None:
    """Have the child that forks for `module` import what it needs now, beside whatever comes before the first file."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):  # whoever asks it tries again, and can do without
            _children(module).forker.begin()


def _children(module: str) -> _Children:
    # Those that were inherited by a fork of this process belong to its parent.
    if (found := _started.get((os.getpid(), module))) is None:
        forker = _Forker(module)
        found = _started.setdefault((os.getpid(), module), _Children(forker, _Resident(forker)))
    return found


async def run_forked(
    module: str, arguments: Sequence[str], *, timeout: float, limits: Limits, max_output: int = 4 * 2**20,
    harmless: bool = False,
) -> Ended:
    """What `module` says of its arguments, as `run_python` has it said; of a `harmless` file, that we made and that is
    soon read, in a process that stays. Raises MediaFailed, MediaTimeout.
    """
    begun = time.monotonic()
    if sys.platform == "linux":
        children, said = _children(module), None
        if harmless:
            with contextlib.suppress(MediaTimeout):  # others may stand before it
                said = await _said(children.resident, module, arguments, min(timeout, _SOON), limits, max_output)
        if said is None:
            left = max(0.0, timeout - (time.monotonic() - begun)) if harmless else timeout
            said = await _said(children.forker, module, arguments, left, limits, max_output)
        if said is not None:
            return Ended(said, "", Progress())
    # What the fork has taken is not given a second time.
    left = max(0.0, timeout - (time.monotonic() - begun))
    return await run_python(module, arguments, timeout=left, limits=limits, max_output=max_output)


async def _said(
    child: _Child, module: str, arguments: Sequence[str], timeout: float, limits: Limits, max_output: int
) -> bytes | None:
    """What a fork says, whole; None where there is none, or it ended too early."""
    ours, theirs = socket.socketpair()
    # To close it is what ends a fork that is still at work.
    with ours:
        with theirs:
            try:
                child.ask(json.dumps([arguments, timeout, asdict(limits)]).encode(), theirs)
            except OSError:
                return None
        said, loop = bytearray(), asyncio.get_running_loop()
        ours.setblocking(False)
        try:
            async with asyncio.timeout(timeout):
                while chunk := await loop.sock_recv(ours, 65_536):
                    said += chunk
                    if len(said) > max_output:
                        raise MediaFailed(f"{module} said more than {max_output} bytes.")
        except TimeoutError:
            raise MediaTimeout(f"{module} took longer than {timeout:g} s and was stopped.") from None
        except ConnectionError:
            return None
    return bytes(said) if said.endswith(_END) else None


def serve(answer: Answer, rehearse: Callable[[], None]) -> None:
    """The child's side: fork for each that is asked, until nobody can ask any more.

    Once many were asked, `rehearse` what the forks do: they find in memory then what each of them would make.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel forgets those that have ended by itself
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is told to the parent, which then is gone
    door = socket.socket(fileno=_DOOR)
    for number in itertools.count(1):
        asked, descriptors, _, _ = socket.recv_fds(door, _MOST_ASKED, 1)
        if not asked:
            return
        if number == _MANY:
            with contextlib.suppress(Exception):  # nothing rests on it
                rehearse()
        answers, parent = socket.socket(fileno=descriptors[0]), os.getpid()
        with answers:
            try:
                forked = os.fork()
            except OSError:
                continue  # no more processes just now: whoever asked sees that nothing is said
            if forked == 0:
                # Whatever a file may do to its fork, that must not get at what others ask.
                door.close()
                if asked == _STAY:
                    _stay(answers, parent, answer)
                _answer_once(asked, answers, parent, answer)


def _stay(door: socket.socket, parent: int, answer: Answer) -> None:
    """All harmless files, one after another, in a process that never returns."""
    code = 1
    try:
        die_with_parent(parent)
        while True:
            asked, descriptors, _, _ = socket.recv_fds(door, _MOST_ASKED, 1)
            if not asked:
                break
            # A file that is gone by now, or someone who does not want to know any more, is nothing to the next one.
            with socket.socket(fileno=descriptors[0]) as answers, contextlib.suppress(OSError):
                arguments, timeout, limits = json.loads(asked)
                set_limits(replace(Limits(**limits), cpu_seconds=None))
                signal.alarm(int(timeout) + 2)
                said = answer(arguments)
                answers.sendall(said.encode() + _END)
            signal.alarm(0)
        code = 0
    finally:
        os._exit(code)


def _answer_once(asked: bytes, answers: socket.socket, parent: int, answer: Answer) -> None:
    """One file, in a process that has nothing else to do and never returns."""
    code = 1
    try:
        die_with_parent(parent)
        arguments, timeout, limits = json.loads(asked)
        set_limits(Limits(**limits))
        signal.alarm(int(timeout) + 2)
        # Whoever asked and does not want to know any more closes the socket: the kernel makes a SIGIO of that, which
        # ends this process wherever it is.
        signal.signal(signal.SIGIO, signal.SIG_DFL)
        fcntl.fcntl(answers, fcntl.F_SETOWN, os.getpid())
        flags = fcntl.fcntl(answers, fcntl.F_GETFL)
        fcntl.fcntl(answers, fcntl.F_SETFL, flags | os.O_ASYNC)
        closed = select.poll()
        closed.register(answers, select.POLLHUP)
        if closed.poll(0):
            return
        said = answer(arguments)
        fcntl.fcntl(answers, fcntl.F_SETFL, flags)
        answers.sendall(said.encode() + _END)
        code = 0
    finally:
        os._exit(code)
