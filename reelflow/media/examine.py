"""The child process behind `probe`: `python -m reelflow.media.examine FILE` prints one JSON object; with `sound` as a
second argument it takes files that hold only sound too, with `encoded` it looks at one frame only, which tells of all
where we have encoded them. With `--fork` it stays, and does the same for each file that it is asked for, in a fork of
itself (see `forked`).

It opens what may be made to do harm, so it runs apart, with limits, and only it, `frame` and `packets` import PyAV.
What can't be used is answered with `{"refused": "is empty: …"}`, the second half of a sentence that begins with the
file's name.
"""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer
from av.stream import Disposition, Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from reelflow.media.examine_picture import examine_picture
from reelflow.media.forked import serve
from reelflow.media.frame import colour_of, orientation_of
from reelflow.media.opening import FILM_FORMATS, MAX_PIXELS, SOUND_FORMATS, Refused, check_size, file_url
from reelflow.media.packets import Track, codec_of, half_a_frame, packets_of
from reelflow.media.tags import tags_of
from reelflow.media.timecode import find_timecode
from reelflow.media.timing import find_clock

_TEXT_SUBTITLES = {"subrip", "srt", "mov_text", "ass", "ssa", "webvtt", "text"}
_MAX_GAP, _MAX_SECONDS, _LOOKED_AT, _LISTENED_TO = 30, 12 * 3600, 12, 100
# Files of nothing but pictures: what their demuxers call times is counted, and a seek in them lands anywhere.
_BARE_FORMATS = {"h264", "hevc", "mpegvideo", "m4v"}


def examine(path: Path, *, sound: bool = False, looked_at: int = _LOOKED_AT) -> dict[str, Any]:
    """The facts of `path` as the fields of Probe (without the path); with `sound` it may hold nothing else.

    `looked_at` frames are decoded at least. Raises Refused.
    """
    with path.open("rb") as opened:
        head = opened.read(16)
    if head.startswith((b"\x89PNG", b"\xff\xd8\xff", b"BM")) or head[8:12] == b"WEBP":
        if sound:
            raise Refused("is a picture: give a file with sound.")
        return examine_picture(path) | {"size_bytes": path.stat().st_size}
    if not sound and (
        head.startswith((b"ID3", b"fLaC", b"\xff\xfb", b"\xff\xf3", b"\xff\xf1")) or head[8:12] == b"WAVE"
    ):
        raise Refused("holds only sound: give a file with a picture.")
    try:
        container = av.open(
            file_url(path),
            options={"format_whitelist": SOUND_FORMATS if sound else FILM_FORMATS, "protocol_whitelist": "file",
                     "max_pixels": str(MAX_PIXELS)},
            metadata_errors="replace",
        )
    except (av.FFmpegError, ValueError):
        if head[4:8] == b"ftyp":
            raise Refused("is an MP4 or MOV that can't be read: its index (moov) is missing or damaged, as when it was "
                          "cut short or is still being written. Copy or export it once more.") from None
        raise Refused(
            "is not sound that can be read: give an MP3, WAV, FLAC, M4A or Ogg file." if sound else
            "is not a video or a picture that can be read: give an MP4, MOV, WebM or PNG."
        ) from None
    with container:
        if sound and not _films(container):
            return _examine_sound(container) | {"size_bytes": path.stat().st_size}
        return _examine_film(container, looked_at) | {"size_bytes": path.stat().st_size}


def _films(container: InputContainer) -> list[VideoStream]:
    """The streams of moving pictures: not the picture of a cover."""
    return [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]


def _examine_sound(container: InputContainer) -> dict[str, Any]:
    followed: list[Stream] = [*container.streams.audio]
    tracks = {stream.index: Track() for stream in followed}
    heard: set[int] = set()
    for packet in packets_of(container, followed):
        stream = packet.stream
        if stream.index not in heard and len(tracks[stream.index].times) < _LISTENED_TO:
            with contextlib.suppress(av.FFmpegError):
                if packet.decode():
                    heard.add(stream.index)
        tracks[stream.index].note(packet)
    sounds = [_sound(index, stream, tracks[stream.index]) for index, stream in enumerate(container.streams.audio)
              if stream.index in heard]
    if not sounds:
        raise Refused("holds no sound that can be decoded: give an MP3, WAV, FLAC, M4A or Ogg file.")
    seconds = max(one["end"] for one in sounds) - min(one["start"] for one in sounds)
    if seconds > _MAX_SECONDS:
        raise Refused(f"claims to be {seconds / 3600:.0f} hours long: cut it first.")
    return {
        "format": container.format.name, "is_picture": False, "codec": sounds[0]["codec"], "pixels": "", "bits": 0,
        "width": 0, "height": 0, "sample_aspect": "1/1", "turn": 0, "mirrored": False, "colour": {},
        "seconds": seconds, "file_start": (container.start_time or 0) / 1e6, "sounds": sounds,
    }


