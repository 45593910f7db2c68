"""`loudness`: as loud as broadcasters and platforms ask for, by EBU R128, in two passes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import Field

from reelflow.errors import BadInput, MediaFailed
from reelflow.media import filters
from reelflow.media.clip import Clip
from reelflow.media.media_step import Given, MediaStep, Op, Playing
from reelflow.media.probe import Probe

_FOUND = re.compile(r"\{\s*\"input_i\".*?\}", re.DOTALL)
# Below this, EBU R128 hears nothing.
_SILENT = -70.0


@dataclass(frozen=True, slots=True)
class Measured:
    """How loud a track is (LUFS), its true peak (dBTP), range and threshold (LU, LUFS), and what is left to correct."""

    loudness: float
    peak: float
    range: float
    threshold: float
    offset: float


class Loudness(MediaStep):
    """Every sound track brought to one loudness: measured first, then made louder or quieter as a whole, or moment by
    moment where its peaks or its range don't allow that.
    """

    name = "loudness"
    short = "target"
    bare = True
    draws = False
    plays = True
    analyses = "sound"

    target: float = Field(-16.0, ge=-40, le=-5, description="LUFS: -16 for the web, -23 for European broadcast.")
    peak: float = Field(-1.5, ge=-9, le=0, description="The highest true peak, in dBTP.")
    range: float = Field(11.0, ge=1, le=20, description="How far loud and quiet may lie apart, in LU.")

    def title(self) -> str:
        return f"loudness {self.target:g} LUFS"

    def after(self, clip: Clip, files: Mapping[Path, Probe]) -> Clip:
        if clip.is_picture:
            raise BadInput("A picture has no sound that could be louder: put this step behind one that makes a film.")
        return clip

    @property
    def _wanted(self) -> dict[str, str]:
        return {"i": filters.number(self.target), "tp": filters.number(self.peak), "lra": filters.number(self.range)}

    def analyse(self, stream: Any, op: Op, given: Given) -> Any:
        return stream.filter("loudnorm", **self._wanted, print_format="json")

    def read(self, stderr: str, op: Op, given: Given) -> Measured | None:
        """What was measured; None for a track in which nothing is heard."""
        found = _FOUND.findall(stderr)
        if not found:
            raise MediaFailed("ffmpeg did not say how loud the sound is.", stderr=stderr)
        told = {name: float(value) for name, value in json.loads(found[-1]).items() if name != "normalization_type"}
        if not told["input_i"] > _SILENT:
            return None
        return Measured(told["input_i"], told["input_tp"], told["input_lra"], told["input_thresh"],
                        told["target_offset"])

    def tell(self, found: tuple[Measured | None, ...]) -> tuple[str, ...]:
        said = []
        for number, measured in enumerate(found, 1):
            track = "The sound" if len(found) == 1 else f"Sound track {number}"
            # As ffmpeg's loudnorm decides: https://ffmpeg.org/ffmpeg-filters.html#loudnorm, `linear`.
            if measured is not None and measured.peak + self.target - measured.loudness > self.peak:
                said.append(f"{track} can't be made {self.target:g} LUFS loud as a whole, since its peaks would go "
                            f"over {self.peak:g} dBTP: it is levelled moment by moment, or stays quieter.")
            elif measured is not None and measured.range > self.range:
                said.append(f"{track} is levelled moment by moment: loud and quiet lie {measured.range:g} LU apart, "
                            f"over the {self.range:g} of `range`.")
        return tuple(said)

    def play(self, sounds: tuple[Playing, ...], op: Op, given: Given) -> tuple[Playing, ...]:
        found = given.found.get(op.number, (None,) * len(sounds))
        return tuple(
            sound if measured is None else replace(sound, stream=self._levelled(sound.stream, measured, op))
            for sound, measured in zip(sounds, found, strict=True)
        )

    def _levelled(self, stream: Any, measured: Measured, op: Op) -> Any:
        stream = stream.filter(
            "loudnorm", **self._wanted, measured_i=measured.loudness, measured_tp=measured.peak,
            measured_lra=measured.range, measured_thresh=measured.threshold, offset=measured.offset, linear=1,
        )
        # It works at 192 kHz. An `aresample` here fails on ffmpeg 5.1 for mono and for 5.1 sound.
        return filters.sound_lasting(stream.filter("aformat", sample_rates=48000), op.before.seconds)
