"""What a person asks for, as data: which span of which film, which model, and what the film shall be afterwards."""

from __future__ import annotations

import json
import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from reelflow.errors import BadInput
from reelflow.models import Model, Point, check_form, check_trajectory

# What lucy-motion makes: 5 s at 25 frames a second.
MOTION_FRAMES = 125
_CLOCK = re.compile(r"(?:(?:(\d+):)?([0-5]?\d):)?([0-5]?\d(?:\.\d+)?)")
_SECONDS = re.compile(r"\d+(?:\.\d*)?|\.\d+")


class Fit(StrEnum):
    """How a picture gets into a frame of another shape."""

    PAD = "pad"  # whole picture, black beside it
    CROP = "crop"  # whole frame, picture cut at two sides
    STRETCH = "stretch"  # both whole, proportions lost


class Keep(StrEnum):
    """The source's size, or the model's."""

    SOURCE = "source"
    MODEL = "model"


class Rate(StrEnum):
    """Which frame rate the finished film has."""

    SOURCE = "source"
    MODEL = "model"
    SMOOTH = "smooth"  # the source's, with pictures made up in between; slow


class Codec(StrEnum):
    """How the finished film's pictures are encoded."""

    H264 = "h264"
    HEVC = "hevc"
    AV1 = "av1"
    PRORES = "prores"


class Quality(StrEnum):
    """How finely a finished film is encoded."""

    SMALL = "small"
    GOOD = "good"
    BEST = "best"


def parse_time(value: str | float | int, *, field: str) -> float:
    """Seconds from `12.5`, `"12.5"`, `"MM:SS.mmm"` or `"HH:MM:SS.mmm"`. Raises BadInput that names `field`."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        seconds = float(value)
    elif _SECONDS.fullmatch(text := str(value).strip()):
        seconds = float(text)
    elif match := _CLOCK.fullmatch(text):
        hours, minutes, rest = match.groups()
        seconds = int(hours or 0) * 3600 + int(minutes or 0) * 60 + float(rest)
    else:
        raise BadInput(f"The {field} {value!r} is not a time: write seconds (12.5) or HH:MM:SS.mmm.", field=field)
    if not 0 <= seconds < 1e7:
        raise BadInput(f"The {field} {value} is not a time in a film: it must be 0 or more seconds.", field=field)
    return seconds


def _time(field: str) -> BeforeValidator:
    return BeforeValidator(lambda value: None if value is None else parse_time(value, field=field))


class Recipe(BaseModel):
    """One model's work on one source: what is cut out of it, what the model is asked, how the result comes back.

    `start`, `end` and `duration` are seconds on the source's own clock, counted from its first frame. Without a
    `codec` the container's usual one is written; `sound_track` counts from 1 (None: all of them).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_enum_values=False)

    model: str
    prompt: str | None = None
    reference_image: Path | None = None
    seed: int | None = None
    resolution: str | None = None
    enhance_prompt: bool | None = None
    self_anchor: bool | None = None
    trajectory: tuple[Point, ...] | None = None

    start: Annotated[float | None, _time("start")] = None
    end: Annotated[float | None, _time("end")] = None
    duration: Annotated[float | None, _time("duration")] = None
    fit: Fit = Fit.PAD
    size: Keep = Keep.SOURCE
    rate: Rate = Rate.SOURCE
    codec: Codec | None = None
    quality: Quality = Quality.GOOD
    sound_track: int | None = None
    strict: bool = Field(False, description="Whether a warning about the film is an error.")

    def check(self, model: Model) -> None:
        """Check all that can be known without the source, before anything is opened or sent. Raises BadInput."""
        check_form(
            model, prompt=self.prompt, has_reference_image=self.reference_image is not None, seed=self.seed,
            resolution=self.resolution, enhance_prompt=self.enhance_prompt, self_anchor=self.self_anchor,
            trajectory=self.trajectory,
        )
        if self.end is not None and self.duration is not None:
            raise BadInput("Give the end or the duration, not both: one follows from the other.", field="duration")
        if self.duration is not None and self.duration <= 0:
            raise BadInput("The duration is 0: there would be no film left.", field="duration")
        if self.end is not None and self.end <= (self.start or 0.0):
            raise BadInput(
                f"The end ({self.end:g} s) is not after the start ({self.start or 0:g} s): swap them.", field="end"
            )


def make_recipe(*, reference_image: str | Path | None = None, prompt: str | None = None, **asked: Any) -> Recipe:
    """A recipe from parameters as a form or a command line gives them; an empty text is a field not given.

    Raises BadInput that names the field.
    """
    for name in ("start", "end", "duration"):
        if asked.get(name) == "":
            asked[name] = None
    try:
        return Recipe(
            prompt=prompt or None,
            reference_image=Path(reference_image).expanduser().absolute() if reference_image else None, **asked,
        )
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise BadInput(f"The {field} can't be used: {first['msg']}.", field=field) from None


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
