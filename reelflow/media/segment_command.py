"""ffmpeg's commands for films in pieces: one encode, cut as it runs; parts to their exact frames; joining."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from reelflow.media import filters
from reelflow.media.colour import read_colour
from reelflow.media.command import (
    open_for_span,
    prepared_pictures,
    resized_at_rate,
    upload_options,
    with_tracks,
)
from reelflow.media.geometry import Box
from reelflow.media.graph import BARE, arguments, open_film, open_text, together
from reelflow.media.outputs import Encoding, SoundOut
from reelflow.media.probe import Probe
from reelflow.media.tracks import SubtitleOut
from reelflow.plan import Plan

Take = tuple[Probe, Box, Fraction, int]  # result, where the picture is, seconds a frame, its first frame's number


@dataclass(frozen=True, slots=True)
class Part:
    """Frames `first` up to `end` of the finished film, from one piece, or from two that fade into each other."""

    first: int
    end: int
    pieces: tuple[int, ...]

    @property
    def frames(self) -> int:
        """How many they are."""
        return self.end - self.first


def cut_arguments(plan: Plan, cuts: Sequence[int], folder: Path, *, longest: int) -> list[str]:
    """One encode of the prepared film into `00000.mp4`, `00001.mp4`, … in `folder`, cut before each frame in `cuts`."""
    assert plan.prepare.span is not None
    picture = prepared_pictures(plan.source, plan.prepare, open_for_span(plan.source, plan.prepare.span))
    options = upload_options(plan.prepare, seconds=longest / plan.prepare.rate)
    pattern = Path(str(folder).replace("%", "%%"), "%05d.mp4")
    if not cuts:
        return arguments([picture], folder / "00000.mp4", options)
    # Half a frame before its time, so that no rounding puts the key frame behind it.
    keys = ",".join(filters.number(Fraction(2 * cut - 1, 2 * plan.prepare.rate)) for cut in cuts)
    del options["movflags"]  # the segments' own, below
    return arguments([picture], pattern, options | {
        "f": "segment", "segment_frames": ",".join(map(str, cuts)), "segment_format": "mp4", "reset_timestamps": 1,
        "segment_format_options": "movflags=+faststart", "force_key_frames": keys,
    })


def concat_list(files: Iterable[tuple[str, Fraction]]) -> str:
    """A list for ffmpeg's concat demuxer: plain names beside it, each with its exact length in seconds."""
    rows = [f"file {name}\nduration {filters.number(seconds)}\n" for name, seconds in files]
    return "ffconcat version 1.0\n" + "".join(rows)


def join_sent_arguments(listed: Path, destination: Path) -> list[str]:
    """Films of one encode joined again, without another."""
    return arguments(
        [open_text(listed, "concat")["v:0"]], destination,
        {"c": "copy", **BARE, "movflags": "+faststart", "f": "mp4"},
    )


def part_arguments(
    plan: Plan, part: Part, takes: Sequence[Take], destination: Path, *, encoding: Encoding
) -> list[str]:
    """A part of the finished film to its exact frames, from one generated film, or faded over from one to the next."""
    pictures = [_pictures(plan, part, take) for take in takes]
    picture = pictures[0]
    if len(pictures) == 2:
        # Not xfade, which loses frames on 5.1. Here N counts from 1.
        picture = together(pictures, "blend", all_expr=f"A+(B-A)*N/{part.frames + 1}")
        picture = filters.exactly(picture, part.frames)
    picture = filters.tag(picture)
    if encoding.pixels != "yuv420p":
        picture = picture.filter("format", encoding.pixels)
    return arguments([picture], destination, encoding.options | {"fps_mode": "passthrough", **BARE})


def _pictures(plan: Plan, part: Part, take: Take) -> Any:
    result, box, step, first = take
    rate = plan.finish.rate
    picture = filters.take(open_film(result)["V:0"], box, result.upright)
    # When its first frame is, on a clock that begins with the part.
    begin = Fraction(first, plan.prepare.rate) - part.first / rate - filters.NEAREST * step
    lead = f"(N*{step.numerator}/{step.denominator}+({filters.number(begin)}))/TB"
    picture = resized_at_rate(
        picture, plan.finish.size, read_colour(result), rate, lead=lead, lowers=rate * step <= 1
    )
    return filters.exactly(picture, part.frames)


def join_arguments(
    plan: Plan, listed: Path, destination: Path, *, encoding: Encoding, seconds: float,
    sounds: tuple[SoundOut, ...], subtitles: tuple[SubtitleOut, ...], chapters: Path | None,
) -> list[str]:
    """The finished film's parts joined without another encode, with one sound over all."""
    kept = {name: value for name, value in encoding.options.items() if name in ("f", "movflags", "tag:v")}
    return with_tracks(
        plan, open_text(listed, "concat")["v:0"], kept | {"c:v": "copy", **BARE}, destination, seconds=seconds,
        sounds=sounds, subtitles=subtitles, chapters=chapters,
    )
