"""ffmpeg's commands as argument lists: pure functions over a phase, compared as literal lists in the tests.

Stills beside a film have their own in `still_command`, films in pieces in `segment_command`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from reelflow.media import filters
from reelflow.media.clip import Clip
from reelflow.media.drawing import Take, draw, pre_roll
from reelflow.media.geometry import even_size
from reelflow.media.graph import BARE, Written, arguments, in_256_colours, open_film, open_text, split_up
from reelflow.media.media_step import Given
from reelflow.media.opening import file_url
from reelflow.media.outputs import QUICK_H264, SoundOut, choose_encoding, moving_options
from reelflow.media.probe import Probe
from reelflow.media.reel import STANDARD, Reel
from reelflow.media.sounding import heard_of
from reelflow.media.steps.resize import fitted
from reelflow.media.still_command import sheet, still
from reelflow.media.strip_command import shot_before, shots
from reelflow.media.tags import tag_options
from reelflow.media.tracks import SubtitleOut
from reelflow.media.wiping import wiped
from reelflow.plan import Finish, FromFilm, Output, OutputForm, Prepare, Sounds

# Rate control may use this much of the cap; the rest is the container's.
_CAP_SHARE = 0.96
_MAX_BITS_PER_SECOND = 120_000_000

Takes = Mapping[int, Take]

_BYTES_OF_COLOUR = 4
# What the frames of all GIFs of a command may take in memory while a palette is found for all of each.
_MOST_HELD = 2**29


@dataclass(frozen=True, slots=True)
class Shot:
    """A picture of the source that a pass leaves on its way: of `at` seconds after its first, in the folder `room`."""

    at: float
    room: Path


def prepare_arguments(
    prepare: Prepare, takes: Takes, given: Given, destination: Path, *, suffix: str = ".png", shot: Shot | None = None,
    capped: bool = False,
) -> list[str]:
    """One pass to the film that is sent to a model, or to the picture, a PNG or JPEG by `suffix`.

    Where it isn't `capped`, it stops when the film has become too large for the model.
    """
    if prepare.is_picture:
        return arguments(still(_fitted_picture(prepare, takes, given), destination, suffix=suffix))
    picture = prepared_reel(prepare, takes, given).ended()
    options = upload_options(prepare, seconds=prepare.seconds, capped=capped)
    made = Written([picture], destination, options if capped else options | {"fs": prepare.max_bytes})
    return arguments(made, *taken_on_the_way(prepare, shot))


def taken_on_the_way(prepare: Prepare, shot: Shot | None) -> list[Written]:
    """The picture of the source, where the pass comes by it."""
    feed = prepare.pictures.feed
    if shot is None or not isinstance(feed, FromFilm):
        return []
    taken = shot_before(feed.film, feed.span, shot.at, shot.room)
    return [] if taken is None else [taken]


def prepared_reel(prepare: Prepare, takes: Takes, given: Given) -> Reel:
    """The pictures that are sent."""
    reel = draw(prepare.pictures, takes, given)
    return reel.placed(prepare.geometry, prepare.stored, Fraction(prepare.rate), prepare.frames)


def _fitted_picture(prepare: Prepare, takes: Takes, given: Given) -> Any:
    """The picture that is sent, in RGB; one that no step works on never leaves it."""
    reel = draw(prepare.pictures, takes, given)
    if reel.is_rgb:
        return reel.placed_rgb(prepare.geometry)
    return filters.as_rgb(reel.placed(prepare.geometry, prepare.stored, Fraction(0), 1).stream)


def upload_options(prepare: Prepare, *, seconds: float, capped: bool) -> dict[str, Any]:
    """Output options of a film of so many `seconds` that is sent.

    The same clip gives the same bytes on every machine, so that what was bought for them is found again. So the number
    of threads is fixed; and as x264's rate control goes by how far its other threads have come, a film is `capped`
    (even noise then stays under what the model takes) only where it would be too large, and by a single thread. Two
    seconds of buffer are counted in.
    """
    options: dict[str, Any] = {
        **QUICK_H264, "threads": 4, "fps_mode": "passthrough", **BARE, "movflags": "+faststart", "f": "mp4",
    }
    if not capped:
        return options
    window = min(2.0, max(0.5, seconds / 4))
    speed = int(min(prepare.max_bytes * 8 * _CAP_SHARE / (seconds + window), _MAX_BITS_PER_SECOND))
    return options | {"threads": 1, "maxrate": speed, "bufsize": int(speed * window)}


def remux_arguments(source: Probe, destination: Path) -> list[str]:
    """The source's pictures as they are, without its sound, titles and places, and what its encoder wrote in between.

    Cameras put places and captions into H.264's extra messages (SEI, type 6); no picture needs them.
    """
    film = open_film(source)["V:0"]
    return arguments(Written([film], destination, {
        "c": "copy", "bsf:v": "filter_units=remove_types=6", **BARE, "movflags": "+faststart", "f": "mp4",
    }))


def pre_roll_arguments(source: Probe, seek: float) -> list[str]:
    """A pass that only reads what is decoded before a cut, to know which errors are the seek's own."""
    return arguments(Written([open_film(source, seek=seek, t=pre_roll(source))["V:0"]], Path("-"), {"f": "null"}))


