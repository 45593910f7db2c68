"""ffmpeg's commands as argument lists: pure functions over a plan, compared as literal lists in the tests.

Stills have their own in `still_command`, films in pieces in `segment_command`.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

from reelflow.media import filters
from reelflow.media.colour import Reading, read_colour
from reelflow.media.geometry import Box, Size
from reelflow.media.graph import BARE, arguments, open_film, open_pictures, open_text
from reelflow.media.opening import file_url
from reelflow.media.outputs import Encoding, SoundOut
from reelflow.media.probe import Probe
from reelflow.media.tracks import SubtitleOut
from reelflow.plan import Plan, Prepare, Span

# Seconds that are decoded before a cut, since a seek may land late (up to 44 frames in MPEG-TS).
PRE_ROLL = 10
# Rate control may use this much of the cap; the rest is the container's.
_CAP_SHARE = 0.96
_MAX_BITS_PER_SECOND = 120_000_000


def seek_for(source: Probe, span: Span) -> float:
    """Where to begin reading for `span`, in seconds from the file's first moment; 0 for its start."""
    return max(0.0, span.begin - source.file_start - PRE_ROLL) if span.trimmed else 0.0


def open_for_span(source: Probe, span: Span) -> Any:
    """The source's pictures, from some seconds before the span on."""
    return open_pictures(source, seek=seek_for(source, span))


def prepare_arguments(plan: Plan, destination: Path) -> list[str]:
    """One pass from the source to the film that is sent."""
    source, prepare = plan.source, plan.prepare
    assert prepare.span is not None
    picture = prepared_pictures(source, prepare, open_for_span(source, prepare.span))
    return arguments([picture], destination, upload_options(prepare, seconds=prepare.seconds))


def pre_roll_arguments(source: Probe, seek: float) -> list[str]:
    """A pass that only reads what is decoded before a cut, to know which errors are the seek's own."""
    return arguments([open_film(source, seek=seek, t=PRE_ROLL)["V:0"]], Path("nothing"), {"f": "null"})


def prepared_pictures(source: Probe, prepare: Prepare, picture: Any) -> Any:
    """The chain from the source's pictures to those that are sent."""
    span, geometry, rate = prepare.span, prepare.geometry, Fraction(prepare.rate)
    assert span is not None
    if source.interlaced:
        picture = filters.steady(picture, source.upright).filter("bwdif", mode="send_frame", parity="auto", deint="all")
    picture = filters.take(picture, geometry.taken, source.upright)
    half = filters.NEAREST / span.rate
    lead = f"PTS-STARTPTS-{filters.number(half)}/TB"
    if span.trimmed:
        if span.first and not source.varies:
            picture = picture.filter("trim", start=filters.number(span.begin - float(half)))
        lead = f"PTS-({filters.number(span.begin + float(half))})/TB"
    picture = resized_at_rate(
        picture, geometry.placed.size, read_colour(source), rate, lead=lead, lowers=rate <= span.rate
    )
    if geometry.is_padded:
        frame, placed = geometry.frame, geometry.placed
        picture = picture.filter("pad", frame.width, frame.height, placed.x, placed.y)
    return filters.tag(filters.exactly(picture, prepare.frames))


def resized_at_rate(picture: Any, size: Size, reading: Reading, rate: Fraction, *, lead: str, lowers: bool) -> Any:
    """Pictures of another size at another rate: none is scaled that is dropped, none is scaled twice."""
    if lowers:
        return filters.resize(filters.at_rate(picture, rate, lead=lead), size, reading)
    return filters.at_rate(filters.resize(picture, size, reading), rate, lead=lead)


def upload_options(prepare: Prepare, *, seconds: float) -> dict[str, Any]:
    """Output options of a film of so many `seconds` that is sent.

    Two seconds of buffer are counted in, so that even noise stays under the cap. The number of threads is fixed: the
    same clip then gives the same bytes on every machine, and what was bought for them is found again.
    """
    window = min(2.0, max(0.5, seconds / 4))
    speed = int(min(prepare.max_bytes * 8 * _CAP_SHARE / (seconds + window), _MAX_BITS_PER_SECOND))
    return {
        "c:v": "libx264", "preset": "superfast", "crf": 15, "maxrate": speed, "bufsize": int(speed * window),
        "threads": 4, "fps_mode": "passthrough", **BARE, "movflags": "+faststart", "f": "mp4",
    }


