"""Recipes as people write them: YAML or JSON, from a file, from the gallery or as text, every fault with its line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from reelflow.errors import BadInput, BadRecipe, Fault
from reelflow.home import expanded
from reelflow.recipe import Lines, Recipe, parse_recipe

# In a wheel they lie within the package, in a checkout beside it.
_WITHIN = Path(__file__).parent / "recipes"
GALLERY = _WITHIN if _WITHIN.is_dir() else Path(__file__).parent.parent / "recipes"
"""The folder of recipes that come with reelflow; one is asked for by its name."""

_MAX_BYTES = 256 * 1024
_MAX_NODES = 5000


class _Loader(yaml.SafeLoader):
    """YAML without its surprises: `9:16` and `on` are texts, and so is a date."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found
            if tag not in ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:int", "tag:yaml.org,2002:float",
                           "tag:yaml.org,2002:bool")]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _tag, _pattern, _first in (
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("int", r"^[-+]?[0-9]+$", "-+0123456789"),
    ("float", r"^[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?$", "-+0123456789."),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), list(_first))


def load_recipe(asked: str | Path | dict[str, Any], *, folder: Path | None = None) -> Recipe:
    """A recipe from a file, from the gallery by its name, from YAML or JSON as text, or from plain values.

    Files that its steps name are found from the recipe's own folder on, else from `folder` (the current one).

    Raises:
        BadInput: there is no such file.
        BadRecipe: all that is wrong with it, each with its line and its step.
    """
    beside = folder or Path.cwd()
    if isinstance(asked, dict):
        return parse_recipe(asked).in_folder(beside)
    if isinstance(asked, str) and "\n" in asked.strip():
        return parse_text(asked, name="recipe").in_folder(beside)
    path = _find(str(asked), beside)
    return parse_text(_read(path), name=path.stem).in_folder(path.parent)


def parse_text(text: str, *, name: str) -> Recipe:
    """A recipe from YAML (or JSON, which is YAML too); `name` is its own where it says none.

    Raises:
        BadRecipe: all that is wrong with it, each with its line and its step.
    """
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            raise BadRecipe(name, (Fault("", "", "it is empty: a recipe has `steps:`"),))
        lines: Lines = {}
        values = _Reading(loader, lines).value(node, ())
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        said = error.problem or error.context or "it can't be read"
        said = said if isinstance(error, _Unusable) else f"it is not YAML: {said}"
        raise BadRecipe(name, (Fault("", "", said, line=line),)) from None
    except (yaml.YAMLError, RecursionError):
        raise BadRecipe(name, (Fault("", "", "it can't be read as YAML, or is nested too deep"),)) from None
    finally:
        loader.dispose()
    return parse_recipe(values, name=name, lines=lines)


class _Unusable(yaml.MarkedYAMLError):
    """YAML that no recipe can be made of."""


class _Reading:
    """Turns nodes into plain values, and notes where each lies."""

    def __init__(self, loader: _Loader, lines: Lines) -> None:
        self._loader, self._lines, self._seen = loader, lines, 0

    def value(self, node: yaml.Node, place: tuple[str | int, ...], within: tuple[yaml.Node, ...] = ()) -> Any:
        self._seen += 1
        if node in within:
            raise _Unusable(problem="it refers to itself", problem_mark=node.start_mark)
        if self._seen > _MAX_NODES:
            # A few aliases of aliases are a billion values.
            raise _Unusable(problem="it is far too large", problem_mark=node.start_mark)
        self._lines[place] = node.start_mark.line + 1
        if isinstance(node, yaml.SequenceNode):
            return [self.value(one, (*place, index), (*within, node)) for index, one in enumerate(node.value)]
        if isinstance(node, yaml.MappingNode):
            made: dict[str, Any] = {}
            for key, one in node.value:
                name = str(self._loader.construct_object(key))
                if name in made:
                    raise _Unusable(problem=f"{name!r} stands here twice", problem_mark=key.start_mark)
                made[name] = self.value(one, (*place, name), (*within, node))
                self._lines[*place, name] = key.start_mark.line + 1
            return made
        return self._loader.construct_object(node)


def _find(asked: str, beside: Path) -> Path:
    path = beside / expanded(asked)
    if path.is_file():
        return path.absolute()
    known = GALLERY / f"{asked}.yaml"
    if "/" not in asked and known.is_file():
        return known
    names = ", ".join(gallery()) or "none"
    if path.is_dir():
        raise BadInput(f"{asked} is a folder: give a recipe's file, or a name from the gallery ({names}).",
                       field="recipe")
    raise BadInput(f"There is no recipe {asked}: give a file, or a name from the gallery ({names}).", field="recipe")


def gallery() -> tuple[str, ...]:
    """The names of the recipes that come with reelflow."""
    return tuple(sorted(path.stem for path in GALLERY.glob("*.yaml")))


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise BadInput(f"{path} is larger than a recipe can be ({_MAX_BYTES // 1024} KiB).", field="recipe")
        return path.read_text("utf-8-sig")
    except OSError as error:
        raise BadInput(f"The recipe {path} can't be read: {error.strerror}.", field="recipe") from None
    except UnicodeDecodeError:
        raise BadInput(f"The recipe {path} is not text in UTF-8.", field="recipe") from None


def write_text(recipe: Recipe) -> str:
    """A recipe as YAML that `load_recipe` reads back as the same recipe; what nobody set is left away."""
    told = recipe.model_dump(mode="json", exclude_defaults=True, exclude_none=True)
    steps, outputs = told.pop("steps", ()), told.pop("outputs", ())
    whole = {"name": recipe.name, **told, "steps": [_in_short(entry) for entry in steps]}
    if outputs:
        whole["outputs"] = outputs
    return yaml.safe_dump(whole, sort_keys=False, allow_unicode=True, width=100)


def _in_short(entry: dict[str, Any]) -> dict[str, Any] | str:
    """A step without fields by its name alone."""
    (name, fields), = entry.items()
    return entry if fields else str(name)