def _examine_film(container: InputContainer, looked_at: int) -> dict[str, Any]:
    films = _films(container)
    if not films:
        if container.streams.audio:
            raise Refused("holds only sound: give a file with a picture.")
        raise Refused("holds no video: give a file with a picture.")
    film = films[0]
    if film.codec_context is None:
        raise Refused("holds a video in a codec that is not known: convert it to H.264 first.")
    check_size(film.codec_context.width, film.codec_context.height)
    film.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
    film.codec_context.thread_count = 1

    followed: list[Stream] = [film, *container.streams.audio, *container.streams.subtitles]
    tracks = {stream.index: Track() for stream in followed}
    tracks[film.index].half = half_a_frame(film)
    shown: list[VideoFrame] = []
    for packet in packets_of(container, followed):
        stream = packet.stream
        if stream is film and len(shown) < looked_at:
            with contextlib.suppress(av.FFmpegError):
                shown += film.decode(packet)
        tracks[stream.index].note(packet)
    if len(shown) < looked_at:
        with contextlib.suppress(av.FFmpegError):
            shown += film.decode(None)
    if not shown:
        raise Refused("holds a video of which no frame can be decoded: it is damaged or of an unknown kind.")
    return _describe(container, film, shown[:looked_at], tracks)


def _pixels(film: VideoStream, first: VideoFrame) -> str:
    """How the film's pixels are laid out; what can be seen through in VP8 and VP9 lies beside them, not decoded."""
    name = first.format.name
    return f"yuva{name.removeprefix('yuv')}" if film.metadata.get("alpha_mode") == "1" and name[:4] == "yuv4" else name


def _describe(
    container: InputContainer, film: VideoStream, shown: Sequence[VideoFrame], tracks: dict[int, Track]
) -> dict[str, Any]:
    first, track = shown[0], tracks[film.index]
    if not any(frame.interlaced_frame for frame in shown):
        track.without_fields()
    base = film.time_base or Fraction(1, 1000)
    numbered = _has_no_clock(container, shown, track)
    start = first.pts if first.pts is not None and not numbered else min(track.times, default=0)
    if track.jumps:
        raise Refused("is made of pieces whose clocks overlap: join them into one MP4 first.")
    kept = sorted(time for time in track.times if time >= start)
    guess = film.guessed_rate or film.average_rate or Fraction(25)
    if numbered or not kept:
        times = [start * base + index / guess for index in range(len(kept) + track.untimed)]
    else:
        times = [time * base for time in kept]
        widest = max((after - before for before, after in pairwise(times)), default=Fraction(0))
        if widest > _MAX_GAP:
            raise Refused(f"has a hole of {float(widest):.0f} s in its picture: cut it into clips first.")
    clock = find_clock(times, guess, (track.end - kept[-1]) * base if kept and track.end is not None else Fraction(0))
    if clock.seconds > _MAX_SECONDS:
        raise Refused(f"claims to be {float(clock.seconds) / 3600:.0f} hours long: cut it into clips first.")
    context = film.codec_context
    (turn, mirrored), colour = orientation_of(first), colour_of(first)
    aspect = film.sample_aspect_ratio or context.sample_aspect_ratio or Fraction(1)
    aspect = aspect if Fraction(1, 8) <= aspect <= 8 else Fraction(1)
    component = first.format.components[0].bits
    check_size(round(first.width * aspect), first.height)
    return {
        "format": container.format.name, "is_picture": False, "codec": codec_of(film), "pixels": _pixels(film, first),
        "bits": component, "width": first.width, "height": first.height, "sample_aspect": _ratio(aspect),
        "turn": turn, "mirrored": mirrored, "profile": context.profile,
        "colour": colour,
        "interlaced": any(frame.interlaced_frame for frame in shown), "numbered": numbered,
        "rate": _ratio(clock.rate), "varies": clock.varies, "unevenness": float(clock.unevenness),
        "frames": len(times), "hidden": max(track.hidden, film.frames - len(times) - len(track.fields), 0),
        "seconds": float(clock.seconds), "first_time": float(start * base),
        "file_start": (container.start_time or 0) / 1e6,
        "sounds": [_sound(index, stream, tracks[stream.index]) for index, stream in enumerate(container.streams.audio)],
        "subtitles": [
            {"index": index, "codec": codec_of(stream), "text": codec_of(stream) in _TEXT_SUBTITLES,
             "language": _language(stream), "title": stream.metadata.get("title")}
            for index, stream in enumerate(container.streams.subtitles)
        ],
        "chapters": [
            {"start": float(row["start"] * row["time_base"]), "end": float(row["end"] * row["time_base"]),
             "title": row["metadata"].get("title")}
            for row in container.chapters() if row["time_base"] is not None
        ],
        "tags": tags_of(container.metadata),
        "timecode": find_timecode(
            (film.metadata, *(stream.metadata for stream in container.streams.data), container.metadata)),
        "other_streams": len(container.streams) - len(tracks),
        "damage": list(_damage(container, film, clock.seconds, track)),
    }