def remux_arguments(plan: Plan, destination: Path) -> list[str]:
    """The source's pictures as they are, without its sound, titles and places, and what its encoder wrote in between.

    Cameras put places and captions into H.264's extra messages (SEI, type 6); no picture needs them.
    """
    film = open_film(plan.source)["V:0"]
    return arguments([film], destination, {
        "c": "copy", "bsf:v": "filter_units=remove_types=6", **BARE, "movflags": "+faststart", "f": "mp4",
    })


def finish_arguments(
    plan: Plan, generated: Probe, box: Box, destination: Path, *, step: Fraction, frames: int, encoding: Encoding,
    sounds: tuple[SoundOut, ...] = (), subtitles: tuple[SubtitleOut, ...] = (), chapters: Path | None = None,
    smooth: bool = False,
) -> list[str]:
    """One pass from the generated film and the source's sound to the finished film.

    The generated film's pictures are numbered, one each `step` seconds, and its own times ignored: models mislabel
    rates. `frames` come out; `box` is where the picture lies in them. With `smooth`, pictures in between are made up
    by motion where the rate is raised.
    """
    finish = plan.finish
    picture = filters.take(open_film(generated)["V:0"], box, generated.upright)
    lowers = finish.rate * step <= 1
    if smooth and not lowers:
        picture = filters.resize(filters.smoothly(picture, finish.rate, step), finish.size, read_colour(generated))
    else:
        lead = f"(N-{float(filters.NEAREST):g})*{step.numerator}/{step.denominator}/TB"
        picture = resized_at_rate(
            picture, finish.size, read_colour(generated), finish.rate, lead=lead, lowers=lowers
        )
    picture = filters.tag(filters.exactly(picture, frames))
    if encoding.pixels != "yuv420p":
        picture = picture.filter("format", encoding.pixels)
    options = dict(encoding.options) | {"fps_mode": "passthrough", **BARE}
    return with_tracks(
        plan, picture, options, destination, seconds=float(frames / finish.rate), sounds=sounds, subtitles=subtitles,
        chapters=chapters,
    )


def with_tracks(
    plan: Plan, picture: Any, options: dict[str, Any], destination: Path, *, seconds: float,
    sounds: tuple[SoundOut, ...], subtitles: tuple[SubtitleOut, ...] = (), chapters: Path | None = None,
) -> list[str]:
    """The command for a film of this picture (None: only its sound), with the source's sound and what goes along."""
    streams, span = [] if picture is None else [picture], plan.finish.span
    if sounds:
        assert span is not None
        # What is copied can't be filtered, so the whole input is moved to the film's clock.
        film = open_film(
            plan.source, seek=seek_for(plan.source, span), vn=None,
            itsoffset=filters.number(-span.begin) if span.begin else 0,
        )
        for position, sound in enumerate(sounds):
            track = film[f"a:{sound.track.index}"]
            streams.append(track if sound.copied else filters.sound_of_span(
                track, sound.track, seconds=seconds, codec=sound.codec
            ))
            options |= sound.options(position)
    for position, subtitle in enumerate(subtitles):
        streams.append(open_text(subtitle.path, "srt")["s:0"])
        options |= subtitle.options(position)
    made = arguments(streams, destination, options)
    return made if chapters is None else _with_chapters(made, chapters)


def _with_chapters(command: list[str], chapters: Path) -> list[str]:
    """The same command with chapters from a metadata file: an input without streams, which the graph can't hold."""
    inputs = command.count("-i")
    graph = len(command) - command[::-1].index("-i") + 1  # behind the last input's name
    opened = ["-f", "ffmetadata", "-i", file_url(chapters)]
    # `-map_metadata -1` would take the chapters' titles too: the file stands for the film's own tags, of which it has
    # none, and those of the streams are kept out by themselves.
    wanted = {"-map_chapters": [str(inputs)], "-map_metadata": [str(inputs), "-map_metadata:s", "-1"]}
    made = [*command[:graph], *opened, *command[graph:]]
    for option, values in wanted.items():
        at = made.index(option) + 1
        made[at:at + 1] = values
    return made


def subtitle_arguments(source: Probe, index: int, destination: Path) -> list[str]:
    """A text subtitle track as SubRip, on the file's own clock."""
    return arguments([open_film(source, vn=None, an=None)[f"s:{index}"]], destination, {"f": "srt"})
