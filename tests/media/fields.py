"""H.264 whose frames come as two pictures, a field each (PAFF), as broadcasters send it and no encoder at hand does.

Written bit by bit after ITU-T H.264, 7.3: intra pictures of samples as they are (I_PCM), so that nothing is encoded.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import av
import numpy as np
from numbered import draw

Packets = Literal["each", "both", "mixed"]

_GROUP = 12  # frames from one that can be begun with to the next
_CLOCK = 90_000


class _Bits:
    def __init__(self, *fields: tuple[int, int] | int) -> None:
        """`(bits, value)` is a number of so many bits, a bare number one of exp-Golomb's."""
        self._bits: list[int] = []
        self.put(*fields)

    def put(self, *fields: tuple[int, int] | int) -> None:
        for one in fields:
            count, value = one if isinstance(one, tuple) else (2 * (one + 1).bit_length() - 1, one + 1)
            self._bits += [value >> (count - 1 - index) & 1 for index in range(count)]

    def put_bytes(self, content: bytes) -> None:
        self._bits += [0] * (-len(self._bits) % 8)
        self._bits += np.unpackbits(np.frombuffer(content, np.uint8)).tolist()

    def unit(self, importance: int, kind: int) -> bytes:
        """The bits as a NAL unit, closed, with its start code and what keeps others from being seen in it."""
        bits = [*self._bits, 1]
        content = np.packbits(np.array(bits + [0] * (-len(bits) % 8), np.uint8)).tobytes()
        made, zeros = bytearray(), 0
        for byte in content:
            if zeros >= 2 and byte <= 3:
                made.append(3)
                zeros = 0
            made.append(byte)
            zeros = 0 if byte else zeros + 1
        return b"\0\0\0\1" + bytes([importance << 5 | kind]) + bytes(made)


def _delimiter() -> bytes:
    return _Bits((3, 0)).unit(0, 9)


def _headers(width: int, height: int, rate: int) -> bytes:
    """Main profile, level 3; frames may be fields; POC as decoded; the rate in the usability information."""
    sequence = _Bits((8, 77), (8, 0), (8, 30), 0, 4, 2, 1, (1, 0), width // 16 - 1, height // 32 - 1, (1, 0), (1, 0),
                     (1, 1), (1, 0), (1, 1), (4, 0), (1, 1), (32, 1), (32, 2 * rate), (1, 1), (4, 0))
    picture = _Bits(0, 0, (2, 0), 0, 0, 0, (3, 0), 0, 0, 0, (3, 4))
    return sequence.unit(3, 7) + picture.unit(3, 8)


def _picture(luma: np.ndarray[Any, Any], number: int, field: tuple[int, int], *, begins: bool) -> bytes:
    """One picture of one slice; `field` is the field's flags: none, the top one, the bottom one."""
    slice_ = _Bits(0, 7, 0, (8, number), field)
    slice_.put(*((0, (2, 0)) if begins else ((1, 0),)), 0, 1)
    for top in range(0, luma.shape[0], 16):
        for left in range(0, luma.shape[1], 16):
            slice_.put(25)
            slice_.put_bytes(luma[top:top + 16, left:left + 16].tobytes() + b"\x80" * 128)
    return slice_.unit(3, 5 if begins else 1)


def write_fields(
    path: Path, *, frames: int = 25, rate: int = 25, size: tuple[int, int] = (160, 96),
    packets: Packets = "each",
) -> Path:
    """Numbered frames, each two fields: `each` in a packet of its own, `both` in one, or every third frame whole."""
    width, height = size
    step = _CLOCK // rate
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate, width=width, height=height, pix_fmt="yuv420p")
        stream.codec_context.extradata = _headers(width, height, rate)
        stream.time_base = Fraction(1, _CLOCK)
        for index in range(frames):
            luma = draw(index, width, height)[..., 0]
            number, begins = index % _GROUP, index % _GROUP == 0
            head = _delimiter() + (_headers(width, height, rate) if begins else b"")
            if packets == "mixed" and index % 3 == 2:
                pieces = [head + _picture(luma, number, (1, 0), begins=begins)]
            else:
                pieces = [head + _picture(luma[0::2], number, (2, 2), begins=begins),
                          _delimiter() + _picture(luma[1::2], number, (2, 3), begins=False)]
            if packets == "both":
                pieces = [b"".join(pieces)]
            for place, piece in enumerate(pieces):
                packet = av.Packet(piece)
                packet.stream, packet.time_base = stream, Fraction(1, _CLOCK)
                packet.pts = packet.dts = index * step + place * step // 2
                packet.duration = step // len(pieces)
                packet.is_keyframe = begins and place == 0
                container.mux(packet)
    return path
