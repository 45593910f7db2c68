"""The reference pages, drawn from the code while MkDocs builds: nothing of them is kept, so nothing of them gets old.

A hook of MkDocs (`mkdocs.yml` names it).
"""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from pydantic import BaseModel
from pydantic.fields import FieldInfo

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from deployments import serve  # noqa: E402
from flows.__main__ import app  # noqa: E402
from reelflow import errors  # noqa: E402
from reelflow.model_step import ModelStep  # noqa: E402
from reelflow.models import Model, ModelTable  # noqa: E402
from reelflow.output_spec import OutputSpec, Part, Sheet  # noqa: E402
from reelflow.recipe import Preview, Recipe  # noqa: E402
from reelflow.settings import variables  # noqa: E402
from reelflow.step import STEPS, Step  # noqa: E402


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Put the pages beside those that are written by hand."""
    pages = {
        "command-line": command_line(), "settings": settings(), "recipes": recipes(), "models": models(),
        "errors": error_tree(), "metrics": metrics(),
    }
    for name, text in pages.items():
        files.append(File.generated(config, f"reference/{name}.md", content=text))
    return files


def table(headings: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """A Markdown table."""
    lines = [headings, ("---",) * len(headings), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in line) + " |"
                     for line in lines)


def code(value: object) -> str:
    """A value as code; nothing where there is none."""
    return "" if value is None or value == "" else f"`{value}`"


def _said(kind: type) -> str:
    return inspect.cleandoc(kind.__doc__ or "")


def command_line() -> str:
    """Every command with its help, as `--help` prints it."""
    told = app.generate_docs()
    head, _, rest = told.partition("## Table of Contents")
    rest = rest[rest.index("**Commands**"):]
    codes = ("Exit codes: 0 done, 1 the run failed, 2 bad input or a refusal (nothing was bought), 3 a person must "
             "decide, 130 interrupted.\n\n")
    return head.replace("# reelflow", "# Command line", 1) + codes + rest


def settings() -> str:
    """Every setting with its variable, its default and what it is."""
    rows = [(code(name), code(_default(field)), field.description or "") for name, field in variables().items()]
    ports = [
        ("`REELFLOW_PREFECT_PORT`", code(serve.PREFECT_PORT), "`make serve`: the port of Prefect's server and UI."),
        ("`REELFLOW_STANDIN_PORT`", code(serve.STANDIN_PORT), "`make serve`: the port of the stand-in queue."),
    ]
    return ("# Settings\n\nFrom the environment, or from a file `.env` in the current folder. None of them is ever a "
            "flow parameter, so that no secret lies in Prefect's database. `reelflow doctor` says what is set.\n\n"
            + table(("variable", "default", "what it is"), rows + ports) + "\n")


def _default(field: FieldInfo) -> Any:
    value = _plain(field.get_default(call_default_factory=True))
    return f"{value:g}" if isinstance(value, float) else value


def recipes() -> str:
    """The fields of a recipe, of each step and of outputs."""
    steps = [part for name, step in sorted(STEPS.items()) for part in (f"### {name}", *_step(step))]
    parts = [
        "# Recipes", "A recipe is YAML or JSON. `reelflow recipe check FILE` says all that is wrong with one, and "
        "`reelflow recipe schema` prints the JSON Schema of this page for your editor.",
        "## The whole", _fields(Recipe), "### preview", _said(Preview), _fields(Preview),
        "## Steps", "Each is written as its name and its fields; where a lone value will do, it stands for the field "
        "that is named here.", *steps,
        "## Outputs", _said(OutputSpec), _fields(OutputSpec), "### clip", _said(Part), _fields(Part),
        "### sheet", _said(Sheet), _fields(Sheet),
    ]
    return "\n\n".join(parts) + "\n"


def _step(step: type[Step]) -> Iterator[str]:
    yield _said(step) + (" **Buys a job.**" if issubclass(step, ModelStep) else "")
    if step.short:
        yield f"A lone value is its `{step.short}`."
    if step.model_fields:
        yield _fields(step)


def _fields(model: type[BaseModel]) -> str:
    schema = model.model_json_schema()
    inner = schema.get("$defs", {})
    # A model that holds itself (variants) is one of its own definitions.
    shown = inner[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    rows = []
    for name, field in shown["properties"].items():
        default = "**required**" if name in shown.get("required", ()) else code(_plain(field.get("default")))
        rows.append((code(name), _type(field, inner), default, field.get("description", "")))
    return table(("field", "what it takes", "default", "what it is"), rows)


_LINKS = {
    "Entry": "[a step](#steps)", "OutputSpec": "[an output](#outputs)", "Preview": "[an excerpt](#preview)",
    "Part": "[a part](#clip)", "Sheet": "[rows and columns](#sheet)",
}


def _plain(default: Any) -> Any:
    if isinstance(default, bool):
        return str(default).lower()
    return None if default in ([], {}) else default


def _type(field: dict[str, Any], inner: dict[str, Any]) -> str:  # noqa: PLR0911 - one for each kind of field
    """What a field of a JSON Schema takes, in words."""
    match field:
        case {"$ref": str(ref)}:
            name = ref.rpartition("/")[2]
            return _LINKS.get(name) or _type(inner[name], inner)
        case {"anyOf": list(ways)}:
            return " or ".join(dict.fromkeys(_type(way, inner) for way in ways if way.get("type") != "null"))
        case {"enum": list(values)}:
            return ", ".join(f"`{value}`" for value in values)
        case {"const": value}:
            return f"`{value}`"
        case {"type": "array", "prefixItems": list(items)}:
            return "[" + ", ".join(_type(item, inner) for item in items) + "]"
        case {"type": "array"}:
            return f"a list of: {_type(field.get('items', {}), inner)}"
        case {"type": "object", "title": str(title), "properties": dict(fields)}:
            return _LINKS.get(title) or "fields: " + ", ".join(code(name) for name in fields)
        case {"type": "string", "format": "path"}:
            return "a file"
        case {"type": str(kind)}:
            named = {"integer": "a whole number", "number": "a number", "string": "text", "boolean": "true or false",
                     "object": "fields"}[kind]
            return named + _bounds(field)
    return "anything"


def _bounds(field: dict[str, Any]) -> str:
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    found = [f"{sign} {field[name]:g}" for name, sign in signs.items() if name in field]
    return f" ({', '.join(found)})" if found else ""


def models() -> str:
    """The model table."""
    standard = ModelTable.standard()
    rows = [(code(row.name), row.kind.value, f"{row.width}x{row.height}", str(row.fps or ""), _price(row),
             ", ".join(_limits(row))) for row in standard]
    aliases = [(code(name), code(target)) for name, target in standard.aliases.items()]
    return "\n\n".join((
        "# Models",
        "Frames are for landscape; a portrait source goes out in a portrait frame. Prices are USD for each generated "
        "second (for pictures: each) as published in November 2026. They move: a row in `REELFLOW_MODELS` replaces one "
        "of these, and [adds one that is missing](../how-to/extend.md#a-model). An unknown price is said to be unknown "
        "and is never taken for zero.",
        table(("model", "kind", "frame", "fps", "USD", "limits"), rows),
        "## Also taken", "What a rolling alias stands for is asked of the queue at run time; this is what it was when "
        "the table was written.", table(("name", "stands for"), aliases))) + "\n"


def _price(row: Model) -> str:
    if row.usd is None:
        return "unknown"
    return str(row.usd) + (f" (480p {row.usd_480p})" if row.usd_480p else "")


def _limits(row: Model) -> Iterator[str]:
    yield f"prompt {row.kind.prompt}" if row.kind.prompt != "or-image" else "a prompt or a reference image"
    if row.max_seconds:
        yield f"{row.max_seconds:g} s"
    if row.seconds:
        yield f"makes {row.seconds:g} s"
    if row.retired:
        yield f"retired {row.retired}"


def error_tree() -> str:
    """The tree of errors, and what each one means."""
    tree = re.search(r"(?s)\n    (ReelflowError\n.*?)\n\n", errors.__doc__ or "")
    assert tree is not None

    def walk(kind: type[errors.ReelflowError]) -> Iterator[tuple[str, ...]]:
        yield code(kind.__name__), str(kind.exit_code), _said(kind)
        for below in kind.__subclasses__():
            yield from walk(below)

    drawn = re.sub(r"(?m)^    ", "", tree[1])
    return (f"# Errors\n\nEach is named by what the caller does next.\n\n```text\n{drawn}\n```\n\n"
            + table(("error", "exit code", "what it says"), list(walk(errors.ReelflowError))) + "\n")


def metrics() -> str:
    """What `reelflow metrics` counts, asked of an empty ledger."""
    with tempfile.TemporaryDirectory() as folder:
        told = subprocess.run(
            [sys.executable, "-m", "flows", "metrics"], cwd=ROOT, check=True, capture_output=True, text=True,
            env={name: value for name, value in os.environ.items() if not name.startswith(("REELFLOW_", "DECART_"))}
            | {"REELFLOW_WORK_DIR": folder}).stdout
    kinds = dict(re.findall(r"(?m)^# TYPE (\S+) (\S+)$", told))
    rows = [(code(name), kinds[name], about) for name, about in re.findall(r"(?m)^# HELP (\S+) (.*)$", told)]
    return ("# Metrics\n\n`reelflow metrics` prints them as OpenMetrics text, `reelflow metrics --serve PORT` serves "
            "them at `/metrics`; `deployments/grafana.json` is a dashboard of them for Grafana.\n\n"
            + table(("metric", "kind", "what it is"), rows) + "\n")
