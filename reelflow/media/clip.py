"""A film, or a picture, as it stands between two steps: worked out in advance, to the frame."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from reelflow.media.geometry import Size
from reelflow.media.probe import Sound


@dataclass(frozen=True, slots=True)
class Track:
    """One sound track: the source's that it comes from (None: from another file), its language and its channels."""

    source: Sound | None
    language: str | None = None
    channels: int = 2


@dataclass(frozen=True, slots=True)
class Timeline:
    """When a clip's moments are on the source's own clock: its first is `begin` (seconds), `speed` times as fast."""

    begin: Fraction
    speed: Fraction = Fraction(1)

    def at(self, seconds: Fraction) -> Fraction:
        """The moment of the source that is seen so many seconds into the clip."""
        return self.begin + seconds * self.speed


@dataclass(frozen=True, slots=True)
class Clip:
    """What comes out of a step: its size (even, square pixels, upright), rate (0: a picture), frames and sound tracks.

    `timeline` is None where its time does not run along the source's any more (reversed, joined with others).
    """

    size: Size
    rate: Fraction
    frames: int
    sounds: tuple[Track, ...] = ()
    timeline: Timeline | None = None

    @property
    def is_picture(self) -> bool:
        """Whether it is one picture, without time."""
        return self.rate == 0

    @property
    def seconds(self) -> Fraction:
        """Its exact length; 0 for a picture."""
        return self.frames / self.rate if self.rate else Fraction(0)

    def sized(self, size: Size) -> Clip:
        """The same in another size."""
        return replace(self, size=size)

    def lasting(self, frames: int) -> Clip:
        """The same with another number of frames."""
        return replace(self, frames=frames)
