"""`fade`: the film comes up from black or white, and goes down to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Literal, Self

from pydantic import ConfigDict, Field, model_validator

from reelflow.errors import BadInput
from reelflow.media import filters
from reelflow.media.clip import Clip
from reelflow.media.media_step import Given, MediaStep, Op, Playing, refuse_picture
from reelflow.media.probe import Probe
from reelflow.media.reel import Reel


class Fade(MediaStep):
    """The film comes up from black (or white) over the seconds `in`, and goes down to it over the seconds `out`."""

    model_config = ConfigDict(validate_by_name=True, serialize_by_alias=True)

    name = "fade"
    plays = True

    into: float = Field(0.0, alias="in", ge=0, le=600, description="Seconds at its beginning.")
    out: float = Field(0.0, ge=0, le=600, description="Seconds at its end.")
    colour: Literal["black", "white"] = "black"
    sound: bool = Field(True, description="Whether the sound fades too.")

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.into and not self.out:
            raise ValueError("say over how many seconds: in, out, or both")
        return self

    def title(self) -> str:
        told = [f"{name} {seconds:g} s" for name, seconds in (("in", self.into), ("out", self.out)) if seconds]
        return f"fade {', '.join(told)}"

    def changes_sound(self) -> bool:
        return self.sound

    def _frames(self, clip: Clip) -> tuple[int, int]:
        return round(Fraction(str(self.into)) * clip.rate), round(Fraction(str(self.out)) * clip.rate)

    def after(self, clip: Clip, files: Mapping[Path, Probe]) -> Clip:
        refuse_picture(clip, "faded")
        if sum(self._frames(clip)) > clip.frames:
            raise BadInput(f"The film is {float(clip.seconds):.3f} s long: it can't fade in for {self.into:g} s and "
                           f"out for {self.out:g} s.", field="in" if self.into > self.out else "out")
        return clip

    def draw(self, reel: Reel, op: Op, given: Given) -> Reel:
        rising, falling = self._frames(op.before)
        reel = reel.settled(op.before).exactly()
        if rising:
            reel = reel.filtered("fade", type="in", start_frame=0, nb_frames=rising, color=self.colour)
        if falling:
            reel = reel.filtered(
                "fade", type="out", start_frame=op.before.frames - falling, nb_frames=falling, color=self.colour)
        return reel

    def play(self, sounds: tuple[Playing, ...], op: Op, given: Given) -> tuple[Playing, ...]:
        def faded(stream: filters.Stream) -> filters.Stream:
            if self.into:
                stream = stream.filter("afade", type="in", start_time=0, duration=filters.number(self.into))
            if self.out:
                begin = op.before.seconds - Fraction(str(self.out))
                stream = stream.filter(
                    "afade", type="out", start_time=filters.number(begin), duration=filters.number(self.out))
            return stream
        return tuple(replace(sound, stream=faded(sound.stream)) for sound in sounds) if self.sound else sounds
