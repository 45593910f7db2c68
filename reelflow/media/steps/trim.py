"""`trim`: a part of the film."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from reelflow.choices import Time, check_span
from reelflow.errors import BadInput
from reelflow.media import filters
from reelflow.media.clip import Clip
from reelflow.media.media_step import Given, MediaStep, Op, Playing, refuse_picture
from reelflow.media.probe import Probe
from reelflow.media.reel import Reel

_SLACK_SECONDS = Fraction(1, 10)


class Trim(MediaStep):
    """The film from `start` up to `end`, or for a `duration`; from the frame nearest to the one, to that nearest the
    other.
    """

    name = "trim"
    plays = True
    cuts = True

    start: Time | None = Field(None, description="Where it begins; from the beginning if left away.")
    end: Time | None = Field(None, description="Where it ends; at the end if left away.")
    duration: Time | None = Field(None, description="How long it is, in place of its end.")

    @model_validator(mode="after")
    def _one_end(self) -> Self:
        check_span(self.start, self.end, self.duration)
        return self

    def title(self) -> str:
        end = self.end if self.end is not None else (
            None if self.duration is None else (self.start or 0.0) + self.duration)
        return f"trim {self.start or 0:g} s to {'the end' if end is None else f'{end:g} s'}"

    def frames_of(self, clip: Clip) -> tuple[int, int]:
        """The first frame that is kept and the number behind the last.

        Raises:
            BadInput: it lies outside the clip, or holds no frame.
        """
        rate, length = clip.rate, clip.seconds
        start = Fraction(str(self.start or 0.0))
        end = None if self.end is None else Fraction(str(self.end))
        if self.duration is not None:
            end = start + Fraction(str(self.duration))
        named = "end" if self.duration is None else "duration"
        first = _nearest(start * rate)
        if first >= clip.frames:
            raise BadInput(f"The start ({float(start):g} s) lies behind the end of the film, which is "
                           f"{float(length):.3f} s long.", field="start")
        last = clip.frames
        if end is not None:
            if end > length + max(_SLACK_SECONDS, 1 / rate):
                raise BadInput(f"The end ({float(end):g} s) lies behind the end of the film, which is "
                               f"{float(length):.3f} s long.", field=named)
            last = min(clip.frames, _nearest(end * rate))
        if last <= first:
            raise BadInput(f"Between {float(start):g} s and {float(end or length):g} s lies no frame of the film, "
                           f"which has one every {float(1 / rate):.3f} s.", field=named)
        return first, last

    def after(self, clip: Clip, files: Mapping[Path, Probe]) -> Clip:
        refuse_picture(clip, "trimmed")
        return cut(clip, *self.frames_of(clip))

    def draw(self, reel: Reel, op: Op, given: Given) -> Reel:
        first, last = self.frames_of(op.before)
        reel = reel.settled(op.before).exactly()
        stream = reel.stream.filter("trim", start_frame=first, end_frame=last).filter("setpts", "PTS-STARTPTS")
        return replace(reel, stream=stream, frames=last - first)

    def play(self, sounds: tuple[Playing, ...], op: Op, given: Given) -> tuple[Playing, ...]:
        first, last = self.frames_of(op.before)
        rate = op.before.rate
        return tuple(
            replace(sound, stream=filters.sound_between(sound.stream, first / rate, last / rate)) for sound in sounds
        )


def cut(clip: Clip, first: int, last: int) -> Clip:
    """A clip's frames from `first` up to `last`."""
    line = clip.timeline
    moved = None if line is None else replace(line, begin=line.at(first / clip.rate))
    return replace(clip, frames=last - first, timeline=moved)


def _nearest(value: Fraction) -> int:
    return int(value + Fraction(1, 2))