def _has_no_clock(container: InputContainer, shown: Sequence[VideoFrame], track: Track) -> bool:
    """Whether its pictures have to be counted, since their times are missing or made up (H.264 in AVI)."""
    times = [frame.pts for frame in shown if frame.pts is not None]
    return (
        container.format.name in _BARE_FORMATS or track.untimed > 0
        or any(after < before for before, after in pairwise(times))
    )


def _damage(container: InputContainer, film: VideoStream, seconds: Fraction, track: Track) -> Iterator[str]:
    # A header may count frames that begin before the first whole picture; few, though. Those that AVI leaves empty,
    # which fill the span all the same; and those that an edit list hides: any number, since that is how phones cut.
    seen = max(len(track.times) + len(track.fields) + track.untimed, round(seconds * (film.average_rate or 0)))
    spare = max(2, film.frames // 100)
    if film.frames > seen + spare and film.frames > (stored := _count_stored(container.name, film.index)) + spare:
        yield f"its header promises {film.frames} frames, but {max(seen, stored)} are there"
    if track.corrupt:
        yield f"{track.corrupt} of its packets {'is' if track.corrupt == 1 else 'are'} damaged"


def _count_stored(url: str, index: int) -> int:
    """The packets of one stream of an MP4 or MOV, edit list or not; 0 for other files."""
    options = {"ignore_editlist": "1", "format_whitelist": FILM_FORMATS, "protocol_whitelist": "file"}
    with av.open(url, options=options) as container:
        if "mov" not in container.format.name:
            return 0
        return sum(packet.size > 0 for packet in packets_of(container, [container.streams[index]]))


def _sound(index: int, stream: Any, track: Track) -> dict[str, Any]:
    base: Fraction = stream.time_base or Fraction(1, 1000)
    return {
        "index": index, "codec": codec_of(stream),
        "sample_rate": getattr(stream, "sample_rate", 0) or 0, "channels": getattr(stream, "channels", 0) or 0,
        "layout": stream.layout.name if getattr(stream, "layout", None) is not None else "",
        "start": float(base * min(track.times, default=0)), "end": float(base * (track.end or 0)),
        "language": _language(stream), "title": stream.metadata.get("title"),
        "default": bool(stream.disposition & Disposition.default),
    }


def _language(stream: Stream) -> str | None:
    return stream.language if stream.language != "und" else None


def _ratio(value: Fraction) -> str:
    return f"{value.numerator}/{value.denominator}"


def tell(arguments: Sequence[str]) -> str:
    """The facts of the one file that is named, or why it is refused, as JSON."""
    try:
        path, *options = arguments
        found = examine(Path(path), sound="sound" in options, looked_at=1 if "encoded" in options else _LOOKED_AT)
    except Refused as refused:
        found = {"refused": str(refused)}
    return json.dumps(found)


def rehearse() -> None:
    """Look at a film of our own making, as at any: its decoder's tables and Python's own notes are there from then on,
    which saves each fork a sixth of its CPU.
    """
    with tempfile.TemporaryDirectory(prefix="reelflow-") as folder:
        path = Path(folder, "film.mp4")
        with av.open(str(path), "w") as film:
            stream = film.add_stream("libx264", rate=20, options={"preset": "ultrafast"})
            stream.width, stream.height, stream.pix_fmt, stream.thread_count = 64, 36, "yuv420p", 1
            for _ in range(_LOOKED_AT):
                film.mux(stream.encode(VideoFrame(64, 36, "yuv420p")))
            film.mux(stream.encode(None))
        for _ in range(2):
            tell([str(path)])


def main(arguments: Sequence[str]) -> None:
    """Print the facts of the one file that is named; with `--fork`, answer for each that is asked."""
    if arguments[0] == "--fork":
        serve(tell, rehearse)
    else:
        sys.stdout.write(tell(arguments))


if __name__ == "__main__":
    main(sys.argv[1:])
