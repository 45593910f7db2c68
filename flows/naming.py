"""Flow runs' names that say what runs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Self

from prefect.context import FlowRunContext

from reelflow.sources import source_stem

# What Prefect calls a run that nobody has named: `legendary-scorpion`.
_BY_CHANCE = re.compile(r"[a-z]+-[a-z]+")

Name = Callable[[Mapping[str, Any]], str]


class NamedBy(str):
    """The name of a flow's runs, as a function of their parameters; one that a person has given stays, but
    for two small words with a hyphen, which is how Prefect names a run.

    Prefect formats a name that is text with the parameters that it has at hand; for a name that is a function they have
    to be asked of the server, by a client of its own, before anything else begins.
    """

    __slots__ = ("_name",)
    _name: Name

    def __new__(cls, name: Name) -> Self:
        """The name that `name` makes of the parameters."""
        made = super().__new__(cls, name.__name__)
        made._name = name
        return made

    def __reduce__(self) -> tuple[type[Self], tuple[Name]]:
        return type(self), (self._name,)

    def format(self, *_: object, **parameters: object) -> str:
        """The name for these parameters."""
        return _given() or self._name(parameters)


def _given() -> str | None:
    """What a person has called the run that begins."""
    context = FlowRunContext.get()
    name = context.flow_run.name if context is not None and context.flow_run is not None else None
    return None if name is None or _BY_CHANCE.fullmatch(name) else name


def named_after_clip(flow: str) -> NamedBy:
    """The flow, the source, the beginning of the prompt."""
    def name(asked: Mapping[str, Any]) -> str:
        source = str(asked.get("source") or asked.get("image") or "")
        prompt = str(asked.get("prompt") or "")
        shown = f"{prompt[:40].strip()}…" if len(prompt) > 40 else prompt
        return " · ".join(filter(None, (f"{flow} {source_stem(source)}", shown)))

    return NamedBy(name)
