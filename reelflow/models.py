"""The model table: one row per model, and the rules of its form.

Facts from the Decart Queue API as published (shared contract, November 2026). Prices move, so a row can be replaced
from the settings; a price that isn't published is None and is said to be unknown.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise
from typing import Any

from reelflow.errors import BadInput

MAX_PROMPT = 1000
MAX_SEED = 2**32 - 1
MAX_TRAJECTORY_POINTS = 1000
MIB = 2**20


class Kind(StrEnum):
    """What a model does with what it is sent. Each member carries the rules of its form."""

    prompt: str  # "required" (not empty), "optional" (may be empty), "or-image" (exactly one of the two)
    source: str  # what goes into `data`: "film" or "picture"
    result: str  # what comes back: "film" or "picture"
    trajectory: bool

    def __new__(cls, value: str, prompt: str, source: str, result: str, trajectory: bool) -> Kind:
        member = str.__new__(cls, value)
        member._value_ = value
        member.prompt, member.source, member.result, member.trajectory = prompt, source, result, trajectory
        return member

    EDIT = ("edit", "optional", "film", "film", False)
    TRYON = ("tryon", "optional", "film", "film", False)
    RESTYLE = ("restyle", "or-image", "film", "film", False)
    CLIP = ("clip", "required", "film", "film", False)
    MOTION = ("motion", "optional", "picture", "film", True)
    IMAGE = ("image", "required", "picture", "picture", False)


@dataclass(frozen=True, slots=True)
class Model:
    """One row: a model's frame (landscape, pixels), rate (frames per second), price (USD) and limits.

    `usd` is per generated second, or per picture for image models; None where it isn't published. `usd_480p` is the
    price of a 480p picture. `seconds` is what a model without a source film makes.
    """

    name: str
    kind: Kind
    width: int
    height: int
    fps: int | None
    usd: Decimal | None = None
    usd_480p: Decimal | None = None
    seconds: float | None = None
    max_seconds: float | None = None
    max_bytes: int = 100 * MIB
    resolutions: tuple[str, ...] = ("720p",)
    self_anchor: bool = False
    retired: str | None = None
    rolling: bool = False

    def price(self, seconds: float, *, resolution: str | None = None) -> Decimal | None:
        """USD for `seconds` of generated film (or for one picture), or None where the price is unknown."""
        if self.kind is Kind.IMAGE:
            return self.usd_480p if resolution == "480p" else self.usd
        return None if self.usd is None else (self.usd * Decimal(str(round(seconds, 6)))).quantize(Decimal("0.0001"))


def _edit(name: str, width: int = 1280, height: int = 720, usd: str | None = "0.04", **more: Any) -> Model:
    return Model(name, Kind.EDIT, width, height, 20, Decimal(usd) if usd else None, **more)


def _tryon(name: str, width: int = 1280, height: int = 720, usd: str | None = None, **more: Any) -> Model:
    return Model(name, Kind.TRYON, width, height, 20, Decimal(usd) if usd else None, **more)


_ROWS = (
    Model("lucy-restyle-2", Kind.RESTYLE, 1280, 704, 22, Decimal("0.01"), max_seconds=1800.0),
    _edit("lucy-2.1", 1088, 624),
    _edit("lucy-2.5", self_anchor=True),
    _edit("lucy-2.6", usd=None),
    _tryon("lucy-2.1-vton", 1088, 624, "0.04", retired="June 2026"),
    _tryon("lucy-vton-2", 1088, 624, "0.04"),
    _tryon("lucy-vton-3", 1088, 624, "0.04"),
    _tryon("lucy-vton-3.5"),
    _tryon("lucy-vton-3.6"),
    Model("lucy-motion", Kind.MOTION, 1280, 704, 25, Decimal("0.03"), seconds=5.0, retired="May 2026"),
    Model("lucy-clip", Kind.CLIP, 1280, 704, 25, Decimal("0.15"), max_seconds=5.0),
    Model("lucy-image-2", Kind.IMAGE, 1280, 704, None, Decimal("0.02"), usd_480p=Decimal("0.01"),
          resolutions=("720p", "480p")),
)

# What a rolling alias stood for when this table was written; the queue's own answer is recorded at run time.
_ROLLING = {
    "lucy-latest": "lucy-2.6",
    "lucy-vton-latest": "lucy-vton-3.6",
    "lucy-restyle-latest": "lucy-restyle-2",
    "lucy-clip-latest": "lucy-clip",
    "lucy-motion-latest": "lucy-motion",
    "lucy-image-latest": "lucy-image-2",
}
_DEPRECATED = {
    "lucy-restyle-v2v": "lucy-restyle-2",
    "lucy-pro-v2v": "lucy-clip",
    "lucy-pro-i2i": "lucy-image-2",
}


class ModelTable:
    """All the models that can be asked for, by name; aliases are rows with the facts of what they stand for."""

    def __init__(self, rows: Mapping[str, Model], aliases: Mapping[str, str]) -> None:
        self._rows = dict(rows)
        self._aliases = {name: target for name, target in aliases.items() if name not in self._rows}

    @classmethod
    def standard(cls) -> ModelTable:
        """The published models and aliases."""
        return cls({row.name: row for row in _ROWS}, {**_ROLLING, **_DEPRECATED})

    def with_rows(self, rows: Mapping[str, Model]) -> ModelTable:
        """A table in which `rows` are added, or replace rows (and aliases) of the same name."""
        return ModelTable({**self._rows, **rows}, self._aliases)

    def __iter__(self) -> Iterator[Model]:
        """The rows, aliases apart."""
        return iter(self._rows.values())

    @property
    def aliases(self) -> Mapping[str, str]:
        """Alias -> the name that it stood for when the table was written."""
        return self._aliases

    @property
    def names(self) -> tuple[str, ...]:
        """Every name that can be asked for."""
        return (*self._rows, *self._aliases)

    def canonical(self, name: str) -> str:
        """The name that `name` stands for in this table; itself where it isn't an alias."""
        return self._aliases.get(name, name)

    def __getitem__(self, name: str) -> Model:
        """The row for a name or an alias, under the name as asked.

        Raises:
            BadInput: no such model; says the nearest name and how to use one that isn't listed.
        """
        row = self._rows.get(self.canonical(name))
        if row is None:
            near = difflib.get_close_matches(name, self.names, n=1, cutoff=0.4)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise BadInput(
                f"The model {name!r} is not known.{hint} `reelflow models` lists them; a new one can be used with a "
                "row in REELFLOW_MODELS.", field="model",
            )
        return row if row.name == name else replace(row, name=name, rolling=name in _ROLLING)

    def resolved_as(self, name: str, resolved: str) -> Model:
        """The row for `name`, whose facts are those of what the queue says that it stands for now.

        Where that isn't listed the table's own idea of the name is kept, but for its price, which nobody knows.
        """
        row = self[name]
        if self.canonical(resolved) == self.canonical(name):
            return row
        known = self._rows.get(self.canonical(resolved))
        if known is None:
            return replace(row, usd=None, usd_480p=None)
        return replace(known, name=name, rolling=row.rolling)


