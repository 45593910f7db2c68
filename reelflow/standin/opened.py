"""How the stand-in lets ffmpeg open what was uploaded: by kind, whatever the upload called itself."""

from __future__ import annotations

from pathlib import Path

from reelflow.media.opening import FILM_FORMATS, MAX_PIXELS, PICTURE_FORMATS, file_url


def film_input(path: Path) -> list[str]:
    """The arguments that open a film."""
    return ["-protocol_whitelist", "file", "-format_whitelist", FILM_FORMATS, "-max_pixels", str(MAX_PIXELS),
            "-i", file_url(path)]


def picture_input(path: Path) -> list[str]:
    """The arguments that open a picture."""
    return ["-protocol_whitelist", "file", "-format_whitelist", ",".join(PICTURE_FORMATS.values()),
            "-max_pixels", str(MAX_PIXELS), "-i", file_url(path)]
