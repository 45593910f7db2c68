"""A source that nobody has seen yet, for checking a recipe without one; pure."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from reelflow.media.probe import Colour, Probe, Sound
from reelflow.recipe import Recipe

# Long enough that a recipe's cuts lie within it, and short enough that a film in pieces is still a few of them.
_SECONDS = 600


def assumed_source(recipe: Recipe) -> Probe:
    """A film of ten minutes with sound, in 1080p at 30 frames a second; a picture where the first model takes one."""
    is_picture = recipe.takes_picture
    sounds = () if is_picture else (Sound(0, "aac", 48_000, 2, "stereo", 0.0, float(_SECONDS)),)
    return Probe(
        path=Path("source.png" if is_picture else "source.mp4"), size_bytes=1,
        format="png" if is_picture else "mov,mp4",
        is_picture=is_picture, codec="png" if is_picture else "h264", pixels="RGB" if is_picture else "yuv420p", bits=8,
        width=1920, height=1080, sample_aspect=Fraction(1), turn=0, mirrored=False,
        colour=Colour("bt709", "tv", "bt709", "bt709"), rate=Fraction(0 if is_picture else 30),
        frames=1 if is_picture else _SECONDS * 30, seconds=0.0 if is_picture else float(_SECONDS), sounds=sounds,
    )

