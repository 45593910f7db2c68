"""The chains of ffmpeg filters that films go through, each a function from stream to stream.

A stream is a node of ffmpeg-python's graph; the order of its `filter` calls is the order that pictures go through.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from reelflow.media.colour import Reading
from reelflow.media.geometry import Box, Size
from reelflow.media.probe import Sound

Stream = Any  # ffmpeg-python has no types

# Pictures are asked for at their own time, not from their time on: shifting them by just under half a frame before
# rounding up takes the nearest one. Just under, so that a tie never depends on a microsecond.
NEAREST = Fraction(49, 100)


def number(value: float | Fraction) -> str:
    """A number as filters take it, to the microsecond."""
    return f"{float(value):.6f}".rstrip("0").rstrip(".")


def turn_upright(stream: Stream, turn: int, mirrored: bool) -> Stream:
    """Turn a stored picture as its Exif says; with `-noautorotate`, since the builds read Exif in different ways."""
    if mirrored:
        stream = stream.filter("hflip")
    if turn == 180:
        return stream.filter("hflip").filter("vflip")
    return stream.filter("transpose", {90: "clock", 270: "cclock"}[turn]) if turn else stream


def steady(stream: Stream, size: Size) -> Stream:
    """Pictures all of one size, where a film changes it midway; those that have it pass untouched.

    Most filters go by the first picture: of a smaller one they would read on behind its end, into other memory.
    """
    return stream.filter("scale", size.width, size.height)


def take(stream: Stream, box: Box, whole: Size) -> Stream:
    """Cut `box` out of a picture of the size `whole`."""
    return stream if box == Box(0, 0, whole.width, whole.height) else steady(stream, whole).filter(
        "crop", box.width, box.height, box.x, box.y, exact=1
    )


def at_rate(stream: Stream, rate: Fraction, *, lead: str) -> Stream:
    """Pictures at an even `rate` from 0 on; `lead` is the time that the filter takes off, as an expression.

    The last picture comes twice: 5.1 takes the end of a file for earlier than its last picture where the pictures do
    not begin with the file (MPEG-TS, a late picture in MP4), and then drops what came last.
    """
    return stream.filter("tpad", stop=1, stop_mode="clone").filter("settb", "AVTB").filter("setpts", lead).filter(
        "fps", fps=_ratio(rate), start_time=0, round="up"
    )


def smoothly(stream: Stream, rate: Fraction, step: Fraction) -> Stream:
    """Pictures at a higher `rate`, with those in between made up by motion; they came one each `step` seconds."""
    # The filter keeps the last pictures of what it gets to itself, so it gets some more.
    stream = stream.filter("tpad", stop=4, stop_mode="clone")
    return stream.filter("settb", "AVTB").filter("setpts", f"N*{step.numerator}/{step.denominator}/TB").filter(
        "minterpolate", fps=_ratio(rate), mi_mode="mci", mc_mode="aobmc", vsbmc=1
    ).filter("fps", fps=_ratio(rate), start_time=0)


def exactly(stream: Stream, frames: int) -> Stream:
    """Exactly `frames` pictures: the last one is held where there are fewer."""
    return stream.filter("tpad", stop=-1, stop_mode="clone").filter("trim", end_frame=frames)


def resized_at_rate(
    stream: Stream, size: Size, reading: Reading, rate: Fraction, *, lead: str, lowers: bool
) -> Stream:
    """Pictures of another size at another rate: none is scaled that is dropped, none is scaled twice."""
    if lowers:
        return resize(at_rate(stream, rate, lead=lead), size, reading)
    return at_rate(resize(stream, size, reading), rate, lead=lead)


def resize(stream: Stream, size: Size, reading: Reading, pixels: str = "yuv420p") -> Stream:
    """Bring a picture to `size` and to BT.709 in limited range, 4:2:0 unless other `pixels` are asked for."""
    if reading.tone_map is None:
        return stream.filter(
            "scale", size.width, size.height, flags="lanczos+accurate_rnd+full_chroma_int",
            in_color_matrix=reading.matrix, in_range=reading.range, out_color_matrix="bt709", out_range="tv",
        ).filter("format", pixels)
    colour = reading.tone_map
    span = {"pc": "full", "tv": "limited"}[colour.range or "tv"]
    if reading.odd:
        stream = stream.filter("format", "yuv444p12le")
    stream = stream.filter(
        "zscale", w=size.width, h=size.height, f="lanczos", min=colour.matrix, rin=span, tin=colour.transfer,
        pin=colour.primaries, t="linear", npl=203,
    ).filter("format", "gbrpf32le").filter("zscale", p="709")
    if colour.hdr is not None:
        stream = stream.filter("tonemap", "mobius", desat=0)
    return stream.filter("zscale", t="709", m="709", r="limited").filter("format", pixels)


def tag(stream: Stream) -> Stream:
    """Say what the picture now is, and drop what came along with it (rotation, HDR figures, captions)."""
    return stream.filter("sidedata", "delete").filter("setsar", 1).filter(
        "setparams", field_mode="prog", range="tv", color_primaries="bt709", color_trc="bt709", colorspace="bt709"
    )


def as_rgb(stream: Stream) -> Stream:
    """RGB from BT.709 in limited range."""
    return stream.filter(
        "scale", flags="bicubic+accurate_rnd+full_chroma_int", in_color_matrix="bt709", in_range="tv"
    ).filter("format", "rgb24")


def resized_rgb(stream: Stream, size: Size) -> Stream:
    """A picture in RGB at another size."""
    return stream.filter("scale", size.width, size.height, flags="lanczos+accurate_rnd").filter("format", "rgb24")


def as_overlay(stream: Stream, opacity: float = 1.0) -> Stream:
    """A picture with transparency, in the colours of the film that it is laid over (BT.709, limited range)."""
    stream = stream.filter("format", "rgba")
    if opacity < 1:
        stream = stream.filter("colorchannelmixer", aa=number(opacity))
    return stream.filter(
        "scale", flags="accurate_rnd+full_chroma_int", out_color_matrix="bt709", out_range="tv"
    ).filter("format", "yuva444p")


def resized_with_alpha(stream: Stream, size: Size) -> Stream:
    """A picture with transparency at another size, without the colour of what can't be seen at its edges."""
    return stream.filter("format", "gbrap").filter("premultiply", inplace=1).filter(
        "scale", size.width, size.height, flags="lanczos+accurate_rnd"
    ).filter("unpremultiply", inplace=1)


