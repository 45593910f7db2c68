"""The pieces of a film that goes out in several, each joined of its parts as soon as the encode has written them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

from reelflow.errors import MediaFailed
from reelflow.media.pieces import Piece
from reelflow.media.prepare import Prepared, probe_made
from reelflow.media.run import Progress, run_ffmpeg
from reelflow.media.segment_command import LISTED, concat_list, join_sent_arguments
from reelflow.plan import How, Prepare
from reelflow.whole import written_whole

OnPiece = Callable[[int, Path], Awaitable[Path]]
"""Told of a piece that is whole, by its place in the order (from 0); says where it lies from then on."""


class Joining:
    """Joins the `wanted` pieces of parts that an encode writes to `room`, and leaves those that are too large.

    With `takes_all` it leaves none: one that is too large is an error. Use as a context manager: nothing goes on when
    the block is left.
    """

    def __init__(
        self, phase: Prepare, wanted: set[int], room: Path, folder: Path, *, ffmpeg: Path, timeout: float,
        on_piece: OnPiece | None, takes_all: bool,
    ) -> None:
        self.cuts = sorted({edge for piece in phase.pieces for edge in (piece.first, piece.end)})
        self._phase, self._wanted, self._room, self._folder = phase, wanted, room, folder
        self._ffmpeg, self._timeout, self._on_piece, self._takes_all = ffmpeg, timeout, on_piece, takes_all
        self._joined: dict[int, asyncio.Task[Prepared | None]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._joined.values():
            task.cancel()
        await asyncio.gather(*self._joined.values(), return_exceptions=True)

    def follow(self, on_progress: Callable[[Progress], None] | None) -> Callable[[Progress], None]:
        """For the encode's progress: what it has written by then is joined while it goes on."""
        def tell(progress: Progress) -> None:
            # The next part is begun when the one before it is whole.
            self._begin(len(list(self._room.glob("*.mp4"))) - 1)
            if on_progress is not None:
                on_progress(progress)

        return tell if self._on_piece is not None else on_progress or (lambda _: None)

    async def rest(self) -> dict[int, Prepared]:
        """All pieces that were joined, by their place, once the encode is over. Raises MediaFailed, MediaTimeout."""
        self._begin(len(self.cuts) - 1)
        made = await asyncio.gather(*self._joined.values())
        return {number: one for number, one in zip(self._joined, made, strict=True) if one is not None}

    def _begin(self, parts: int) -> None:
        for number in sorted(self._wanted - self._joined.keys()):
            if self._parts_of(self._phase.pieces[number])[-1] < parts:
                before = [task for other, task in self._joined.items() if other < number]
                self._joined[number] = asyncio.create_task(self._join(number, before))

    async def _join(self, number: int, before: list[asyncio.Task[Prepared | None]]) -> Prepared | None:
        if before:  # one at a time: the encode needs the cores
            await asyncio.wait(before)
            if any(one.cancelled() or one.exception() is not None for one in before):
                return None  # what went wrong is raised by `rest`, and nothing more is sent for it
        phase, piece = self._phase, self._phase.pieces[number]
        parts = self._parts_of(piece)
        most = phase.max_bytes
        if not self._takes_all and sum(self._part(index).stat().st_size for index in parts) > most:
            return None
        listed = self._room / f"piece-{number}{LISTED}"
        listed.write_text(concat_list(
            (self._part(index).name, Fraction(self.cuts[index + 1] - self.cuts[index], phase.rate)) for index in parts))
        destination = self._folder / f"piece-{number + 1:04}.mp4"
        with written_whole(destination) as part:
            await run_ffmpeg(join_sent_arguments(listed, part), ffmpeg=self._ffmpeg, timeout=self._timeout)
            found = await probe_made(part, phase.title)
            if found.size_bytes > most and not self._takes_all:
                return None
            if found.frames != piece.frames or found.size_bytes > most:
                raise MediaFailed(
                    f"Piece {number + 1} ({phase.title}) can't be sent: it has {found.frames} frames where "
                    f"{piece.frames} were planned, in {found.size_bytes} bytes of {most}."
                )
        path = destination if self._on_piece is None else await self._on_piece(number, destination)
        return Prepared(path, found.frames, found.seconds, How.ENCODE, (), ())

    def _part(self, index: int) -> Path:
        return self._room / f"{index:05}.mp4"

    def _parts_of(self, piece: Piece) -> list[int]:
        return [index for index, edge in enumerate(self.cuts[:-1]) if piece.first <= edge < piece.end]
