"""Films longer than a model takes: cut into pieces while they are prepared, and joined again when they come back.

Every piece knows which of the prepared frames it holds, so that the sum is exact wherever the cuts lie. Neighbours may
overlap; there the film that came back fades over. The joined film is read as one: its sound is never cut.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from reelflow.errors import BadInput, BadMedia, BadResult, MediaFailed
from reelflow.media.analysis import analysed
from reelflow.media.command import Shot, Takes
from reelflow.media.drawing import Take
from reelflow.media.geometry import Size
from reelflow.media.joining import Joining, OnPiece
from reelflow.media.limits import film_limits
from reelflow.media.matching import find_picture, lay_out
from reelflow.media.media_step import Given
from reelflow.media.pieces import Piece
from reelflow.media.prepare import Prepared, check_steady, damage_of, probe_made, refuse_damage
from reelflow.media.probe import Probe, probe
from reelflow.media.run import Progress, run_ffmpeg
from reelflow.media.segment_command import (
    LISTED,
    Part,
    concat_list,
    cut_arguments,
    part_arguments,
    scene_arguments,
)
from reelflow.plan import FromFilm, FromJob, Prepare, Span

_SCENE = re.compile(r"lavfi\.scd\.time=([\d.]+)")


async def prepare_pieces(
    phase: Prepare, takes: Takes, given: Given, folder: Path, *, ffmpeg: Path, timeout: float,
    on_progress: Callable[[Progress], None] | None = None, shot: Shot | None = None, on_piece: OnPiece | None = None,
    strict: bool = False,
) -> tuple[Prepared, ...]:
    """Make the films that are sent, `piece-0001.mp4` and so on in `folder`: one encode, cut as it runs.

    `on_piece` is told of each piece as soon as it is whole, while the rest is encoded, with its place in the order
    (from 0), and says where it lies from then on. A picture of the source, the `shot`, is left on the way where the
    pass comes by it.

    Raises:
        BadInput: with `strict`, a warning.
        BadMedia: the film can't be turned upright.
        MediaFailed: ffmpeg failed, or a piece isn't what was planned.
        MediaTimeout: it took too long.
    """
    given, looked = await analysed(phase.pictures, None, takes, given, ffmpeg=ffmpeg, timeout=timeout)
    made: dict[int, Prepared] = {}
    for capped in (False, True):
        with tempfile.TemporaryDirectory(prefix=".pieces-", dir=folder) as room:
            wanted = set(range(len(phase.pieces))) - made.keys()
            async with Joining(phase, wanted, Path(room), folder, ffmpeg=ffmpeg, timeout=timeout,
                               on_piece=on_piece, takes_all=capped) as joining:
                arguments = cut_arguments(phase, takes, given, joining.cuts[1:-1], Path(room), shot=shot, capped=capped)
                ended = await run_ffmpeg(arguments, ffmpeg=ffmpeg, timeout=timeout, limits=film_limits(timeout),
                                         on_progress=joining.follow(on_progress))
                check_steady(phase.pictures.films(), ended)
                made |= await joining.rest()
        looked = (*looked, (str(ffmpeg), *arguments))
        if len(made) == len(phase.pieces):
            break
    feed = phase.pictures.feed
    damage: tuple[str, ...] = ()
    if isinstance(feed, FromFilm):
        damage = await damage_of(feed, phase.pictures.read_at_least(phase.frames), ended, ffmpeg=ffmpeg,
                                 timeout=timeout)
    refuse_damage(damage, strict=strict)
    first, *others = (made[number] for number in range(len(phase.pieces)))
    return replace(first, warnings=damage, commands=looked), *others


async def read_take(feed: FromJob, generated: Path, *, strict: bool = False) -> tuple[Take, tuple[str, ...]]:
    """What a job returned, laid onto the time and into the frame of what was sent; and what to say of it.

    Raises:
        BadResult: it can't be read, or its frames or its shape don't fit what was sent; with `strict`, what there is to
            say.
    """
    result = await _read_result(feed, generated)
    box, said = find_picture(feed, result)
    step = Fraction(1)
    if feed.rate:
        step, told = lay_out(feed.model.name, feed.sent, feed.rate, result)
        said += told
    _refuse(said, strict=strict)
    return Take(result, box, step), said


def _refuse(said: Sequence[str], *, strict: bool) -> None:
    if strict and said:
        raise BadResult(f"{said[0]} Leave --strict away to go on all the same.")


async def join_takes(
    feed: FromJob, pieces: Sequence[Piece], generated: Sequence[Path], room: Path, *, ffmpeg: Path, timeout: float,
    strict: bool = False,
) -> tuple[Take, tuple[str, ...]]:
    """What the jobs of a film in pieces returned, as one film: a list in `room` that is read from end to end.

    A piece that came as it should is read as it is; what is faded over, and what has other frames than were sent, is
    brought to its exact frames first. `timeout` is in seconds for each command.

    Raises:
        BadResult: a piece can't be read, or doesn't fit what was sent; with `strict`, what there is to say.
        MediaFailed: ffmpeg failed, or a part isn't what was planned.
        MediaTimeout: it took too long.
    """
    rate, taken = int(feed.rate), []
    said: list[str] = []
    for number, (piece, path) in enumerate(zip(pieces, generated, strict=True), 1):
        result = await _read_result(feed, path, number)
        _, scaled = find_picture(feed, result)
        step, matched = lay_out(feed.model.name, piece.frames, feed.rate, result)
        said += [f"Piece {number}: {told}" for told in (*scaled, *matched)]
        taken.append((piece, result, step))
    _refuse(said, strict=strict)
    room.mkdir(parents=True, exist_ok=True)
    size = feed.geometry.frame if len({one.upright for _, one, _ in taken}) > 1 else taken[0][1].upright
    size = Size(size.width // 2 * 2, size.height // 2 * 2)
    rows = []
    for number, part in enumerate(_parts(pieces)):
        name = f"part-{number:05}.mp4"
        used = [taken[index] for index in part.pieces]
        if len(used) == 1 and _is_exact(part, *used[0], size, rate):
            _link(used[0][1].path, room / name)
        else:
            await _write_part(part, used, size, rate, room / name, ffmpeg=ffmpeg, timeout=timeout)
        rows.append((name, Fraction(part.frames, rate)))
    listed = room / f"joined{LISTED}"
    listed.write_text(concat_list(rows))
    first = await probe(room / rows[0][0])
    box, _ = find_picture(feed, first)
    return Take(first, box, Fraction(1, rate), listed), tuple(said)


async def find_scenes(
    film: Probe, span: Span, *, ffmpeg: Path, timeout: float, gives_way: bool = False
) -> tuple[float, ...]:
    """The moments at which the scene changes within a span, in seconds on the film's own clock.

    A look that `gives_way` gets what others leave of the cores.

    Raises:
        MediaFailed, MediaTimeout: ffmpeg failed, or took longer than `timeout` seconds.
    """
    with tempfile.TemporaryDirectory(prefix="reelflow-") as folder:
        told = Path(folder, "scenes.txt")
        await run_ffmpeg(scene_arguments(film, span, told), ffmpeg=ffmpeg, timeout=timeout,
                         limits=replace(film_limits(timeout), gives_way=gives_way))
        text = told.read_text("ascii", "replace") if told.exists() else ""
    return tuple(span.begin + float(moment) for moment in _SCENE.findall(text))


async def _read_result(feed: FromJob, path: Path, number: int | None = None) -> Probe:
    of = "" if number is None else f" for piece {number}"
    try:
        result = await probe(path)
    except (BadMedia, BadInput) as error:
        raise BadResult(f"What the model returned{of} can't be used: {error.message}") from None
    if feed.rate and result.is_picture:
        raise BadResult(f"{feed.model.name} returned a picture where a film was expected.")
    if not feed.rate and not result.is_picture:
        raise BadResult(f"{feed.model.name} returned a film where a picture was expected.")
    return result


def _parts(pieces: Sequence[Piece]) -> Iterable[Part]:
    """The joined film's parts in order: what belongs to one piece, and what two of them share."""
    for number, piece in enumerate(pieces):
        before = pieces[number - 1] if number else None
        after = pieces[number + 1] if number + 1 < len(pieces) else None
        own = max(piece.first, before.end if before else 0), min(piece.end, after.first if after else piece.end)
        if own[1] > own[0]:
            yield Part(*own, (number,))
        if after and piece.end > after.first:
            yield Part(after.first, piece.end, (number, number + 1))


def _is_exact(part: Part, piece: Piece, result: Probe, step: Fraction, size: Size, rate: int) -> bool:
    return (
        (part.first, part.end) == (piece.first, piece.end) and result.frames == part.frames
        and step == Fraction(1, rate) and result.upright == size and result.turn == 0
    )


async def _write_part(
    part: Part, taken: Sequence[tuple[Piece, Probe, Fraction]], size: Size, rate: int, path: Path, *, ffmpeg: Path,
    timeout: float,
) -> None:
    await run_ffmpeg(part_arguments(part, taken, size, rate, path), ffmpeg=ffmpeg, timeout=timeout,
                     limits=film_limits(timeout))
    found = await probe_made(path, "a part of the film that came back")
    if found.frames != part.frames:
        raise MediaFailed(f"A part of the film that came back has {found.frames} frames where {part.frames} were "
                          f"planned: {path.name}.")


def _link(path: Path, name: Path) -> None:
    """The same file under a plain name beside the list, without copying it where the disk allows."""
    name.unlink(missing_ok=True)
    try:
        os.link(path, name)
    except OSError:
        name.symlink_to(path.absolute())
