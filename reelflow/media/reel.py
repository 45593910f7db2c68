"""Pictures on their way through one ffmpeg command, with what can wait put off until it is known what it is for.

So a film that is cropped, scaled and slowed for a model goes through each filter once, and none is scaled twice or
scaled and then dropped.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from reelflow.media import filters
from reelflow.media.clip import Clip
from reelflow.media.colour import Reading
from reelflow.media.geometry import Box, Geometry, Size, scale_box

STANDARD = Reading("bt709", "tv")
"""How pictures are kept within a command once they have been read: BT.709 in limited range."""


@dataclass(frozen=True, slots=True)
class Reel:
    """A stream of pictures, `whole` pixels large, of which the part `taken` counts, meant to be seen as `shown`.

    `reading` says how its colours are stored. They come at `rate`, `frames` of them: on an even clock from 0, or, where
    `lead` is not None, once that has been taken off their time. `pixels` is the format that they are kept in. Where
    `smooth` is not None, pictures in between are made up if the rate is raised; they came one each so many seconds.
    """

    stream: Any
    whole: Size
    taken: Box
    shown: Size
    reading: Reading
    rate: Fraction
    frames: int
    lead: str | None = None
    counted: bool = False
    pixels: str = "yuv420p"
    smooth: Fraction | None = None

    def to(self, size: Size, rate: Fraction, frames: int) -> Reel:
        """The same pictures at another size and rate: one scaling, and none for a picture that is dropped."""
        picture = filters.take(self.stream, self.taken, self.whole)
        is_right = size == self.taken.size and self.reading == STANDARD
        done = replace(self.of_size(size), reading=STANDARD, rate=rate, frames=frames, lead=None, smooth=None)
        if self.smooth is not None and rate * self.smooth > 1:
            picture = filters.resize(filters.smoothly(picture, rate, self.smooth), size, self.reading, self.pixels)
            return replace(done, stream=picture, counted=False)
        if self.lead is None and rate == self.rate:
            if not is_right:
                picture = filters.resize(picture, size, self.reading, self.pixels)
            return replace(done, stream=picture, counted=self.counted and frames == self.frames)
        lead = own_lead(self.rate) if self.lead is None else self.lead
        if is_right:
            picture = filters.at_rate(picture, rate, lead=lead)
        else:
            picture = filters.resized_at_rate(picture, size, self.reading, rate, lead=lead, lowers=rate <= self.rate)
        return replace(done, stream=picture, counted=False)

    def settled(self, clip: Clip) -> Reel:
        """The pictures as the clip has them, seen as they are meant to be: what a filter can work on."""
        return self.to(clip.size, clip.rate, clip.frames)

    def exactly(self) -> Reel:
        """Exactly as many pictures as there are to be: the last one is held where there are fewer."""
        if self.counted or self.rate == 0:
            return self
        return replace(self, stream=filters.exactly(self.stream, self.frames), counted=True)

    def filtered(self, name: str, *arguments: Any, **options: Any) -> Reel:
        """The pictures through one filter that leaves their size, number and time alone."""
        return replace(self, stream=self.stream.filter(name, *arguments, **options))

    def resized(self, stream: Any, size: Size) -> Reel:
        """What a filter has made of these pictures, where that gave them another size."""
        return replace(self.of_size(size), stream=stream)

    def of_size(self, size: Size) -> Reel:
        """The same, said to be `size` pixels large."""
        return replace(self, whole=size, taken=Box(0, 0, size.width, size.height), shown=size)

    def retimed(self, lead: str, frames: int) -> Reel:
        """The pictures with another time, `lead`, that the next change of rate reads; `frames` is how many come out."""
        return replace(self, lead=lead, frames=frames, counted=False)

    def placed(self, geometry: Geometry, stored: Size, rate: Fraction, frames: int) -> Reel:
        """The pictures fitted into a frame; `stored` is the size that the geometry takes them to be stored in."""
        part, whole = geometry.taken, Box(0, 0, stored.width, stored.height)
        if part != whole:
            # What a model returned may have another size than was expected of it.
            part = part if self.taken.size == stored else scale_box(part, stored, self.taken.size)
            part = Box(self.taken.x + part.x, self.taken.y + part.y, part.width, part.height)
        fitted = (self if geometry.taken == whole else replace(self, taken=part)).to(geometry.placed.size, rate, frames)
        if not geometry.is_padded:
            return fitted
        frame, placed = geometry.frame, geometry.placed
        return fitted.resized(fitted.stream.filter("pad", frame.width, frame.height, placed.x, placed.y), frame)

    @property
    def is_rgb(self) -> bool:
        """Whether this is a picture that has not been read yet, and can stay as it is."""
        return self.rate == 0 and self.reading != STANDARD

    def placed_rgb(self, geometry: Geometry) -> Any:
        """A picture in a model's frame, without leaving RGB."""
        part, frame, placed = geometry.taken, geometry.frame, geometry.placed
        taken = Box(self.taken.x + part.x, self.taken.y + part.y, part.width, part.height)
        stream = replace(self, taken=taken).sized_rgb(placed.size)
        return stream if not geometry.is_padded else stream.filter(
            "pad", frame.width, frame.height, placed.x, placed.y)

    def sized_rgb(self, size: Size) -> Any:
        """A picture at another size, without leaving RGB."""
        picture = filters.take(self.stream, self.taken, self.whole)
        return filters.resized_rgb(picture, size)

    def ended(self) -> Any:
        """The stream as it goes to an encoder: counted, tagged with what it is, and with nothing that came along."""
        return filters.tag(self.exactly().stream)


def own_lead(rate: Fraction) -> str:
    """The lead of pictures that are on an even clock already: just under half a frame, for the nearest one."""
    return f"PTS-{filters.number(filters.NEAREST / rate)}/TB"
