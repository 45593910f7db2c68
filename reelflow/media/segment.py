"""Films longer than a model takes: cut into pieces while they are prepared, finished piece by piece, joined again.

Every piece knows which of the prepared frames it holds, and every part of the finished film which of its frames it
is, so that the sum is exact wherever the cuts lie. Neighbours may overlap; there the finished film fades over.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import pairwise
from pathlib import Path

from reelflow.errors import BadInput, BadMedia, BadResult, MediaFailed
from reelflow.media.finish import Finished, check_finished, kept_tracks, write_chapters, write_subtitles
from reelflow.media.geometry import Box
from reelflow.media.matching import find_picture, lay_out
from reelflow.media.outputs import Encoding, choose_encoding, choose_sounds, sound_warnings
from reelflow.media.prepare import probe_made
from reelflow.media.probe import Probe, probe
from reelflow.media.run import Progress, film_limits, run_ffmpeg, written_whole
from reelflow.media.segment_command import (
    Part,
    concat_list,
    cut_arguments,
    join_arguments,
    join_sent_arguments,
    part_arguments,
)
from reelflow.media.sound_check import run_with_sounds
from reelflow.plan import Plan


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of the prepared film: `frames` of its frames, from number `first` on."""

    first: int
    frames: int

    @property
    def end(self) -> int:
        """The number after its last frame's."""
        return self.first + self.frames


