"""A batch: which clips, what is asked of each, and under which names the results lie."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from reelflow.choices import Codec, Quality
from reelflow.clip_list import FILES, Row
from reelflow.errors import BadInput, BadRows, Fault
from reelflow.manifest import POSTERS
from reelflow.model_step import ModelStep
from reelflow.output_spec import OutputSpec
from reelflow.preview import first_model
from reelflow.recipe import Recipe, make_step, make_trim, plain_recipe
from reelflow.sources import path_of, show_source, source_stem
from reelflow.step import Step

JOBS = ("restyle", "edit", "tryon", "motion", "image")
_CHOICES: dict[str, type[StrEnum]] = {"codec": Codec, "quality": Quality}


@dataclass(frozen=True, slots=True)
class BatchClip:
    """One clip of a batch: its number (from 1), its source, the name its results begin with, and what is asked."""

    number: int
    source: str
    name: str
    recipe: Recipe


def read_part(part: str) -> tuple[int, int]:
    """Which part of how many, from 2/4. An empty text is all. Raises BadInput."""
    one, _, of = (part.strip() or "1/1").partition("/")
    if one.isdecimal() and of.isdecimal() and 1 <= int(one) <= int(of) <= 1000:
        return int(one), int(of)
    raise BadInput(f"The part {part!r} can't be used: write 2/4 for the second of four parts.", field="part")


def make_clips(rows: tuple[Row, ...], recipe_of: Callable[[dict[str, Any]], Recipe]) -> tuple[BatchClip, ...]:
    """What is asked of each clip, under names that no two of them share.

    Clips that would have the same name get a few letters of what makes them differ, whatever their order is, so that
    a longer list finds again what a shorter one has made.

    Raises:
        BadRows: rows that can't be used, all of them.
    """
    made: list[tuple[Row, str, Recipe]] = []
    faults: list[Fault] = []
    for row in rows:
        try:
            own = dict(row.own)
            name = source_stem(str(own.pop("name", "") or row.source))
            made.append((row, name, recipe_of(own)))
        except BadInput as error:
            faults.append(Fault("", "", error.message, error.field, row.line))
    if faults:
        if faults[0].line is None:
            raise BadInput(faults[0].message, field=faults[0].field)
        raise BadRows(tuple(faults[:50]))
    taken = Counter(name.lower() for _, name, _ in made)
    clips: list[BatchClip] = []
    for number, (row, name, recipe) in enumerate(made, 1):
        unique = f"{name}-{_mark(row)}" if taken[name.lower()] > 1 else name
        clips.append(BatchClip(number, row.source, unique, recipe))
    first: dict[str, Row] = {}
    for row, clip in zip(rows, clips, strict=True):
        if (same := first.setdefault(clip.name.lower(), row)) is not row:
            where = "" if row.line is None else f" (lines {same.line} and {row.line})"
            raise BadInput(f"{show_source(clip.source)} stands in the list more than once with the same parameters"
                           f"{where}: take all but one away.", field="sources")
    return tuple(clips)


def results_of(clips: Iterable[BatchClip]) -> Iterator[str]:
    """What is written for these clips, by its path below the output: their files, and pictures for the index page."""
    for clip in clips:
        # Which of the two it is where a recipe does not say, its steps do.
        outputs = clip.recipe.outputs or tuple(OutputSpec(path=f"{{stem}}-{{name}}{end}") for end in (".mp4", ".png"))
        yield from (output.name(stem=clip.name, recipe=clip.recipe.name) for output in outputs)
        yield f"{POSTERS}/{clip.name}.jpg"


def job_recipe(job: str, asked: dict[str, Any]) -> Recipe:
    """The recipe of one of the five jobs with the parameters that its flow takes. Raises BadInput."""
    asked = dict(asked)
    for name in FILES:
        if asked.get(name):
            asked[name] = path_of(asked[name])
    outer: dict[str, Any] = {name: _one_of(kind, name, asked.pop(name)) for name, kind in _CHOICES.items()
                             if asked.get(name)}
    outer |= {name: asked.pop(name) for name in ("sound_track", "strict") if name in asked}
    trim = make_trim(asked.pop("start", None), asked.pop("end", None), asked.pop("duration", None))
    if job in ("motion", "image") and trim is not None:
        raise BadInput(f"A picture has no span: leave start, end and duration away for {job}.", field="start")
    return plain_recipe(job, make_step(job, **asked), trim=trim, is_film=job != "image", **outer)


def _one_of(kind: type[StrEnum], name: str, value: Any) -> StrEnum:
    try:
        return kind(value)
    except ValueError:
        raise BadInput(f"The {name} {value!r} can't be used: choose one of {', '.join(kind)}.", field=name) from None


def own_recipe(recipe: Recipe, own: dict[str, Any]) -> Recipe:
    """A recipe with what one clip has of its own: `FIELD` is its first model's, `2.FIELD` its second step's.

    Raises:
        BadInput: there is no such step or field, or its value can't be used.
    """
    steps = list(recipe.work)
    changed: dict[int, dict[str, Any]] = {}
    for name, value in own.items():
        number, _, inner = name.rpartition(".")
        place = first_model(steps) if not number else int(number) - 1 if number.isdecimal() else None
        if place is None or not 0 <= place < len(steps):
            what = f"a step {number}" if number else "a model, so that it could be one of its fields"
            raise BadInput(f"The column {name!r} can't be used: the recipe {recipe.name!r} has not {what}.", field=name)
        changed.setdefault(place, {})[inner] = path_of(value) if inner in FILES else value
    for place, fields in changed.items():
        steps[place] = _changed(steps[place], fields)
    return recipe.with_steps(steps) if changed else recipe


def _changed(step: Step, fields: dict[str, Any]) -> Step:
    given = {name: getattr(step, name) for name in step.model_fields_set}
    return make_step(step.name, **{**given, **fields})


def _mark(row: Row) -> str:
    told = json.dumps([row.source, sorted((name, str(value)) for name, value in row.own.items())])
    return hashlib.sha256(told.encode()).hexdigest()[:6]


def models_of(recipe: Recipe) -> tuple[str, ...]:
    """The models that a recipe asks, each once."""
    return tuple(dict.fromkeys(step.model for step in recipe.all_steps() if isinstance(step, ModelStep)))
