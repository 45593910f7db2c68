"""What the packets of a stream tell, without a picture being decoded; only in the probe's child, like PyAV itself.

Broadcasters' H.264 often sends a frame as two pictures, a field each (PAFF), and ffmpeg's demuxers give each of them a
packet of its own, with or without a time. So a second field is told from a frame by where it lies: straight behind the
first one and half a frame later.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

_OFF = Fraction(1, 10)  # of half a frame: clocks of milliseconds


@dataclass(slots=True)
class Track:
    """What the packets of one stream tell: presentation times in the stream's ticks, and the last one's length.

    `half` is half a frame in ticks, where frames may come as two fields; `fields` are the times of what looks like a
    second one (None: it has no time).
    """

    half: Fraction | None = None
    times: list[int] = field(default_factory=list)
    fields: list[int | None] = field(default_factory=list)
    untimed: int = 0
    hidden: int = 0
    corrupt: int = 0
    end: int | None = None
    latest: int | None = None
    jumps: int = 0
    before: int | None = None

    def note(self, packet: Packet[Any]) -> None:
        """Count one packet more."""
        if packet.is_corrupt:
            self.corrupt += 1
        if packet.is_discard:
            self.hidden += 1
        if packet.is_discard or not packet.size or _is_hidden(packet):
            return
        if self._is_second_field(packet):
            self.before = None
            self.fields.append(packet.pts)
        else:
            self.before = packet.pts
            if packet.pts is None:
                self.untimed += 1
            else:
                self.times.append(packet.pts)
        if packet.pts is None:
            return
        if packet.dts is not None:
            self.jumps += self.latest is not None and packet.dts < self.latest
            self.latest = packet.dts
        end = packet.pts + (packet.duration or 0)
        self.end = end if self.end is None else max(self.end, end)

    def _is_second_field(self, packet: Packet[Any]) -> bool:
        if self.half is None or self.before is None:
            return False
        later = packet.duration or 0 if packet.pts is None else packet.pts - self.before
        return abs(later - self.half) <= self.half * _OFF

    def without_fields(self) -> None:
        """Take what looked like second fields for frames after all."""
        self.untimed += self.fields.count(None)
        self.times += [time for time in self.fields if time is not None]
        self.fields = []


def half_a_frame(film: VideoStream) -> Fraction | None:
    """Half a frame in ticks, by the film's own word; None where each packet is a frame."""
    context = film.codec_context
    if codec_of(film) != "h264" or not context.framerate or not film.time_base:
        return None
    return 1 / (2 * context.framerate * film.time_base)


def packets_of(container: InputContainer, followed: Sequence[Stream]) -> Iterator[Packet[Any]]:
    """All packets up to the end, or up to where the file is broken: what comes before is the clip that there is."""
    packets = container.demux(*followed)
    while True:
        try:
            packet = next(packets)
        except (StopIteration, av.FFmpegError):
            return
        if packet.size or packet.pts is not None:
            yield packet


def codec_of(stream: Stream) -> str:
    """The codec's name, and not its decoder's, which for MP3 is `mp3float`."""
    return stream.codec_context.codec.canonical_name if stream.codec_context is not None else "unknown"


def _is_hidden(packet: Packet[Any]) -> bool:
    """Whether it is one of VP8's reference pictures that are never shown: the fifth bit of its header says so."""
    return packet.stream.type == "video" and codec_of(packet.stream) == "vp8" and not bytes(packet)[0] >> 4 & 1
