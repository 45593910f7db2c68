"""How files that others made are opened: by kind, by name as it is, and not beyond a size."""

from __future__ import annotations

from pathlib import Path

# Without this list a text file named .mp4 can read other local files (ffconcat, DASH, HLS, tty).
FILM_FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,asf,ogg,gif,h264,hevc,mpegvideo,m4v"
)
SOUND_FORMATS = f"{FILM_FORMATS},mp3,wav,w64,flac,aac,aiff,caf"
MAX_PIXELS = 35_389_440  # 8192 x 4320
PICTURE_FORMATS = {"png": "png_pipe", "jpeg": "jpeg_pipe", "webp": "webp_pipe", "bmp": "bmp_pipe"}


def file_url(path: Path) -> str:
    """`path` as ffmpeg takes it whatever is in it: `a:b.mp4`, `concat:x` and `-o.mp4` are otherwise misread."""
    return f"file:{path.absolute()}"


class Refused(Exception):
    """The file can't be used; the message is the second half of a sentence that begins with the file's name."""


def check_size(width: int, height: int) -> None:
    """Refuse a frame of so many pixels where nobody could work with it. Raises Refused."""
    if width * height > MAX_PIXELS:
        raise Refused(f"is {width}x{height} pixels large: the most that is opened is {MAX_PIXELS} pixels a frame.")
    if 0 < min(width, height) < 4:
        raise Refused(f"is only {width}x{height} pixels large: there is nothing to see.")