def held(stream: Stream, rate: Fraction, frames: int) -> Stream:
    """One picture, seen for so many frames."""
    return stream.filter("loop", loop=frames - 1, size=1).filter(
        "settb", f"{rate.denominator}/{rate.numerator}"
    ).filter("setpts", "N")


def as_jpeg(stream: Stream) -> Stream:
    """What JPEG holds, from RGB: BT.601 in full range, and tagged so, since encoders go by the tag."""
    return stream.filter("scale", out_color_matrix="bt601", out_range="pc").filter("format", "yuvj420p").filter(
        "setparams", range="pc", colorspace="bt470bg"
    )


def as_webp(stream: Stream) -> Stream:
    """What WebP holds, from RGB: BT.601 in limited range."""
    return stream.filter("scale", out_color_matrix="bt601", out_range="tv").filter("format", "yuv420p").filter(
        "setparams", range="tv", colorspace="smpte170m"
    )


# What the encoders take: where the channels stand, and how many samples at once.
_LAYOUTS = {"aac": "mono|stereo|3.0|4.0|5.0|5.1|7.1", "opus": "mono|stereo|3.0|quad|5.0|5.1|6.1|7.1"}
_SAMPLES_AT_ONCE = {"aac": 1024, "opus": 960}


def sound_of_span(stream: Stream, sound: Sound, *, seconds: float, codec: str) -> Stream:
    """A sound track from 0 on, exactly `seconds` long, silent where it has none, in a layout that `codec` has."""
    stream = stream.filter("atrim", start=0, end=number(seconds)).filter(
        "aresample", **{"async": 1, "first_pts": 0}
    )
    if sound.channels > 2 or not sound.layout:
        stream = stream.filter("aformat", channel_layouts=_LAYOUTS[codec])
    return lasting(stream, seconds)


def lasting(stream: Stream, seconds: float) -> Stream:
    """A sound track exactly `seconds` long: cut, or silent at its end."""
    return stream.filter("apad").filter("atrim", end=number(seconds))


def for_encoder(stream: Stream, codec: str) -> Stream:
    """Sound in the portions that `codec`'s encoder takes.

    Where a track has no sound at all in its span, 5.1 hands the encoder more than that.
    """
    return stream.filter("asetnsamples", _SAMPLES_AT_ONCE[codec], pad=0)


def sound_between(stream: Stream, start: Fraction, end: Fraction) -> Stream:
    """A sound track that begins at 0, from `start` up to `end` (seconds), on a clock that begins at 0 again."""
    return stream.filter("atrim", start=number(start), end=number(end)).filter("asetpts", "PTS-STARTPTS")


def sound_lasting(stream: Stream, seconds: Fraction) -> Stream:
    """A sound track of exactly so many seconds: cut, or followed by silence."""
    return stream.filter("apad").filter("atrim", end=number(seconds))


def sound_like(stream: Stream, channels: int) -> Stream:
    """A sound track at 48 kHz, with so many channels (stereo where there is no usual layout of as many)."""
    layouts = {1: "mono", 2: "stereo", 3: "3.0", 4: "4.0", 5: "5.0", 6: "5.1", 8: "7.1"}
    return stream.filter("aformat", sample_rates=48000, channel_layouts=layouts.get(channels, "stereo"))


def in_deep_rgb(stream: Stream) -> Stream:
    """RGB from BT.709 in limited range, such that nothing is lost on the way there and back.

    A sample of colour is taken for its four pixels as it is: what is smoothed here is not sharp again afterwards.
    """
    return stream.filter(
        "scale", flags="neighbor+accurate_rnd+full_chroma_int+full_chroma_inp", in_color_matrix="bt709", in_range="tv"
    ).filter("format", "gbrp12le")


def from_deep_rgb(stream: Stream, pixels: str) -> Stream:
    """BT.709 in limited range from RGB."""
    return stream.filter(
        "scale", flags="area+accurate_rnd+full_chroma_int", out_color_matrix="bt709", out_range="tv"
    ).filter("format", pixels)


def _ratio(rate: Fraction) -> str:
    return str(rate.numerator) if rate.denominator == 1 else f"{rate.numerator}/{rate.denominator}"
