"""Where a film that is longer than its model takes is cut: pure arithmetic on frame numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from reelflow.errors import BadInput

# A piece that ends at a change of scene may be this much shorter than it could be.
_SHORTEST_SHARE = 0.4


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


def cut_at_scenes(frames: int, scenes: Sequence[int], *, most: int, overlap: int = 0) -> tuple[Piece, ...]:
    """Pieces of at most `most` frames that begin where a scene does (`scenes`: the numbers of their first frames).

    A cut lies at the last change of scene that a piece can reach, if that does not make it much shorter than it could
    be; else where it would lie among even pieces. Raises as `cut_evenly`.
    """
    if frames <= most or not scenes:
        return cut_evenly(frames, most=most, overlap=overlap)
    reach, cuts, start = most - overlap, [], 0
    while frames - start > most:
        found = [scene for scene in scenes if start + reach * _SHORTEST_SHARE <= scene <= start + reach]
        # Without a scene's change the rest is shared evenly, so that no stump is left at the end.
        even = cut_evenly(frames - start, most=most, overlap=overlap)[0]
        start = max(found) if found else start + even.frames - overlap
        cuts.append(start)
    shortest = min(after - before for before, after in pairwise([0, *cuts, frames]))
    return cut_at(frames, cuts, overlap=min(overlap, shortest))


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