@dataclass(frozen=True, slots=True)
class Point:
    """A point of a motion's path: frame number (25 a second), and place in the picture, 0..1 from the top left."""

    frame: int
    x: float
    y: float


def check_form(
    model: Model,
    *,
    prompt: str | None,
    has_reference_image: bool,
    seed: int | None,
    resolution: str | None,
    enhance_prompt: bool | None,
    self_anchor: bool | None,
    trajectory: tuple[Point, ...] | None,
) -> None:
    """Check a wish against the rules of its model's form, before anything is sent.

    Raises:
        BadInput: the first rule that is broken; `field` is the form's field.
    """
    name, rule = model.name, model.kind.prompt
    if prompt is not None and len(prompt) > MAX_PROMPT:
        raise BadInput(f"The prompt has {len(prompt)} characters; {name} takes at most {MAX_PROMPT}.", field="prompt")
    if rule == "required" and not (prompt or "").strip():
        raise BadInput(f"The prompt is missing: {name} needs one that says what to change.", field="prompt")
    if rule == "or-image":
        if prompt and has_reference_image:
            raise BadInput(f"{name} takes a prompt or a reference image, not both: leave one away.", field="prompt")
        if not (prompt or "").strip() and not has_reference_image:
            raise BadInput(f"{name} needs a prompt or a reference image: give one of them.", field="prompt")
        if enhance_prompt is not None and has_reference_image:
            raise BadInput("enhance_prompt works only together with a prompt: leave it away.", field="enhance_prompt")
    if seed is not None and not 0 <= seed <= MAX_SEED:
        raise BadInput(f"The seed {seed} is out of range: it must lie in 0..{MAX_SEED}.", field="seed")
    if resolution is not None and resolution not in model.resolutions:
        raise BadInput(
            f"The resolution {resolution!r} is not one that {name} takes ({', '.join(model.resolutions)}).",
            field="resolution",
        )
    if self_anchor is not None and not model.self_anchor:
        raise BadInput(f"self_anchor is not a field of {name}: leave it away.", field="self_anchor")
    if model.kind.trajectory:
        check_trajectory(trajectory)
    elif trajectory is not None:
        raise BadInput(f"{name} takes no trajectory: only motion models do.", field="trajectory")


def check_trajectory(points: tuple[Point, ...] | None) -> None:
    """Check a motion's path: 2..1000 points, frames from 0 and rising, places within 0..1. Raises BadInput."""
    if not points:
        raise BadInput("The trajectory is missing: give --trajectory, --path or --preset.", field="trajectory")
    if not 2 <= len(points) <= MAX_TRAJECTORY_POINTS:
        count = "1 point" if len(points) == 1 else f"{len(points)} points"
        raise BadInput(f"The trajectory has {count}; it needs 2 to {MAX_TRAJECTORY_POINTS}.", field="trajectory")
    for point in points:
        if point.frame < 0:
            raise BadInput(f"The trajectory has a point at frame {point.frame}; frames start at 0.", field="trajectory")
        if not (0 <= point.x <= 1 and 0 <= point.y <= 1):
            raise BadInput(
                f"The trajectory's point at frame {point.frame} lies at {point.x:g},{point.y:g}; "
                "x and y go from 0 to 1, measured from the top left.", field="trajectory",
            )
    for before, after in pairwise(points):
        if after.frame <= before.frame:
            raise BadInput(
                f"The trajectory's frames must rise: {after.frame} comes after {before.frame}.", field="trajectory"
            )


def trajectory_json(points: tuple[Point, ...]) -> str:
    """The trajectory as the queue's form takes it: a JSON array of frame, x and y."""
    return json.dumps([{"frame": point.frame, "x": point.x, "y": point.y} for point in points])
