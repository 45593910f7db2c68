"""A generator of films that real life has: each a name, how to make it, and what must become of it. Made once."""

from __future__ import annotations

import os
import struct
import subprocess
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from fields import Packets, write_fields
from numbered import write_numbered


def later(*values: Any) -> list[Any]:
    """Parameters for `make test-all`; a few like them are enough each time."""
    return [pytest.param(value, marks=pytest.mark.slow) for value in values]


# Films that are tried each time; the others in `make test-all`.
OFTEN = {
    "plain.mp4", "odd-size.mkv", "one-frame.mp4", "tape.mp4", "phone.mov", "mirrored.mp4", "interlaced.mpg",
    "hdr-hlg.mp4", "full-range.mp4", "moving.gif", "prores.mov", "vp8.webm", "broadcast.ts", "5.1.mkv",
    "short-sound.mp4", "two-languages.mkv", "edit-list.mp4", "cover-first.mp4", "cut-off.mp4", "flipped-bits.mp4",
    "two-sizes.ts", "fields.ts", "pairs-of-fields.ts",
    "hdr-odd.mkv", "unheard-of.mp4", "cut-without-encoding.mp4", "held-still.mp4", "no-times.avi",
}
PICTURE = "testsrc2=s=160x90:r=25:d=1"
SOUND = "sine=f=440:r=48000:d=1"


@dataclass(frozen=True)
class Nasty:
    """One nasty input. `refused` is a part of the sentence; else what the finished film is like, and its warnings."""

    name: str
    make: Callable[[Path, Path], None]  # ffmpeg, destination
    size: tuple[int, int] = (160, 90)
    frames: int = 25
    rate: Fraction = Fraction(25)
    sounds: int = 0
    refused: str | None = None
    warned: str | None = None
    start: float | None = None
    about: dict[str, object] = field(default_factory=dict)  # fields of its Probe


def run(ffmpeg: Path, *arguments: str | Path) -> None:
    subprocess.run(
        [ffmpeg, "-nostdin", "-loglevel", "error", "-y", *map(str, arguments)], check=True, timeout=60,
        stdin=subprocess.DEVNULL,
    )


def encoded(*options: str, picture: str = PICTURE, sound: str | None = None) -> Callable[[Path, Path], None]:
    """Made by ffmpeg from lavfi sources with these output options."""
    def make(ffmpeg: Path, path: Path) -> None:
        beside = ["-f", "lavfi", "-i", sound] if sound else []
        run(ffmpeg, "-f", "lavfi", "-i", picture, *beside, *options, path)
    return make


def written(content: bytes) -> Callable[[Path, Path], None]:
    return lambda _, path: path.write_bytes(content) and None  # type: ignore[func-returns-value]


def hurt(change: Callable[[bytearray], bytearray], *options: str, sound: str | None = None) -> Callable[
        [Path, Path], None]:
    """Made by ffmpeg, then changed byte by byte."""
    def make(ffmpeg: Path, path: Path) -> None:
        encoded("-c:v", "libx264", "-preset", "ultrafast", *options, sound=sound)(ffmpeg, path)
        path.write_bytes(change(bytearray(path.read_bytes())))
    return make


def flip_bits(content: bytearray) -> bytearray:
    start = content.find(b"mdat")
    for index in range(start + 8000, len(content) - 2000, 900):
        content[index] ^= 0x5A
    return content


def numbered(**asked: object) -> Callable[[Path, Path], None]:
    return lambda _, path: write_numbered(path, **asked) and None  # type: ignore[func-returns-value,arg-type]


def fields(packets: Packets) -> Callable[[Path, Path], None]:
    return lambda _, path: write_fields(path, packets=packets) and None  # type: ignore[func-returns-value]


def with_cover(*options: str) -> Callable[[Path, Path], None]:
    def make(ffmpeg: Path, path: Path) -> None:
        cover = path.with_name("cover.png")
        run(ffmpeg, "-f", "lavfi", "-i", "color=red:s=64x64", "-frames:v", "1", cover)
        run(ffmpeg, "-i", cover, "-f", "lavfi", "-i", PICTURE, "-f", "lavfi", "-i", SOUND, *options, path)
        cover.unlink()
    return make


def changing_size(ffmpeg: Path, path: Path) -> None:
    parts = [path.with_name(f"{path.stem}{index}.ts") for index in (1, 2)]
    for part, size, after in zip(parts, ("160x90", "200x112"), (0, 0.6), strict=True):
        run(ffmpeg, "-f", "lavfi", "-i", f"testsrc2=s={size}:r=25:d=0.6", "-c:v", "libx264", "-bf", "0",
            "-output_ts_offset", str(after), part)
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    for part in parts:
        part.unlink()


