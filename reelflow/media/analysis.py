"""What a phase does before its one command: files of its steps' own are made, and what has to be measured is."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

from reelflow.media.command import Takes
from reelflow.media.drawing import draw, label_path
from reelflow.media.graph import Written, arguments
from reelflow.media.lettering import write_label
from reelflow.media.limits import film_limits
from reelflow.media.media_step import Given, Op
from reelflow.media.run import run_ffmpeg
from reelflow.media.sounding import played
from reelflow.plan import Pictures, SideBySide, Sounds

Command = tuple[str, ...]


async def analysed(
    pictures: Pictures, sounds: Sounds | None, takes: Takes, given: Given, *, ffmpeg: Path, timeout: float
) -> tuple[Given, tuple[Command, ...]]:
    """The phase's `given` with what its steps have made and measured, and the commands that measured it.

    Raises what the steps' files and ffmpeg raise: BadInput, MediaFailed, MediaTimeout.
    """
    await asyncio.to_thread(paint, pictures, sounds, given)
    commands: list[Command] = []
    for op, made in _passes(pictures, sounds):
        found = []
        for stream in _looked_at(op, made, sounds, takes, given):
            command = arguments(Written([op.step.analyse(stream, op, given)], Path("-"), {"f": "null"}))
            ended = await run_ffmpeg(command, ffmpeg=ffmpeg, timeout=timeout, limits=film_limits(timeout))
            found.append(op.step.read(ended.stderr, op, given))
            commands.append((str(ffmpeg), *command))
        given = replace(given, found={**given.found, op.number: tuple(found)})
    return given, tuple(commands)


def passes(pictures: Pictures, sounds: Sounds | None) -> tuple[Op, ...]:
    """The ops that an analysis pass of their own comes before."""
    return tuple(op for op, _ in _passes(pictures, sounds))


def _passes(pictures: Pictures, sounds: Sounds | None) -> list[tuple[Op, Pictures | None]]:
    """Each op that has to be analysed, with the pictures as far as it (None: it is the sound that is looked at)."""
    found: list[tuple[Op, Pictures | None]] = []
    if isinstance(pictures.feed, SideBySide):
        for cell in pictures.feed.cells:
            found += _passes(cell, None)
    found += [(op, replace(pictures, ops=pictures.ops[:place])) for place, op in enumerate(pictures.ops)
              if op.step.analyses == "pictures"]
    if sounds is not None:
        found += [(op, None) for op in sounds.ops if op.step.analyses == "sound"]
    return found


def _looked_at(op: Op, pictures: Pictures | None, sounds: Sounds | None, takes: Takes, given: Given) -> list[Any]:
    """What an op looks at: the pictures before it, or each sound track."""
    if pictures is not None:
        return [draw(pictures, takes, given).settled(op.before).exactly().stream]
    assert sounds is not None
    return [playing.stream for playing in played(sounds, given, before=op)]


def paint(pictures: Pictures, sounds: Sounds | None, given: Given) -> None:
    """Make the files that the phase's steps have of their own, in `given.room`. Raises BadInput."""
    ops = (*pictures.all_ops(), *(sounds.ops if sounds is not None else ()))
    if ops or isinstance(pictures.feed, SideBySide):
        given.room.mkdir(parents=True, exist_ok=True)
    for op in ops:
        op.step.paint(op, given)
    _paint_labels(pictures, given)


def _paint_labels(pictures: Pictures, given: Given) -> None:
    if isinstance(pictures.feed, SideBySide):
        for index, cell in enumerate(pictures.feed.cells):
            if pictures.feed.below:
                write_label(pictures.feed.labels[index], label_path(pictures.feed, index, given),
                            width=pictures.feed.cell.width, height=pictures.feed.below)
            _paint_labels(cell, given)
