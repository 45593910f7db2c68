"""The facts of a picture, read by Pillow: in the child process of `examine`, since a picture too may do harm."""

from __future__ import annotations

import struct
import warnings
from pathlib import Path
from typing import Any

from reelflow.media.opening import MAX_PIXELS, PICTURE_FORMATS, Refused, check_size

# EXIF orientation -> (degrees clockwise, flipped from left to right before)
_EXIF = {1: (0, False), 2: (0, True), 3: (180, False), 4: (180, True), 5: (270, True), 6: (90, False),
         7: (90, True), 8: (270, False)}


def examine_picture(path: Path) -> dict[str, Any]:
    """The facts of `path` as the fields of Probe (without the path and the bytes). Raises Refused."""
    from PIL import Image, UnidentifiedImageError

    warnings.simplefilter("ignore")
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    try:
        with Image.open(path) as picture:
            kind = {"MPO": "jpeg"}.get(picture.format or "", (picture.format or "unknown").lower())
            if kind not in PICTURE_FORMATS:
                raise Refused(f"is a picture of the kind {kind}: save it as PNG, JPEG or WebP.")
            check_size(*picture.size)
            turn, mirrored = _EXIF.get(picture.getexif().get(0x0112, 1), (0, False))
            picture.load()
            mode, (width, height) = picture.mode, picture.size
    except Image.DecompressionBombError:
        raise Refused(f"claims to be a huge picture: the most that is opened is {MAX_PIXELS} pixels large.") from None
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, struct.error):
        raise Refused("looks like a picture but can't be read: it is damaged.") from None
    return {
        "format": kind, "is_picture": True, "codec": kind, "pixels": mode, "bits": 8, "width": width,
        "height": height, "sample_aspect": "1/1", "turn": turn, "mirrored": mirrored, "colour": {}, "frames": 1,
    }
