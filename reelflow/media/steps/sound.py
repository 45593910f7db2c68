"""`sound`: dropped, chosen, replaced, mixed with another, louder or quieter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Self

from pydantic import Field, model_validator

from reelflow.errors import BadInput
from reelflow.media import filters
from reelflow.media.clip import Clip, Track
from reelflow.media.graph import open_sound, together
from reelflow.media.media_step import Given, MediaStep, Op, Playing
from reelflow.media.probe import Probe
from reelflow.media.probe import Sound as SoundTrack
from reelflow.step import Need


class Sound(MediaStep):
    """The film's sound: `drop` it, `keep` one track, `replace` it, `mix` another in, or change its `volume`."""

    name = "sound"
    draws = False
    plays = True

    drop: bool = Field(False, description="Take all sound away.")
    keep: int | None = Field(None, ge=1, description="The number of the one track that stays, from 1.")
    replace: Path | None = Field(None, description="A sound file, or a film, whose sound takes the place of this one.")
    mix: Path | None = Field(None, description="A sound file, or a film, whose sound is heard along with this one.")
    volume: float | None = Field(
        None, ge=-60, le=30, description="dB louder (6) or quieter (-6), of what comes in, or of the film's own.")
    loop: bool = Field(False, description="Play what replaces or is mixed in again until the film ends.")
    fade_out: float = Field(0.0, ge=0, le=600, description="Seconds over which what replaces or is mixed in goes out.")
    duck: bool = Field(False, description="Make what is mixed in quieter while the film is loud.")

    @model_validator(mode="before")
    @classmethod
    def _dropped(cls, given: Any) -> Any:
        return {"drop": True} if given == "drop" else given

    @model_validator(mode="after")
    def _one_thing(self) -> Self:
        asked = [name for name in ("drop", "keep", "replace", "mix") if getattr(self, name)]
        if len(asked) > 1:
            raise ValueError(f"{asked[0]} and {asked[1]} can't be had in one step: write two")
        if not asked and self.volume is None:
            raise ValueError("say what is to be done: drop, keep, replace, mix or volume")
        if self.drop and self.volume is not None:
            raise ValueError("what is dropped has no volume")
        for name in ("loop", "fade_out"):
            if getattr(self, name) and self.file is None:
                raise ValueError(f"{name} is for replace and mix")
        if self.duck and self.mix is None:
            raise ValueError("duck is for mix")
        return self

    @property
    def file(self) -> Path | None:
        """The file whose sound is heard."""
        return self.replace or self.mix

    def title(self) -> str:
        if self.drop:
            return "drop the sound"
        if self.keep is not None:
            return f"keep sound track {self.keep}"
        if self.file is not None:
            return f"{'mix in' if self.mix else 'sound from'} {self.file.name}"
        return f"volume {self.volume:+g} dB"

    def needs(self) -> tuple[Need, ...]:
        return () if self.file is None else (Need(self.file, "sound", "replace" if self.replace else "mix"),)

    def changes_sound(self) -> bool:
        return self.file is not None or self.volume is not None

    def after(self, clip: Clip, files: Mapping[Path, Probe]) -> Clip:
        if clip.is_picture:
            raise BadInput("A picture has no sound: put this step behind one that makes a film.")
        if self.drop:
            return replace(clip, sounds=())
        if self.keep is not None:
            if self.keep > len(clip.sounds):
                count = len(clip.sounds)
                has = {0: "no sound", 1: "only one sound track"}.get(count, f"{count} sound tracks")
                raise BadInput(f"There is no sound track {self.keep}: the film has {has}.", field="keep")
            return replace(clip, sounds=(clip.sounds[self.keep - 1],))
        if self.file is None:
            return clip
        if self.fade_out > clip.seconds:
            raise BadInput(f"The film is {float(clip.seconds):.3f} s long: its sound can't go out over "
                           f"{self.fade_out:g} s.", field="fade_out")
        track = choose_track(files[self.file])
        if self.replace is not None or not clip.sounds:
            return replace(clip, sounds=(Track(None, track.language, min(2, track.channels)),))
        return clip

    def play(self, sounds: tuple[Playing, ...], op: Op, given: Given) -> tuple[Playing, ...]:
        if self.file is None:
            return tuple(replace(sound, stream=self._at_volume(sound.stream)) for sound in sounds)
        added = self._added(given.files[self.file], op.before.seconds)
        if self.replace is not None or not op.before.sounds:
            return (added,)
        return tuple(self._mixed(sound, added, op.before.seconds) for sound in sounds)

    def _added(self, file: Probe, seconds: Fraction) -> Playing:
        """The file's sound, as long as the film."""
        track = choose_track(file)
        channels = min(2, track.channels)
        stream = filters.sound_like(file_sound(file, track), channels)
        lasts = seconds if self.loop else min(seconds, Fraction(_seconds(file, track)))
        if self.loop and _seconds(file, track) < seconds:
            # As many samples as there are: it stops counting at the end.
            stream = stream.filter("aloop", loop=-1, size=2**31 - 1).filter("asetpts", "N/SR/TB")
        stream = self._at_volume(filters.sound_lasting(stream, seconds))
        if self.fade_out:
            length = min(Fraction(str(self.fade_out)), lasts)
            stream = stream.filter("afade", type="out", start_time=filters.number(lasts - length),
                                   duration=filters.number(length))
        return Playing(stream, track.language, channels)

    def _mixed(self, sound: Playing, added: Playing, seconds: Fraction) -> Playing:
        own = filters.sound_like(sound.stream, sound.channels)
        other = filters.sound_like(added.stream, sound.channels)
        if self.duck:
            # Speech at an ordinary loudness (about -24 dB) makes it about 10 dB quieter, and pauses bring it back.
            other = together([other, own], "sidechaincompress", threshold=0.03, ratio=6, attack=20, release=500)
        mixed = together([own, other], "amix", inputs=2, duration="first", normalize=0)
        return replace(sound, stream=filters.sound_lasting(mixed, seconds))

    def _at_volume(self, stream: Any) -> Any:
        return stream.filter("volume", f"{filters.number(self.volume)}dB") if self.volume else stream


def choose_track(file: Probe) -> SoundTrack:
    """The sound track of a file that is heard: the one that it says is to be, or its first."""
    return next((track for track in file.sounds if track.default), file.sounds[0])


def file_sound(file: Probe, track: SoundTrack, *, copy: int = 0) -> Any:
    """A file's sound track on a clock that begins with its picture, or, where it has none, with its first sound."""
    # What an encoder has put before the first sound is left out as it is decoded, and no header says so.
    begin = f"({filters.number(file.first_time)})/TB" if file.frames else "STARTPTS"
    stream = open_sound(file, track.index, copy=copy).filter("asetpts", f"PTS-{begin}")
    return stream.filter("atrim", start=0).filter("aresample", **{"async": 1, "first_pts": 0})


def _seconds(file: Probe, track: SoundTrack) -> float:
    return track.end - (file.first_time if file.frames else track.start)