def cut_evenly(frames: int, *, most: int, overlap: int = 0) -> tuple[Piece, ...]:
    """As few pieces as possible of at most `most` frames each, about equally long, each `overlap` into the next.

    Raises:
        BadInput: the overlap leaves nothing of a piece.
    """
    if frames <= most:
        return (Piece(0, frames),)
    if not 0 <= overlap <= most // 2:
        raise BadInput(f"An overlap of {overlap} frames does not fit into pieces of {most}: take at most {most // 2}.",
                       field="overlap")
    count = -(-(frames - overlap) // (most - overlap))
    cuts = [round(index * (frames - overlap) / count) for index in range(1, count)]
    return cut_at(frames, cuts, overlap=overlap)


def cut_at(frames: int, cuts: Iterable[int], *, overlap: int = 0) -> tuple[Piece, ...]:
    """Pieces that begin at 0 and at each of `cuts`; each but the last reaches `overlap` frames into the next.

    Raises:
        BadInput: a cut lies outside the film, or a piece is shorter than what it shares with its neighbours.
    """
    starts = [0, *cuts, frames]
    for start, after in pairwise(starts):
        if after <= start:
            raise BadInput(f"The cuts must rise and lie within the film's {frames} frames: {after} does not.",
                           field="cuts")
    pieces = [Piece(start, min(after + overlap, frames) - start) for start, after in pairwise(starts)]
    for one, following in pairwise(pieces):
        if overlap and following.frames < overlap:
            raise BadInput(f"The piece at frame {following.first} is shorter than the overlap of {overlap} frames.",
                           field="overlap")
        assert one.end - following.first == overlap
    for one, last in zip(pieces, pieces[2:], strict=False):
        if one.end > last.first:
            raise BadInput(f"Three pieces overlap at frame {last.first}: take a shorter overlap.", field="overlap")
    return tuple(pieces)


async def prepare_pieces(
    plan: Plan, pieces: Sequence[Piece], folder: Path, *, ffmpeg: Path, timeout: float,
    on_progress: Callable[[Progress], None] | None = None,
) -> tuple[Path, ...]:
    """Make the films that are sent, `piece-0001.mp4` and so on in `folder`: one encode, cut as it runs.

    Raises:
        MediaFailed: ffmpeg failed, or a piece isn't what was planned.
        MediaTimeout: it took too long.
    """
    cuts = sorted({edge for piece in pieces for edge in (piece.first, piece.end)})
    longest = max(piece.frames for piece in pieces)
    made = []
    with tempfile.TemporaryDirectory(prefix=".pieces-", dir=folder) as room:
        await run_ffmpeg(
            cut_arguments(plan, cuts[1:-1], Path(room), longest=longest), ffmpeg=ffmpeg, timeout=timeout,
            on_progress=on_progress, limits=film_limits(timeout, most_bytes=plan.prepare.max_bytes),
        )
        for number, piece in enumerate(pieces, 1):
            kept = [index for index, edge in enumerate(cuts[:-1]) if piece.first <= edge < piece.end]
            listed = Path(room, "joined.ffconcat")
            listed.write_text(concat_list(
                (f"{index:05}.mp4", Fraction(cuts[index + 1] - cuts[index], plan.prepare.rate)) for index in kept))
            destination = folder / f"piece-{number:04}.mp4"
            with written_whole(destination) as part:
                await run_ffmpeg(join_sent_arguments(listed, part), ffmpeg=ffmpeg, timeout=timeout)
                found = await probe_made(part, plan)
                if found.frames != piece.frames or found.size_bytes > plan.prepare.max_bytes:
                    raise MediaFailed(
                        f"Piece {number} of {plan.source.path} can't be sent: it has {found.frames} frames where "
                        f"{piece.frames} were planned, in {found.size_bytes} bytes of {plan.prepare.max_bytes}."
                    )
            made.append(destination)
    return tuple(made)


async def finish_pieces(
    plan: Plan, pieces: Sequence[Piece], generated: Sequence[Path], destination: Path, *, ffmpeg: Path, timeout: float,
    on_progress: Callable[[Progress], None] | None = None, codec: str | None = None, quality: str | None = None,
    sound_track: int | None = None,
) -> Finished:
    """Make one finished film from what the model returned for each piece; `timeout` is in seconds for each command.

    Each part is encoded once, to its exact frame count, and then joined without another encode.

    Raises:
        BadInput: the suffix, codec or quality can't be used.
        BadResult: a generated film can't be read, or doesn't fit what was sent.
        MediaFailed: ffmpeg failed, or what it made isn't what was planned.
        MediaTimeout: it took too long.
    """
    encoding = choose_encoding(destination, codec, quality)
    total, rate = plan.finish.frames, plan.finish.rate
    assert total is not None
    seconds = float(total / rate)
    takes, warnings = await _read_takes(plan, pieces, generated)
    span = plan.finish.span
    sounds = choose_sounds(kept_tracks(plan, sound_track), encoding.container,
                           trimmed=span is not None and span.trimmed)
    parts = list(_parts(plan, pieces, total))
    with tempfile.TemporaryDirectory(prefix=".parts-", dir=destination.parent) as room, written_whole(
        destination
    ) as whole:
        for number, part in enumerate(parts):
            await _write_part(
                plan, part, takes, Path(room, f"{number:05}{destination.suffix}"), encoding, ffmpeg=ffmpeg,
                timeout=timeout, on_progress=on_progress,
            )
        listed = Path(room, "joined.ffconcat")
        listed.write_text(concat_list(
            (f"{number:05}{destination.suffix}", part.frames / rate) for number, part in enumerate(parts)))
        subtitles, unread = await write_subtitles(
            plan, seconds, encoding.container, Path(room), ffmpeg=ffmpeg, timeout=timeout
        )
        build = partial(
            join_arguments, plan, listed, whole, encoding=encoding, seconds=seconds, subtitles=subtitles,
            chapters=write_chapters(plan, seconds, Path(room)),
        )
        _, arguments, sounds, lost = await run_with_sounds(
            plan, lambda kept: build(sounds=kept), sounds, container=encoding.container, seconds=seconds,
            folder=Path(room), ffmpeg=ffmpeg, timeout=timeout,
        )
        made = await probe_made(whole, plan)
        check_finished(plan, made, total, len(sounds))
    warnings += sound_warnings(sounds, destination) + unread + lost
    return Finished(destination, total, seconds, made.shown.width, made.shown.height, rate, warnings,
                    (str(ffmpeg), *arguments))


@dataclass(frozen=True, slots=True)
class _Take:
    """What the model returned for a piece: its facts, where the picture lies in it, and how long each frame stands."""

    piece: Piece
    result: Probe
    box: Box
    step: Fraction


async def _read_takes(
    plan: Plan, pieces: Sequence[Piece], generated: Sequence[Path]
) -> tuple[list[_Take], tuple[str, ...]]:
    takes, told = [], []
    for number, (piece, path) in enumerate(zip(pieces, generated, strict=True), 1):
        try:
            result = await probe(path)
        except (BadMedia, BadInput) as error:
            raise BadResult(f"What the model returned for piece {number} can't be used: {error.message}") from None
        box, scaled = find_picture(plan, result)
        step, matched = lay_out(plan.model.name, piece.frames, Fraction(plan.prepare.rate), result)
        told += [f"Piece {number}: {said}" for said in (*scaled, *matched)]
        takes.append(_Take(piece, result, box, step))
    return takes, tuple(told)


def _parts(plan: Plan, pieces: Sequence[Piece], total: int) -> Iterable[Part]:
    """The finished film's parts in order: what belongs to one piece, and what two of them share."""
    def finished(frame: int) -> int:
        # The prepared film's end is the finished one's, whatever rounding says.
        if frame == pieces[-1].end:
            return total
        return round(Fraction(frame, plan.prepare.rate) * plan.finish.rate)

    for number, piece in enumerate(pieces):
        before = pieces[number - 1] if number else None
        after = pieces[number + 1] if number + 1 < len(pieces) else None
        own = max(piece.first, before.end if before else 0), min(piece.end, after.first if after else piece.end)
        if finished(own[1]) > finished(own[0]):
            yield Part(finished(own[0]), finished(own[1]), (number,))
        if after and finished(piece.end) > finished(after.first):
            yield Part(finished(after.first), finished(piece.end), (number, number + 1))


async def _write_part(
    plan: Plan, part: Part, takes: Sequence[_Take], path: Path, encoding: Encoding, *, ffmpeg: Path, timeout: float,
    on_progress: Callable[[Progress], None] | None,
) -> None:
    used = [takes[index] for index in part.pieces]
    arguments = part_arguments(
        plan, part, [(take.result, take.box, take.step, take.piece.first) for take in used], path, encoding=encoding
    )
    await run_ffmpeg(
        arguments, ffmpeg=ffmpeg, timeout=timeout, on_progress=on_progress, limits=film_limits(timeout)
    )
    found = await probe_made(path, plan)
    if found.frames != part.frames:
        raise MediaFailed(
            f"A part of the finished film has {found.frames} frames where {part.frames} were planned: {path.name}."
        )