@dataclass(frozen=True, slots=True)
class Target:
    """An output, where it is written, and what goes along with it."""

    output: Output
    path: Path
    subtitles: tuple[SubtitleOut, ...] = ()
    chapters: Path | None = None


def finish_arguments(
    finish: Finish, takes: Takes, given: Given, targets: tuple[Target, ...], *, shots_in: Path | None = None
) -> list[str]:
    """One pass to everything that a person gets; pictures of the first film are left in the folder `shots_in`."""
    drawn = [target for target in targets if not target.output.copies]
    reels: list[Reel] = []
    if drawn:
        reel = draw(finish.pictures, takes, given)
        if len(drawn) > 1:
            reel = reel.settled(finish.clip).exactly()
            reels = [replace(reel, stream=stream) for stream in split_up(reel.stream, len(drawn))]
        else:
            reels = [reel]
    waiting = iter(reels)
    written = [
        _copied(finish, target, given) if target.output.copies else _written(finish, target, next(waiting), given)
        for target in targets
    ]
    first = targets[0].output
    if shots_in is not None and leaves_shots(finish):
        picture = _moving(first, *_cut(finish, first, reels[0])).ended()
        written += shots(picture, STANDARD, first.size, first.frames, shots_in)
    made = arguments(*written)
    for position, target in reversed(list(enumerate(targets))):
        if target.chapters is not None:
            before = sum(other.output.form in (OutputForm.FILM, OutputForm.ANIMATION) for other in targets[:position])
            made = _with_chapters(made, target.chapters, output=position, with_chapters=before)
    return made


def leaves_shots(finish: Finish) -> bool:
    """Whether the pass can leave pictures of its first output: where that is a film that it draws."""
    first = finish.outputs[0]
    return first.form is OutputForm.FILM and not first.copies and not finish.clip.is_picture


def _held(finish: Finish) -> int:
    """The bytes of all frames of the phase's GIFs."""
    return sum(output.frames * output.size.width * output.size.height * _BYTES_OF_COLOUR
               for output in finish.outputs if _is_gif(output))


def _is_gif(output: Output) -> bool:
    return output.name.lower().endswith(".gif")


def _written(finish: Finish, target: Target, reel: Reel, given: Given) -> Written:
    output = target.output
    if finish.clip.is_picture:
        return still(_finished_picture(finish, output, reel), target.path, suffix=Path(output.name).suffix)
    reel, part = _cut(finish, output, reel)
    if output.form is OutputForm.SHEET:
        return sheet(reel.settled(part).exactly(), output, target.path)
    if output.form is OutputForm.PICTURE:
        reel = fitted(reel, part, output.size, output.fit)
        return still(filters.as_rgb(reel.exactly().stream), target.path, suffix=Path(output.name).suffix)
    picture = _moving(output, reel, part).ended()
    if output.form is OutputForm.ANIMATION:
        if _is_gif(output):
            picture = in_256_colours(picture, anew=_held(finish) > _MOST_HELD)
        return Written([picture], target.path, moving_options(Path(output.name), output.quality))
    encoding = choose_encoding(Path(output.name), output.codec, output.quality)
    if encoding.pixels != "yuv420p":
        picture = picture.filter("format", encoding.pixels)
    options = encoding.options | {"fps_mode": "passthrough", **BARE, **tag_options(output.tags, output.timecode)}
    return with_tracks(finish, target, picture, options, given)


def _cut(finish: Finish, output: Output, reel: Reel) -> tuple[Reel, Clip]:
    """The part of the clip's pictures that an output is of, and that part as a clip."""
    clip = finish.clip
    part = clip.lasting(round(output.frames / output.rate * clip.rate)) if output.rate else clip.lasting(1)
    if output.form is OutputForm.SHEET:
        part = clip.lasting(output.frames)
    if output.first or part.frames != clip.frames:
        reel = reel.settled(clip).exactly()
        stream = reel.stream.filter("trim", start_frame=output.first, end_frame=output.first + part.frames)
        reel = replace(reel, stream=stream.filter("setpts", "PTS-STARTPTS"), frames=part.frames)
    return reel, part


