"""`concat`: other films behind this one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from reelflow.media import filters
from reelflow.media.clip import Clip, Track
from reelflow.media.drawing import film_reel
from reelflow.media.geometry import Size, even
from reelflow.media.graph import silence, together
from reelflow.media.media_step import Given, MediaStep, Op, Playing, refuse_picture
from reelflow.media.probe import Probe
from reelflow.media.reel import Reel
from reelflow.media.steps.resize import fitted
from reelflow.media.steps.sound import choose_track, file_sound
from reelflow.plan import Span
from reelflow.step import Need


class Concat(MediaStep):
    """Other films behind this one, each brought to its size and rate; silence where one has no sound."""

    name = "concat"
    short = "clips"
    plays = True

    clips: tuple[Path, ...] = Field(min_length=1, max_length=50, description="Films, in their order.")
    fit: Literal["pad", "crop", "stretch", "blur"] = Field(
        "pad", description="How a film of another shape gets into this one's: black beside it, cut, stretched, or "
                           "blurred beside it.")

    def title(self) -> str:
        return f"concat {', '.join(path.name for path in self.clips)}" if len(self.clips) < 3 else (
            f"concat {len(self.clips)} films")

    def needs(self) -> tuple[Need, ...]:
        return tuple(Need(path, "film", "clips") for path in self.clips)

    def after(self, clip: Clip, files: Mapping[Path, Probe]) -> Clip:
        refuse_picture(clip, "joined with films")
        films = [files[path] for path in self.clips]
        sounds = clip.sounds
        if not sounds:
            sounds = tuple(Track(None, choose_track(film).language, choose_track(film).channels)
                           for film in films if film.sounds)[:1]
        return replace(clip, frames=clip.frames + sum(_frames(film, clip.rate) for film in films), sounds=sounds,
                       timeline=None)

    def draw(self, reel: Reel, op: Op, given: Given) -> Reel:
        clip = op.before
        joined = [reel.settled(clip).exactly().stream]
        for number, path in enumerate(self.clips, 1):
            film = given.files[path]
            whole = Span(0, film.first_time, _own_frames(film), film.rate, trimmed=False)
            before = Clip(Size(even(film.shown.width), even(film.shown.height)), clip.rate, _frames(film, clip.rate))
            other = fitted(film_reel(film, whole, copy=number), before, clip.size, self.fit)
            joined.append(other.exactly().stream)
        stream = together([one.filter("setsar", 1) for one in joined], "concat", n=len(joined), v=1, a=0)
        step = 1 / clip.rate
        # Numbered anew: the filter does not know how long a picture lasts that is alone.
        lead = f"(N-{float(filters.NEAREST):g})*{step.numerator}/{step.denominator}/TB"
        return replace(reel.settled(clip), stream=stream, lead=lead, frames=op.after.frames, counted=False)

    def play(self, sounds: tuple[Playing, ...], op: Op, given: Given) -> tuple[Playing, ...]:
        clip, films = op.before, [given.files[path] for path in self.clips]
        if not op.before.sounds:
            if not op.after.sounds:
                return ()
            track = op.after.sounds[0]
            sounds = (Playing(silence(filters.number(clip.seconds), track.channels), track.language, track.channels),)
        return tuple(
            replace(sound, stream=filters.sound_lasting(together(
                [filters.sound_like(filters.sound_lasting(sound.stream, clip.seconds), sound.channels), *(
                    _sound(film, Fraction(_frames(film, clip.rate)) / clip.rate, sound.channels, number)
                    for number, film in enumerate(films, 1))],
                "concat", n=len(films) + 1, v=0, a=1), op.after.seconds))
            for sound in sounds
        )


def _own_frames(film: Probe) -> int:
    return film.frames if not film.varies else max(1, round(film.seconds * film.rate))


def _frames(film: Probe, rate: Fraction) -> int:
    """How many frames a film has at another rate."""
    return max(1, round(_own_frames(film) / film.rate * rate))


def _sound(film: Probe, seconds: Fraction, channels: int, copy: int) -> Any:
    if not film.sounds:
        return filters.sound_like(silence(filters.number(seconds), 1), channels)
    stream = file_sound(film, choose_track(film), copy=copy)
    return filters.sound_like(filters.sound_lasting(stream, seconds), channels)
