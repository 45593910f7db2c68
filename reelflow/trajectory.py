"""A motion's path: by name, in short, point by point, or from a file."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from reelflow.errors import BadInput
from reelflow.models import Point, check_trajectory

# What lucy-motion makes: 5 s at 25 frames a second.
MOTION_FRAMES = 125

PRESETS: dict[str, tuple[tuple[float, float], ...]] = {
    "pan-right": ((0.25, 0.5), (0.75, 0.5)),
    "pan-left": ((0.75, 0.5), (0.25, 0.5)),
    "tilt-up": ((0.5, 0.7), (0.5, 0.3)),
    "tilt-down": ((0.5, 0.3), (0.5, 0.7)),
    "push-in": ((0.5, 0.8), (0.5, 0.6), (0.5, 0.5)),
    "arc": ((0.25, 0.6), (0.4, 0.42), (0.6, 0.42), (0.75, 0.6)),
    "sway": ((0.35, 0.5), (0.65, 0.5), (0.35, 0.5)),
}


def preset_path(name: str, *, frames: int = MOTION_FRAMES) -> tuple[Point, ...]:
    """A named path, spread evenly over `frames` frames. Raises BadInput for a name that isn't one of PRESETS."""
    if name not in PRESETS:
        raise BadInput(f"The preset {name!r} is not known: use one of {', '.join(PRESETS)}.", field="preset")
    places = PRESETS[name]
    return tuple(
        Point(round(index * (frames - 1) / (len(places) - 1)), x, y) for index, (x, y) in enumerate(places)
    )


def parse_path(text: str) -> tuple[Point, ...]:
    """A path written as `"0:0.2,0.5 60:0.5,0.3"` (frame:x,y). Raises BadInput that quotes the part that's wrong."""
    points = []
    for part in text.split():
        match = re.fullmatch(r"(\d+):(-?[\d.]+),(-?[\d.]+)", part)
        try:
            if match is None:
                raise ValueError
            points.append(Point(int(match[1]), float(match[2]), float(match[3])))
        except ValueError:
            raise BadInput(f"The path's part {part!r} can't be read: write FRAME:X,Y, as in 0:0.2,0.5.",
                           field="path") from None
    made = tuple(points)
    check_trajectory(made)
    return made


def read_trajectory(source: Path | list[dict[str, Any]]) -> tuple[Point, ...]:
    """A trajectory from a JSON file, or from the same as data. Raises BadInput."""
    where = "The trajectory"
    if isinstance(source, Path):
        where = f"The trajectory file {source}"
        try:
            rows = json.loads(source.read_text("utf-8"))
        except OSError as error:
            raise BadInput(f"{where} can't be read: {error.strerror}.", field="trajectory") from None
        except (ValueError, RecursionError):
            raise BadInput(f"{where} is not JSON: write [{{\"frame\": 0, \"x\": 0.2, \"y\": 0.5}}, …].",
                           field="trajectory") from None
    else:
        rows = source
    if not isinstance(rows, list):
        raise BadInput(f"{where} must be a list of points.", field="trajectory")
    points = []
    for number, row in enumerate(rows, 1):
        try:
            if isinstance(row["frame"], bool) or int(row["frame"]) != row["frame"]:
                raise ValueError
            points.append(Point(int(row["frame"]), float(row["x"]), float(row["y"])))
        except (KeyError, TypeError, ValueError, OverflowError):
            raise BadInput(f"{where}: point {number} needs a whole number `frame` and numbers `x` and `y`.",
                           field="trajectory") from None
    made = tuple(points)
    check_trajectory(made)
    return made
