"""What a person asks for, as data: steps one after another, and the files that come out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    create_model,
    model_validator,
)

import reelflow.media.steps  # noqa: F401 - every step enters itself in the table as its module is loaded
from reelflow.choices import Codec, Quality, Time
from reelflow.errors import BadInput, BadRecipe, Fault
from reelflow.model_step import ModelStep
from reelflow.output_spec import OutputSpec
from reelflow.step import STEPS, Step
from reelflow.variants import Variants
from reelflow.wording import nearest, reworded

Lines = dict[tuple[str | int, ...], int]
"""The line of a file at which each part of a recipe lies, by the names and numbers that lead to it."""

_MODEL = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class _Entry(BaseModel):
    """One step by its name: `{trim: {start: 2}}`, or in short `{speed: 2}`, or `reverse`."""

    model_config = _MODEL

    @model_validator(mode="before")
    @classmethod
    def _written_out(cls, given: Any) -> Any:
        if isinstance(given, Step):
            return {given.name: given}
        if isinstance(given, str):
            given = {given: None}
        if not isinstance(given, dict) or len(given) != 1:
            raise ValueError("a step is its name and what belongs to it, such as `trim: {start: 2}`")
        (name, value), = given.items()
        step = STEPS.get(name)
        if step is None:
            hint = nearest(str(name), STEPS) or "."
            raise ValueError(f"there is no step {name!r}{hint} `reelflow recipe steps` lists them")
        if value is None:
            value = {}
        elif step.short is not None and not isinstance(value, dict | Step):
            value = {step.short: value}
        return {name: value}

    @property
    def step(self) -> Step:
        """The step itself."""
        return cast(Step, next(value for name in self.model_fields_set if (value := getattr(self, name)) is not None))


if TYPE_CHECKING:
    Entry = _Entry
else:
    Entry = create_model(
        "Entry", __base__=_Entry, __doc__=_Entry.__doc__,
        **{name: (step | None, Field(None, description=step.about()))
           for name, step in STEPS.items()},
    )
Variants.model_rebuild(_types_namespace={"Entry": Entry})
Entry.model_rebuild(force=True)


class Preview(BaseModel):
    """An excerpt that goes through the first model before the whole is paid for; then a person is asked."""

    model_config = _MODEL

    seconds: float = Field(2.0, gt=0, le=30)
    at: Literal["start", "middle", "end"] | Time = "middle"


class Recipe(BaseModel):
    """Steps one after another, from a source to the files that come out."""

    model_config = _MODEL

    name: Annotated[str, Field(pattern=r"^[\w][\w .-]*$", max_length=80)] = "recipe"
    about: str = ""
    steps: tuple[Entry, ...] = Field((), max_length=64)
    outputs: tuple[OutputSpec, ...] = Field((), max_length=32)
    preview: Preview | None = None
    strict: bool = Field(False, description="Whether a warning about the film is an error.")

    _lines: Lines = PrivateAttr(default_factory=dict)
    _plain: bool = PrivateAttr(default=False)

    @property
    def work(self) -> tuple[Step, ...]:
        """The steps themselves."""
        return tuple(entry.step for entry in self.steps)

    def numbered(self) -> tuple[tuple[str, Step], ...]:
        """Every step with its number, those of variants among them."""
        def walk(steps: tuple[Step, ...], prefix: str) -> list[tuple[str, Step]]:
            found: list[tuple[str, Step]] = []
            for index, step in enumerate(steps, 1):
                found.append((f"{prefix}{index}", step))
                if isinstance(step, Variants):
                    for way, inner in enumerate(step.ways(), 1):
                        found += walk(inner, f"{prefix}{index}.{way}.")
            return found
        return tuple(walk(self.work, ""))

    def all_steps(self) -> tuple[Step, ...]:
        """Every step, those of variants among them."""
        return tuple(step for _, step in self.numbered())

    @property
    def takes_picture(self) -> bool:
        """Whether it must be given a picture: its first model takes one, and no step before makes one of a film."""
        for step in self.all_steps():
            if step.name == "still":
                return False
            if isinstance(step, ModelStep):
                return step.kinds[0].source == "picture"
        return False

    def in_folder(self, folder: Path) -> Recipe:
        """The same, with the files that its steps name found from `folder` on."""
        def moved(step: Step) -> Step:
            if isinstance(step, Variants):
                ways = tuple(tuple(Entry(**{one.step.name: moved(one.step)}) for one in way) for way in step.of)
                return step.model_copy(update={"of": ways})
            return step.in_folder(folder)
        return self.with_steps(moved(step) for step in self.work)

    def with_outputs(self, outputs: tuple[OutputSpec, ...]) -> Recipe:
        """The same with other outputs."""
        return self.changed(outputs=outputs)

    def with_steps(self, steps: Iterable[Step]) -> Recipe:
        """The same with other steps."""
        return self.changed(steps=tuple(Entry(**{step.name: step}) for step in steps))

    def changed(self, **changed: Any) -> Recipe:
        """The same but for these fields."""
        made = self.model_copy(update=changed)
        made._lines, made._plain = self._lines, self._plain
        return made

    def refusal(self, faults: list[Fault]) -> BadInput:
        """All faults as one error, each with its line where the recipe was read from a file."""
        if self._plain:
            return BadInput(faults[0].message, field=faults[0].field)
        return BadRecipe(self.name, tuple(fault.at_line(self._line_of(fault)) for fault in faults))

    def _line_of(self, fault: Fault) -> int | None:
        if fault.number.startswith("output "):
            return self._lines.get(("outputs", int(fault.number.partition(" ")[2]) - 1))
        place: list[str | int] = ["steps"]
        for depth, part in enumerate(filter(str.isdecimal, fault.number.split("."))):
            # "3.1.2": step 3, way 1, step 2 of it.
            place += ["variants", "of", int(part) - 1] if depth % 2 else [int(part) - 1]
        return next((self._lines[tuple(place[:end])] for end in range(len(place), 0, -1)
                     if tuple(place[:end]) in self._lines), None)


def plain_recipe(
    name: str, step: Step, *, trim: Step | None = None, sound_track: int | None = None, codec: Codec | None = None,
    quality: Quality = Quality.GOOD, is_film: bool = True, strict: bool = False,
) -> Recipe:
    """The recipe of one of the five jobs, which nobody has written down: its faults are told without their step.

    Raises:
        BadInput: a choice can't be used.
    """
    keep = () if sound_track is None else (make_step("sound", keep=sound_track),)
    steps = [one for one in (trim, *keep, step) if one is not None]
    try:
        output = OutputSpec(path="{stem}-{name}" + (".mp4" if is_film else ".png"), codec=codec, quality=quality)
        recipe = Recipe(name=name, outputs=(output,), strict=strict).with_steps(steps)
    except ValidationError as error:
        raise _refused(error, Recipe.model_fields) from None
    recipe._plain = True
    return recipe


def make_step(name: str, **given: Any) -> Step:
    """A step from parameters as a form or a command line gives them; None and an empty text are fields not given.

    Raises:
        BadInput: what can't be used, and its field.
    """
    try:
        return STEPS[name](**{field: value for field, value in given.items() if value is not None and value != ""})
    except ValidationError as error:
        raise _refused(error, STEPS[name].model_fields) from None


def _refused(error: ValidationError, known: Iterable[str]) -> BadInput:
    """The first thing that can't be used, in a sentence; `known` are the fields that could be meant."""
    first = error.errors(include_url=False, include_input=False)[0]
    field, said = ".".join(str(part) for part in first["loc"]), reworded(first, known=known)
    if field:
        return BadInput(f"The {field} can't be used: {said}{'' if said.endswith('?') else '.'}", field=field)
    return BadInput(f"{said[:1].upper()}{said[1:]}.", field=None)


