"""What a finished film is written as: container by its name's suffix, codec and quality by choice."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from reelflow.choices import Codec, Quality
from reelflow.errors import BadInput
from reelflow.media.geometry import Size
from reelflow.media.probe import Sound


@dataclass(frozen=True, slots=True)
class Container:
    """A kind of file: ffmpeg's `muxer`, what may go in, and what sound that doesn't fit becomes; `timed` ones hold a
    timecode.
    """

    muxer: str
    codecs: tuple[Codec, ...]
    sounds: frozenset[str]
    fallback: str
    faststart: bool
    timed: bool = True

    def takes(self, codec: str, wanted: Codec | None) -> bool:
        """Whether pictures in `codec` (ffmpeg's name) can be copied into it where `wanted` is asked for."""
        named = next((one for one in Codec if one.value == codec), None)
        return named in self.codecs and wanted in (None, named)


_PCM = ("pcm_s16le", "pcm_s24le")
_MP4 = Container("mp4", (Codec.H264, Codec.HEVC, Codec.AV1), frozenset({"aac", "mp3", "opus"}), "aac", True)
_CONTAINERS = {
    ".mp4": _MP4,
    ".m4v": _MP4,
    ".mov": Container("mov", (Codec.H264, Codec.HEVC, Codec.PRORES), frozenset({"aac", "mp3", *_PCM}), "aac", True),
    ".mkv": Container("matroska", tuple(Codec), frozenset(
        {"aac", "mp3", "opus", "vorbis", "flac", "ac3", "eac3", "dts", *_PCM}), "aac", False),
    ".webm": Container("webm", (Codec.AV1,), frozenset({"opus", "vorbis"}), "opus", False, timed=False),
}
FILM_SUFFIXES = tuple(_CONTAINERS)
_CRF = {
    Codec.HEVC: {Quality.SMALL: 26, Quality.GOOD: 19, Quality.BEST: 14},
    Codec.AV1: {Quality.SMALL: 38, Quality.GOOD: 26, Quality.BEST: 18},
}
QUICK_H264: dict[str, Any] = {"c:v": "libx264", "preset": "superfast", "crf": 14, "mbtree": 1, "rc-lookahead": 10}
"""How films are written unless something else is asked for. `superfast` leaves x264's tree of what is used again
(mbtree) away: with it, and ten frames to look ahead, it is no worse than `veryfast` with the same crf, in little more
than half of its CPU and with 3 to 10 % more bytes (by VMAF, on a drawn clip and two natural ones; benchmarks/README.md
has the table)."""

_X264 = {
    Quality.SMALL: {"c:v": "libx264", "preset": "fast", "crf": 24},
    Quality.GOOD: QUICK_H264,
    Quality.BEST: {"c:v": "libx264", "preset": "fast", "crf": 12},
}
# Pixels a side; libx265 refuses less, and so does the libsvtav1 of ffmpeg 5.1 (not that of 9.0).
_LEAST_SIDE = {Codec.HEVC: 16, Codec.AV1: 64}
_PRORES_PROFILE = {Quality.SMALL: 1, Quality.GOOD: 3, Quality.BEST: 4}
_SOUND_ENCODERS = {"aac": "aac", "opus": "libopus"}
_LOWEST_MP3_IN_MP4 = 16_000  # samples a second
_NAMES = {"aac": "AAC", "opus": "Opus"}


@dataclass(frozen=True, slots=True)
class Encoding:
    """Output options of the finished film's pictures and container, and the pixels that its encoder takes."""

    container: Container
    codec: Codec
    pixels: str
    options: dict[str, Any]

    def check_size(self, size: Size) -> None:
        """Refuse pictures that the encoder does not take. Raises BadInput."""
        least = _LEAST_SIDE.get(self.codec, 0)
        if min(size.width, size.height) < least:
            raise BadInput(f"A film of {size.width}x{size.height} is too small for {self.codec}, which takes {least} "
                           "pixels a side or more: name another codec, or a larger size.", field="codec")


@dataclass(frozen=True, slots=True)
class SoundOut:
    """One of the source's sound tracks and what it becomes: copied, or encoded as `codec`."""

    track: Sound
    copied: bool
    codec: str

    def options(self, position: int) -> dict[str, Any]:
        """Output options for this track as the film's `position`-th."""
        made: dict[str, Any] = {f"c:a:{position}": "copy" if self.copied else _SOUND_ENCODERS[self.codec]}
        if not self.copied:
            per_channel = 96_000 if self.codec == "aac" else 64_000
            made[f"b:a:{position}"] = per_channel * max(1, min(self.track.channels, 8))
        if self.track.default and not self.copied:
            # A copy keeps that by itself; of what goes through a filter ffmpeg takes the first track for it.
            made[f"disposition:a:{position}"] = "default"
        if self.track.language:
            made[f"metadata:s:a:{position}"] = f"language={self.track.language}"
        return made


def choose_container(destination: PurePath) -> Container:
    """The container for a name. Raises BadInput for a suffix that isn't one of a film's."""
    found = _CONTAINERS.get(destination.suffix.lower())
    if found is None:
        raise BadInput(
            f"{destination.name!r} does not end in {', '.join(_CONTAINERS)}: the name says which kind of file is made.",
            field="output",
        )
    return found


def choose_encoding(destination: PurePath, codec: str | None = None, quality: str | None = None) -> Encoding:
    """How to write a film named `destination`; without a codec, H.264, or AV1 where the container takes only that.

    Raises:
        BadInput: the suffix, the codec or the quality is unknown, or the container can't hold the codec.
    """
    container = choose_container(destination)
    try:
        chosen = Codec(codec) if codec is not None else container.codecs[0]
    except ValueError:
        raise BadInput(f"The codec {codec!r} is not one of {', '.join(Codec)}.", field="codec") from None
    try:
        grade = Quality(quality) if quality is not None else Quality.GOOD
    except ValueError:
        raise BadInput(f"The quality {quality!r} is not one of {', '.join(Quality)}.", field="quality") from None
    if chosen not in container.codecs:
        raise BadInput(
            f"{destination.name!r} can't hold {chosen}: a {destination.suffix} file takes "
            f"{' or '.join(container.codecs)}.", field="codec",
        )
    options: dict[str, Any] = {"f": container.muxer}
    if container.faststart:
        options["movflags"] = "+faststart"
    if chosen is Codec.PRORES:
        profile = _PRORES_PROFILE[grade]
        pixels = "yuv444p10le" if profile == 4 else "yuv422p10le"
        options |= {"c:v": "prores_ks", "profile:v": profile, "vendor": "apl0"}
        return Encoding(container, chosen, pixels, options)
    if chosen is Codec.H264:
        return Encoding(container, chosen, "yuv420p", options | _X264[grade])
    options["crf"] = _CRF[chosen][grade]
    if chosen is Codec.HEVC:
        # Without this tag Apple's players show nothing.
        named = {"tag:v": "hvc1"} if container.muxer in ("mp4", "mov") else {}
        return Encoding(container, chosen, "yuv420p", options | {
            "c:v": "libx265", "preset": "fast", "x265-params": "log-level=error", **named})
    return Encoding(container, chosen, "yuv420p", options | {"c:v": "libsvtav1", "preset": 8})


_WEBP_QUALITY = {Quality.SMALL: 45, Quality.GOOD: 70, Quality.BEST: 88}


def moving_options(destination: PurePath, quality: Quality) -> dict[str, Any]:
    """Output options of a moving picture, a WebP or a GIF, that goes round for ever."""
    bare = {"map_metadata": -1, "map_chapters": -1, "fps_mode": "passthrough", "loop": 0}
    if destination.suffix.lower() == ".gif":
        return {"c:v": "gif", **bare, "f": "gif"}
    return {"c:v": "libwebp_anim", "quality": _WEBP_QUALITY[quality], "compression_level": 4, **bare, "f": "webp"}


def choose_sounds(
    tracks: tuple[Sound, ...], container: Container, *, trimmed: bool, encoded: frozenset[int] = frozenset()
) -> tuple[SoundOut, ...]:
    """What becomes of each track. A trimmed one is encoded: a copy would begin at a packet, not at the cut.

    `encoded` are the numbers of those that could not be copied.
    """
    return tuple(
        SoundOut(track, True, track.codec) if _holds(container, track) and not trimmed and track.index not in encoded
        else SoundOut(track, False, container.fallback)
        for track in tracks
    )


def _holds(container: Container, track: Sound) -> bool:
    """Whether a container takes a track as it is."""
    slow_mp3 = track.codec == "mp3" and container.muxer == "mp4" and track.sample_rate < _LOWEST_MP3_IN_MP4
    return track.codec in container.sounds and not slow_mp3


def sound_warnings(sounds: tuple[SoundOut, ...], destination: PurePath) -> tuple[str, ...]:
    """A sentence for each track that its container can't hold as it was. What a cut costs goes without saying."""
    container = choose_container(destination)
    return tuple(
        f"Sound track {sound.track.index + 1} ({sound.track.codec}) was encoded anew as {_NAMES[sound.codec]}, since "
        f"{destination.suffix} files are not made with {sound.track.codec}"
        + (f" of {sound.track.sample_rate} Hz." if sound.track.codec in container.sounds else ".")
        for sound in sounds if not _holds(container, sound.track)
    )
