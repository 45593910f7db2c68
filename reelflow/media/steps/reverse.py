"""`reverse`: from the end to the beginning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from reelflow.errors import BadInput
from reelflow.media.clip import Clip
from reelflow.media.media_step import Given, MediaStep, Op, Playing, refuse_picture
from reelflow.media.probe import Probe
from reelflow.media.reel import Reel

# ffmpeg holds the whole film in memory, decoded.
_MAX_BYTES = 2**30


class Reverse(MediaStep):
    """The film from its end to its beginning, sound and all."""

    name = "reverse"
    bare = True
    plays = True

    def after(self, clip: Clip, files: Mapping[Path, Probe]) -> Clip:
        refuse_picture(clip, "reversed")
        needed = clip.frames * clip.size.width * clip.size.height * 3 // 2
        if needed > _MAX_BYTES:
            most = _MAX_BYTES * clip.frames // needed / clip.rate
            raise BadInput(
                f"Reversing {clip.frames} frames of {clip.size} would take {needed / 2**30:.1f} GiB of memory, and at "
                f"most 1 GiB is used: trim the film to {float(most):.1f} s or `resize` it before this step."
            )
        return replace(clip, timeline=None)

    def draw(self, reel: Reel, op: Op, given: Given) -> Reel:
        return reel.settled(op.before).exactly().filtered("reverse")

    def play(self, sounds: tuple[Playing, ...], op: Op, given: Given) -> tuple[Playing, ...]:
        # Its pieces come with each other's times.
        return tuple(replace(sound, stream=sound.stream.filter("areverse").filter("asetpts", "N/SR/TB"))
                     for sound in sounds)
