"""`speed`: faster or slower, sound and all."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from pydantic import Field

from reelflow.media import filters
from reelflow.media.clip import Clip
from reelflow.media.media_step import Given, MediaStep, Op, Playing, refuse_picture
from reelflow.media.probe import Probe
from reelflow.media.reel import Reel, own_lead


class Speed(MediaStep):
    """Faster (2: twice as fast) or slower (0.5); the rate stays, and the sound keeps its pitch."""

    name = "speed"
    short = "factor"
    plays = True

    factor: float = Field(ge=0.1, le=20, description="2 is twice as fast, 0.5 half as fast.")

    def title(self) -> str:
        return f"speed {self.factor:g}x"

    @property
    def _exact(self) -> Fraction:
        return Fraction(str(self.factor))

    def after(self, clip: Clip, files: Mapping[Path, Probe]) -> Clip:
        refuse_picture(clip, "made faster or slower")
        line = clip.timeline
        return replace(
            clip, frames=max(1, round(clip.frames / self._exact)),
            timeline=None if line is None else replace(line, speed=line.speed * self._exact),
        )

    def draw(self, reel: Reel, op: Op, given: Given) -> Reel:
        factor = self._exact
        if factor < 1:
            # The nearest picture of a moment at the very end could be one that was cut away.
            reel = reel.settled(op.before).exactly()
        lead = own_lead(reel.rate) if reel.lead is None else reel.lead
        faster = f"({lead})*{factor.denominator}/{factor.numerator}"
        smooth = None if reel.smooth is None else reel.smooth / factor
        return replace(reel.retimed(faster, op.after.frames), rate=reel.rate * factor, smooth=smooth)

    def play(self, sounds: tuple[Playing, ...], op: Op, given: Given) -> tuple[Playing, ...]:
        return tuple(replace(sound, stream=filters.sound_lasting(self._hurried(sound.stream), op.after.seconds))
                     for sound in sounds)

    def _hurried(self, stream: filters.Stream) -> filters.Stream:
        if self.factor == 1:
            return stream
        # One filter alone leaves out samples above 2, and goes no lower than 0.5. Each loses a quarter of its window
        # (2048 samples at 48 kHz) before the first sound, so that all sound would come too early.
        times = max(1, math.ceil(abs(math.log2(self.factor)) - 1e-9))
        each = self.factor ** (1 / times)
        lost = round(sum(512 * each**before for before in range(times)))
        # Not by `adelay`: two chains of it and `atempo` never end on ffmpeg 9.
        stream = stream.filter("aformat", sample_rates=48000).filter("asetpts", f"PTS+{lost}/SR/TB").filter(
            "aresample", first_pts=0)
        for _ in range(times):
            stream = stream.filter("atempo", filters.number(each))
        return stream