def with_hole(ffmpeg: Path, path: Path) -> None:
    write_numbered(path, times=[0, 0.04, 0.08, 45.0, 45.04], sound=None)


def far_header(_: Path, path: Path) -> None:
    """A PNG that says that it is 60000 pixels wide and high."""
    head = b"IHDR" + struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    check = struct.pack(">I", zlib.crc32(head))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + head + check + b"\0\0\0\0IDAT")


def unheard_of(ffmpeg: Path, path: Path) -> None:
    """A phone's film with a second sound track in a codec that no ffmpeg reads (Apple's spatial sound)."""
    write_numbered(path, frames=25)
    content = path.read_bytes()
    path.write_bytes(content.replace(b"mp4a", b"apac").replace(b"esds", b"dapa"))


def cut_without_encoding(ffmpeg: Path, path: Path) -> None:
    """As phones cut: all that comes before, from the key frame on, is in the file, and an edit list hides it."""
    whole = path.with_name("whole.mp4")
    write_numbered(whole, frames=50, options={"g": "50", "bf": "0", "crf": "12"})
    run(ffmpeg, "-ss", "1", "-i", whole, "-c", "copy", path)
    whole.unlink()


HDR = "color_primaries=bt2020:color_trc=smpte2084:range=tv"
X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")

