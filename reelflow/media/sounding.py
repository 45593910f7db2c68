"""The finished film's sound: the source's tracks of the span, copied where nothing is done to them."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from reelflow.media import filters
from reelflow.media.drawing import seek_for
from reelflow.media.graph import open_film
from reelflow.media.media_step import Given, Op, Playing
from reelflow.media.outputs import Container, SoundOut, choose_sounds
from reelflow.media.probe import Sound
from reelflow.plan import Output, Sounds


@dataclass(frozen=True, slots=True)
class Heard:
    """A sound track of an output: its stream, and what it is written as."""

    stream: Any
    out: SoundOut


def heard_of(sounds: Sounds, output: Output, start: Fraction, container: Container, given: Given) -> tuple[Heard, ...]:
    """The sound tracks of an output that begins `start` seconds into the clip."""
    if not sounds.ops:
        trimmed = sounds.span.trimmed or start > 0 or not _is_whole(sounds, output)
        outs = choose_sounds(sounds.tracks, container, trimmed=trimmed, encoded=sounds.encoded)
        film = _opened(sounds, float(start))
        return tuple(Heard(_alone(film[f"a:{out.track.index}"], out, output.seconds), out) for out in outs)
    playing = played(sounds, given, codec=container.fallback)
    end = start + Fraction(output.frames) / output.rate
    made = []
    for index, track in enumerate(playing):
        stream = filters.sound_between(track.stream, start, end) if start else track.stream
        stream = filters.for_encoder(filters.lasting(stream, output.seconds), container.fallback)
        sound = Sound(index, "pcm", 48000, track.channels, "", 0.0, output.seconds, track.language)
        made.append(Heard(stream, SoundOut(sound, False, container.fallback)))
    return tuple(made)


def _alone(track: Any, out: SoundOut, seconds: float) -> Any:
    """A track that nothing is done to but cutting it, where it isn't copied."""
    if out.copied:
        return track
    cut = filters.sound_of_span(track, out.track, seconds=seconds, codec=out.codec)
    return filters.for_encoder(cut, out.codec)


def played(
    sounds: Sounds, given: Given, *, codec: str = "aac", before: Op | None = None
) -> tuple[Playing, ...]:
    """The tracks after their steps (or as far as the op `before`), each from 0 on and as long as the clip, in a layout
    that `codec` has.
    """
    playing: tuple[Playing, ...] = ()
    if sounds.tracks:
        film, seconds = _opened(sounds, 0.0), sounds.span.seconds
        playing = tuple(
            Playing(filters.sound_of_span(film[f"a:{track.index}"], track, seconds=seconds, codec=codec),
                    track.language, track.channels)
            for track in sounds.tracks
        )
    for op in sounds.ops:
        if op == before:
            break
        playing = op.step.play(playing, op, given)
    return playing


def _is_whole(sounds: Sounds, output: Output) -> bool:
    return abs(output.seconds - sounds.span.seconds) <= 1 / output.rate


def _opened(sounds: Sounds, start: float) -> Any:
    """The source's sound on a clock that begins `start` seconds into the span.

    What is copied can't be filtered, so the whole input is moved to that clock.
    """
    begin = sounds.span.begin + start
    seek = seek_for(sounds.film, sounds.span)
    return open_film(sounds.film, seek=seek, vn=None, itsoffset=filters.number(-begin) if begin else 0)