def _moving(output: Output, reel: Reel, part: Clip) -> Reel:
    """The pictures of a film or an animation, at its own size and rate."""
    reel = fitted(reel, replace(part, rate=output.rate, frames=output.frames), output.size, output.fit)
    return reel if output.over is None else wiped(reel, output)


def _copied(finish: Finish, target: Target, given: Given) -> Written:
    """The source's pictures as they are, with other sound."""
    feed = finish.pictures.feed
    assert isinstance(feed, FromFilm)
    output = target.output
    encoding = choose_encoding(Path(output.name), output.codec, output.quality)
    kept = {name: value for name, value in encoding.options.items() if name in ("f", "movflags", "tag:v")}
    options = kept | {"c:v": "copy", **BARE, **tag_options(output.tags, output.timecode)}
    # The sound, which is heard from 0 on, comes by an input of its own.
    begin = feed.span.begin
    film = open_film(feed.film, itsoffset=filters.number(-begin)) if begin else open_film(feed.film)
    return with_tracks(finish, target, film["V:0"], options, given)


def _finished_picture(finish: Finish, output: Output, reel: Reel) -> Any:
    """A picture at its final size, in RGB; one that no step works on never leaves it."""
    size = even_size(output.size)
    if reel.is_rgb and output.fit == "pad" and size == finish.clip.size:
        return reel.sized_rgb(output.size)
    picture = filters.as_rgb(fitted(reel, finish.clip, size, output.fit).stream)
    return picture if size == output.size else filters.resized_rgb(picture, output.size)


def with_tracks(
    finish: Finish, target: Target, picture: Any, options: dict[str, Any], given: Given
) -> Written:
    """A film of this picture (None: only its sound), with its sound and what goes along with it."""
    streams, output = [] if picture is None else [picture], target.output
    if finish.sounds is not None and output.sound:
        container = choose_encoding(Path(output.name), output.codec, output.quality).container
        start = output.first / finish.clip.rate
        for position, heard in enumerate(heard_of(finish.sounds, output, start, container, given)):
            streams.append(heard.stream)
            options = options | heard.out.options(position)
    for position, subtitle in enumerate(target.subtitles):
        streams.append(open_text(subtitle.path, "srt")["s:0"])
        options = options | subtitle.options(position)
    return Written(streams, target.path, options)


def sound_arguments(phase: Finish, sounds: Sounds, output: Output, given: Given, destination: Path) -> list[str]:
    """Only the sound of an output, to find out whether it can be made."""
    container = choose_encoding(Path(output.name), output.codec, output.quality).container
    made = with_tracks(replace(phase, sounds=sounds), Target(output, destination), None,
                       {"f": container.muxer, **BARE}, given)
    return arguments(made)


def sounds_of(finish: Finish, output: Output, given: Given) -> tuple[SoundOut, ...]:
    """What becomes of the sound tracks in an output."""
    if finish.sounds is None or not output.sound or output.form is not OutputForm.FILM:
        return ()
    container = choose_encoding(Path(output.name), output.codec, output.quality).container
    start = output.first / finish.clip.rate
    return tuple(heard.out for heard in heard_of(finish.sounds, output, start, container, given))


def _with_chapters(command: list[str], chapters: Path, *, output: int, with_chapters: int) -> list[str]:
    """The same command with chapters from a metadata file: an input without streams, which the graph can't hold.

    They are for the output at that place; so many of those before it could have chapters too.
    """
    inputs = command.count("-i")
    graph = len(command) - command[::-1].index("-i") + 1  # behind the last input's name
    opened = ["-f", "ffmetadata", "-i", file_url(chapters)]
    # `-map_metadata -1` would take the chapters' titles too: the file stands for the film's own tags, of which it has
    # none, and those of the streams are kept out by themselves.
    wanted = (("-map_chapters", with_chapters, [str(inputs)]),
              ("-map_metadata", output, [str(inputs), "-map_metadata:s", "-1"]))
    made = [*command[:graph], *opened, *command[graph:]]
    for option, nth, values in wanted:
        at = [place for place, word in enumerate(made) if word == option][nth] + 1
        made[at:at + 1] = values
    return made


def subtitle_arguments(source: Probe, index: int, destination: Path) -> list[str]:
    """A text subtitle track as SubRip, on the file's own clock."""
    return arguments(Written([open_film(source, vn=None, an=None)[f"s:{index}"]], destination, {"f": "srt"}))
