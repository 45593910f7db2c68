"""The files that steps read, looked at before anything runs: whether each is what its step needs."""

from __future__ import annotations

import asyncio
from pathlib import Path

from reelflow.errors import BadInput, BadMedia
from reelflow.media.lettering import load_font
from reelflow.media.lut import read_lut
from reelflow.media.probe import Probe, check_file, probe, probe_sound
from reelflow.step import Need


async def examine_need(need: Need) -> Probe | None:
    """The facts of a file that a step reads; None for a LUT and a font, which have none but can be read.

    Raises:
        BadInput: there is no such file, or it isn't what the step needs.
    """
    try:
        if need.kind in ("lut", "font"):
            check_file(need.path)
            await asyncio.to_thread(read_lut if need.kind == "lut" else _try_font, need.path)
            return None
        found = await (probe_sound if need.kind == "sound" else probe)(need.path)
    except (BadInput, BadMedia) as error:
        raise BadInput(error.message, field=need.field) from None
    if need.kind == "sound" and not found.sounds:
        raise BadInput(f"{need.path} holds no sound: give an MP3, WAV, FLAC, M4A or Ogg file, or a film with sound.",
                       field=need.field)
    if need.kind == "picture" and not found.is_picture:
        raise BadInput(f"{need.path} is not a picture: give a PNG, WebP or JPEG.", field=need.field)
    if need.kind == "film" and found.is_picture:
        raise BadInput(f"{need.path} is a picture, not a film.", field=need.field)
    return found


def _try_font(path: Path) -> None:
    load_font(12, path)