NASTY = (
    Nasty("plain.mp4", encoded(*X264)),
    Nasty("sound.mp4", encoded(*X264, "-c:a", "aac", sound=SOUND), sounds=1),
    Nasty("odd-size.mkv", encoded("-c:v", "ffv1", picture="testsrc=s=161x91:r=25:d=1"), size=(162, 92)),
    Nasty("tiny.mkv", encoded("-c:v", "ffv1", picture="testsrc2=s=16x8:r=25:d=1"), size=(16, 8)),
    Nasty("one-frame.mp4", encoded(*X264, "-frames:v", "1"), frames=1),
    Nasty("two-frames.mp4", encoded(*X264, "-frames:v", "2"), frames=2),
    Nasty("wide.mp4", encoded(*X264, picture="testsrc2=s=400x40:r=25:d=1"), size=(400, 40)),
    Nasty("tall.mp4", encoded(*X264, picture="testsrc2=s=40x400:r=25:d=1"), size=(40, 400)),
    Nasty("tape.mp4", encoded(*X264, "-vf", "setsar=16/11", picture="testsrc2=s=144x116:r=25:d=1"), size=(210, 116)),
    Nasty("narrow-pixels.mp4", encoded(*X264, "-vf", "setsar=8/9", picture="testsrc2=s=144x96:r=25:d=1"),
          size=(128, 96)),
    Nasty("phone.mov", numbered(turn=90, size=(90, 160), frames=25), size=(90, 160), sounds=1, about={"turn": 90}),
    Nasty("mirrored.mp4", numbered(turn=270, mirrored=True, size=(90, 160), frames=25), size=(90, 160), sounds=1),
    Nasty("upside-down.mkv", numbered(turn=180, frames=25), sounds=1, about={"turn": 180}),
    Nasty("interlaced.mpg", encoded(
        "-vf", "tinterlace=4,setfield=tff", "-c:v", "mpeg2video", "-flags", "+ilme+ildct", "-b:v", "2M",
        picture="testsrc2=s=160x96:r=50:d=1.2"), size=(160, 96), frames=30, warned="interlaced",
        about={"interlaced": True}),
    Nasty("hdr-pq.mkv", encoded(
        "-vf", "format=yuv420p10le,setparams=color_primaries=bt2020:color_trc=smpte2084:colorspace=bt2020nc:range=tv",
        "-c:v", "ffv1"), warned="HDR", about={"bits": 10}),
    *(Nasty(name, fields(packets), size=(160, 96), warned="interlaced", about={"interlaced": True})
      for name, packets in (
        ("fields.ts", "each"), ("fields.mp4", "each"), ("fields.mkv", "each"), ("pairs-of-fields.ts", "both"),
        ("fields-and-frames.ts", "mixed"))),
    Nasty("hdr-hlg.mp4", encoded(
        "-vf", "format=yuv420p10le,setparams=color_primaries=bt2020:color_trc=arib-std-b67:colorspace=bt2020nc",
        "-c:v", "libx265", "-x265-params", "log-level=error"), warned="HDR"),
    Nasty("wide-colours.mkv", encoded(
        "-vf", "format=yuv422p10le,setparams=color_primaries=bt2020:color_trc=bt709:colorspace=bt2020nc:range=tv",
        "-c:v", "ffv1"), warned="10 bits a colour", about={"bits": 10}),
    Nasty("hdr-odd.mkv", encoded(
        "-vf", f"format=yuv420p10le,setparams={HDR}:colorspace=bt2020nc", "-c:v", "ffv1",
        picture="testsrc=s=161x91:r=25:d=1"), size=(162, 92), warned="HDR"),
    Nasty("hdr-constant.mkv", encoded(
        "-vf", f"format=yuv420p10le,setparams={HDR}:colorspace=bt2020c", "-c:v", "ffv1"), warned="HDR"),
    Nasty("old-gamma.mkv", encoded(
        "-vf", "format=yuv420p10le,setparams=color_primaries=bt2020:color_trc=bt470m:colorspace=bt2020nc:range=tv",
        "-c:v", "ffv1"), warned="10 bits a colour", about={"bits": 10}),
    Nasty("full-range.mp4", encoded("-c:v", "libx264", "-vf", "scale=out_range=pc,format=yuvj420p")),
    Nasty("rgb.mkv", encoded("-c:v", "ffv1", "-pix_fmt", "gbrp")),
    Nasty("grey.mkv", encoded("-c:v", "ffv1", "-pix_fmt", "gray")),
    Nasty("444.mp4", encoded("-c:v", "libx264", "-pix_fmt", "yuv444p")),
    Nasty("alpha.mov", encoded("-c:v", "png", "-pix_fmt", "rgba"), warned="seen through"),
    Nasty("alpha.webm", encoded("-c:v", "libvpx-vp9", "-deadline", "realtime", "-pix_fmt", "yuva420p"),
          warned="seen through", about={"pixels": "yuva420p"}),
    Nasty("prores.mov", encoded("-c:v", "prores_ks", "-pix_fmt", "yuv422p10le", "-c:a", "pcm_s24le", sound=SOUND),
          sounds=1, warned="pcm_s24le"),
    Nasty("moving.gif", encoded(picture="testsrc2=s=160x90:r=10:d=1"), frames=10, rate=Fraction(10)),
    Nasty("old.avi", encoded("-c:v", "mpeg4", "-bf", "2", "-c:a", "mp3", sound=SOUND), sounds=1),
    Nasty("motion.avi", encoded("-c:v", "mjpeg", "-c:a", "pcm_s16le", sound=SOUND), sounds=1, warned="pcm_s16le"),
    Nasty("slow-mp3.avi", encoded("-c:v", "mpeg4", "-c:a", "mp3", "-ar", "11025", sound=SOUND), frames=28, sounds=1,
          warned="mp3 of 11025 Hz"),
    Nasty("no-times.avi", numbered(frames=25, sound="mp3", options={"bf": "3", "crf": "12"}), sounds=1,
          about={"numbered": True, "varies": False}),
    Nasty("bare.m2v", encoded("-c:v", "mpeg2video", "-bf", "2", "-b:v", "2M"), about={"numbered": True}),
    Nasty("film.flv", encoded("-c:v", "flv1", "-c:a", "mp3", "-ar", "44100", sound=SOUND), sounds=1),
    Nasty("film.wmv", encoded("-c:v", "wmv2", "-c:a", "wmav2", "-b:v", "1M", sound=SOUND), sounds=1, warned="wmav2"),
    Nasty("vp8.webm", encoded("-c:v", "libvpx", "-deadline", "realtime", "-auto-alt-ref", "1", "-c:a", "libvorbis",
                              sound=SOUND), sounds=1, warned="vorbis"),
    Nasty("vp9.webm", encoded("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-c:a", "libopus",
                              sound=SOUND), sounds=1),
    Nasty("av1.mkv", encoded("-c:v", "libsvtav1", "-preset", "12")),
    Nasty("hevc.mp4", encoded("-c:v", "libx265", "-x265-params", "log-level=error:bframes=4")),
    Nasty("bare.h264", encoded(*X264, "-bf", "0", "-f", "h264")),
    Nasty("broadcast.ts", encoded(*X264, "-c:a", "mp2", "-muxdelay", "1.4", sound=SOUND), sounds=1, warned="mp2"),
    Nasty("5.1.mkv", encoded(*X264, "-ac", "6", "-c:a", "ac3", sound=SOUND), sounds=1, warned="ac3"),
    Nasty("8-channels.mov", encoded(*X264, "-af", "aformat=channel_layouts=7.1", "-c:a", "pcm_s16le", sound=SOUND),
          sounds=1, warned="pcm_s16le"),
    Nasty("no-sound-packets.mkv", encoded(*X264, "-map", "0", "-map", "1", "-af", "atrim=start=5", "-c:a", "ac3",
                                          sound=SOUND), sounds=1, warned="ac3"),
    Nasty("unheard-of.mp4", unheard_of, sounds=0, warned="could not be read and was left away"),
    Nasty("cut-without-encoding.mp4", cut_without_encoding, sounds=1, about={"hidden": 25}),
    Nasty("low-rate-sound.mkv", encoded(*X264, "-ar", "11025", "-c:a", "flac", sound=SOUND), sounds=1, warned="flac"),
    Nasty("short-sound.mp4", encoded(*X264, "-c:a", "aac", sound="sine=d=0.3"), sounds=1),
    Nasty("two-languages.mkv", encoded(
        *X264, "-map", "0", "-map", "1", "-map", "1", "-c:a:0", "aac", "-c:a:1", "libopus",
        "-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=deu", sound=SOUND), sounds=2),
    Nasty("edit-list.mp4", numbered(rate=25, frames=25, late=0.4, sound_late=0.0), sounds=1),
    Nasty("cover-first.mp4", with_cover(
        "-map", "0", "-map", "1", "-map", "2", "-c:v:0", "png", "-disposition:v:0", "attached_pic", "-c:v:1", "libx264",
        "-c:a", "aac"), sounds=1),
    Nasty("timecode.mov", encoded(*X264, "-timecode", "01:00:00:00")),
    Nasty("held-still.mp4", encoded(*X264, "-c:a", "aac", picture="testsrc2=s=160x90:r=1/2:d=2", sound="sine=d=2"),
          frames=50, sounds=1, about={"frames": 1, "seconds": 2.0}),
    Nasty("slow.mp4", encoded(*X264, picture="testsrc2=s=160x90:r=1:d=4"), frames=4, rate=Fraction(1)),
    Nasty("fast.mp4", encoded(*X264, picture="testsrc2=s=160x90:r=120:d=0.5"), frames=60, rate=Fraction(120)),
    Nasty("fine-clock.mp4", encoded(*X264, "-video_track_timescale", "1000000")),
    Nasty("two-sizes.ts", changing_size, frames=30, warned="damaged"),
    Nasty("wrong-name.txt", encoded(*X264, "-f", "mp4")),
    Nasty("cut-off.mp4", hurt(lambda whole: whole[:len(whole) * 6 // 10], "-movflags", "+faststart", "-g", "5"),
          frames=-1, warned="damaged"),
    Nasty("flipped-bits.mp4", hurt(flip_bits, "-g", "5"), frames=-1, warned="damaged"),
    Nasty("cut-off.mkv", hurt(lambda whole: whole[:len(whole) // 2], "-g", "5"), frames=-1, warned="damaged"),
    Nasty("from-the-middle.ts", hurt(lambda whole: whole[188 * 40:], "-g", "10"), frames=-1, warned="damaged"),

    Nasty("no-index.mp4", hurt(lambda whole: whole[:len(whole) * 8 // 10]), refused="its index (moov) is missing"),
    Nasty("empty.mp4", written(b""), refused="is empty"),
    Nasty("text.mp4", written(b"This is not a film.\n" * 50), refused="is not a video"),
    Nasty("noise.mp4", written(os.urandom(20_000)), refused="is not a video"),
    Nasty("header-only.mp4", written(b"\0\0\0\x18ftypisom\0\0\2\0isomiso2"), refused="its index (moov) is missing"),
    Nasty("song.m4a", encoded("-vn", "-c:a", "aac", sound=SOUND), refused="only sound"),
    Nasty("song-with-cover.m4a", with_cover(
        "-map", "0", "-map", "2", "-c:v", "png", "-disposition:v:0", "attached_pic", "-c:a", "aac", "-f", "mp4"),
        refused="only sound"),
    Nasty("huge.mkv", encoded("-c:v", "mjpeg", "-frames:v", "1", picture="color=s=8192x8192:r=1"),
          refused="no frame can be decoded"),
    Nasty("pieces.ts", hurt(lambda whole: whole + whole), refused="clocks overlap"),
    Nasty("ycgco.mp4", encoded("-vf", "format=yuv420p,setparams=colorspace=ycgco", "-c:v", "libx264"),
          refused="has colours of a kind that is not known here (ycgco)"),
    Nasty("hole.mp4", with_hole, refused="hole"),
    Nasty("far.png", far_header, refused="huge picture"),
)