def make_trim(start: str | float | None, end: str | float | None, duration: str | float | None) -> Step | None:
    """The cut that these ask for; None where none of them is given. Raises BadInput."""
    given = {"start": start, "end": end, "duration": duration}
    if all(value is None or value == "" for value in given.values()):
        return None
    return make_step("trim", **given)


def parse_recipe(
    given: Any, *, name: str = "recipe", lines: Lines | None = None
) -> Recipe:
    """A recipe from plain values, as JSON or YAML gives them; `lines` says where each lies in its file.

    Raises:
        BadRecipe: all that is wrong with it, each with its line and its step.
    """
    known = lines or {}
    if not isinstance(given, dict):
        raise BadRecipe(name, (Fault("", "", "a recipe has `steps:`, and often `name:` and `outputs:`"),))
    try:
        recipe = Recipe.model_validate({"name": name, **given})
    except ValidationError as error:
        raise BadRecipe(str(given.get("name") or name), _faults(error, known)) from None
    recipe._lines = known
    return recipe


def _faults(error: ValidationError, lines: Lines) -> tuple[Fault, ...]:
    """All faults that pydantic found. What may be a word or a value has failed as both, and is told once."""
    told: dict[tuple[str, str, str], Fault] = {}
    words: dict[tuple[str, str, str], str] = {}
    for one in error.errors(include_url=False, include_input=False):
        fault = _fault(one, lines)
        place = fault.number, fault.step, fault.field or fault.message
        if place in words:
            fault = replace(fault, message=f"{fault.message}, or {words[place]}")
        elif one["type"] == "literal_error":
            words[place] = one["ctx"]["expected"]
        told[place] = fault
    return tuple(told.values())


def _fault(found: Mapping[str, Any], lines: Lines) -> Fault:
    """A fault that pydantic found, in the words of a recipe."""
    loc: tuple[str | int, ...] = found["loc"]
    numbers, step, fields = [], "", []
    for at, part in enumerate(loc):
        before = loc[at - 1] if at else None
        if isinstance(part, int) and (before in ("steps", "of") or isinstance(before, int)):
            numbers.append(str(part + 1))
        elif part in STEPS and isinstance(before, int):
            step = str(part)
        elif part == "outputs" and len(loc) > 1:
            continue
        elif isinstance(part, int) and before == "outputs":
            numbers.append(f"output {part + 1}")
        elif (part not in ("steps", "of") or len(loc) == 1) and not (isinstance(part, str) and "[" in part):
            fields.append(str(part + 1) if isinstance(part, int) else part)
    place = tuple(part for part in loc)
    line = next((lines[place[:end]] for end in range(len(place), 0, -1) if place[:end] in lines), None)
    there = STEPS[step] if step else OutputSpec if "outputs" in loc else Recipe
    # Of a field within a field it is not these names that may have been meant.
    said, field = reworded(found, known=there.model_fields if len(fields) == 1 else ()), ".".join(fields)
    return Fault(".".join(numbers), step, f"{field}: {said}" if field else said, field or None, line)
