"""The arrows of a run's graph: which task runs the arguments of a task come from."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from prefect.client.schemas.objects import RunInput
from prefect.context import FlowRunContext
from prefect.utilities.engine import get_state_for_result
from pydantic import BaseModel

from reelflow.recipe import Recipe
from reelflow.report import Report


def arrows_to(parameters: Mapping[str, Any]) -> dict[str, set[RunInput]]:
    """The runs whose results are somewhere in each parameter of a task, as Prefect's own walk finds them.

    That one is made for anything and looks into all arguments twice, a few hundred values for a plan; this one knows
    that values are frozen, and that no futures or states of runs are handed over.
    """
    context = FlowRunContext.get()
    if context is None or not context.run_results:
        return {}
    return {name: _runs_in(value, context.run_results) for name, value in parameters.items()}


def _runs_in(value: Any, known: Mapping[int, Any]) -> set[RunInput]:
    runs: set[RunInput] = set()
    seen: set[int] = set()
    left = [value]
    while left:
        one = left.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if id(one) in known and (linked := get_state_for_result(one)) is not None:
            state, of = linked
            if (run := state.state_details.to_run_result(of)) is not None:
                runs.add(run)
        kind: type = type(one)
        if (parts := _parts_of(kind)) is not None:
            left.extend(parts(one))
    return runs


@functools.cache
def _parts_of(kind: type) -> Callable[[Any], Iterable[Any]] | None:
    """How to get what values of this type hold; None for those that hold nothing that Prefect would look into.

    Nothing in a recipe comes from a task, and a report is looked at as a whole: all that is told comes together in it.
    """
    if issubclass(kind, Recipe | Report):
        return None
    if issubclass(kind, list | tuple | set):
        return iter
    if issubclass(kind, dict):
        return _items
    if is_dataclass(kind):
        names = tuple(field.name for field in fields(kind))
        return lambda one: [getattr(one, name) for name in names]
    return _values if issubclass(kind, BaseModel) else None


def _items(mapping: Mapping[Any, Any]) -> Iterable[Any]:
    return (*mapping.keys(), *mapping.values())


def _values(model: BaseModel) -> Iterable[Any]:
    return dict(model).values()
