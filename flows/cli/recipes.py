"""`reelflow recipe` and `reelflow approve`: pipelines of many steps."""

from __future__ import annotations

import asyncio
import json as json_
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from flows.cli.films import Flag, Telling, beside_here
from flows.cli.prefect_api import told_of_prefect
from flows.cli.start import run_one, tell_estimate
from flows.cli.terminal import escape, say_json, show_rows, wide_console
from reelflow.ahead import preparing_ahead
from reelflow.amounts import spell_usd
from reelflow.assumed import assumed_source
from reelflow.compile import Known, compile_recipe
from reelflow.delivery import checked_destination
from reelflow.errors import BadInput
from reelflow.home import expanded
from reelflow.media.probe import expect_files, probe
from reelflow.model_step import ModelStep
from reelflow.plan import Plan
from reelflow.preflight import check_models, preflight, probe_files
from reelflow.recipe import Recipe
from reelflow.recipe_file import gallery, load_recipe
from reelflow.settings import read_settings
from reelflow.sources import is_address, source_stem, stage_source

recipe = App(name="recipe", help="Pipelines of many steps, written down as data.", result_action="return_value")


@recipe.command(name="run")
def run_recipe(
    file: str, source: str, /, *, output: Annotated[str | None, Parameter(alias="-o")] = None,
    overwrite: Annotated[bool, Flag] = False, max_cost_usd: float | None = None, preview_seconds: float | None = None,
    yes: Annotated[bool, Flag] = False, estimate: Annotated[bool, Flag] = False,
    refresh: Annotated[bool, Flag] = False, strict: Annotated[bool, Flag] = False, telling: Telling = Telling(),
) -> int:
    """Run a recipe on a source.

    Parameters
    ----------
    file
        A recipe file (YAML or JSON), or the name of one from the gallery.
    source
        A film or a picture: a path, an http(s) address, or `sample`.
    output
        A folder for the files, or, where the recipe makes one file, its name. Default: this folder.
    overwrite
        Replace the outputs where they exist.
    max_cost_usd
        Refuse before anything is bought where the run would cost more.
    preview_seconds
        First run the first model on so many seconds, and stop with the price of the whole.
    yes
        Go on where the recipe asks for a preview: it was looked at.
    estimate
        Plan and price only; buy nothing.
    refresh
        Buy again what was already bought and kept.
    strict
        Take a warning about the film as an error.
    """
    expect_files()
    found = load_recipe(file)
    found = found.changed(strict=found.strict or strict)
    where = beside_here(output)
    settings = read_settings()
    plan = asyncio.run(preflight(
        found, source, settings,
        checked_destination(settings.work_dir, where, overwrite or found.preview is not None),
        estimate=estimate, refresh=refresh, max_cost_usd=max_cost_usd, delivers=is_address(where),
    ))
    parameters: dict[str, Any] = {
        "source": source, "recipe": _as_named(file), "output": where, "overwrite": overwrite,
        "max_cost_usd": max_cost_usd, "preview_seconds": preview_seconds, "estimate": estimate, "refresh": refresh,
        "strict": strict, "approve": yes,
    }
    given = {name: value for name, value in parameters.items() if value is not None}
    if estimate and tell_estimate(
        plan, source, settings, refresh=refresh, as_json=telling.json, quiet=telling.quiet
    ):
        return 0
    is_whole = yes or (found.preview is None and not preview_seconds)
    with preparing_ahead(plan if is_whole and not estimate else None, settings, strict=found.strict):
        return run_one("pipeline", given, as_json=telling.json, quiet=telling.quiet, called=found.name)


@recipe.command
def check(file: str, /, *, json: Annotated[bool, Flag] = False) -> int:
    """Check a recipe without a source: its steps, their order, its files, models and outputs, each fault with its line.

    Parameters
    ----------
    file
        A recipe file, or the name of one from the gallery.
    json
        Print one JSON object.
    """
    found = load_recipe(file)
    asyncio.run(_check(found))
    if json:
        say_json({"status": "completed", "recipe": found.name, "steps": len(found.work), "error": None})
    else:
        steps, files = len(found.work), max(1, len(found.outputs))
        wide_console().print(f"[bold green]✓[/] {escape(found.name)}: {steps} step{'' if steps == 1 else 's'}, "
                             f"{files} file{'' if files == 1 else 's'}, nothing wrong")
    return 0


async def _check(found: Recipe) -> None:
    settings = read_settings()
    check_models(found, settings.model_table)
    files = await probe_files(found)
    compile_recipe(found, assumed_source(found), Known(settings.model_table, files))


@recipe.command
def explain(file: str, source: str, /, *, commands: Annotated[bool, Flag] = False,
            json: Annotated[bool, Flag] = False) -> int:
    """Say what a recipe would do with a source: its phases, jobs, seconds and price. Nothing is sent or bought.

    Parameters
    ----------
    file
        A recipe file, or the name of one from the gallery.
    source
        A film or a picture: a path, an http(s) address, or `sample`.
    commands
        Print each phase's ffmpeg command too.
    json
        Print one JSON object.
    """
    found = load_recipe(file)
    plan = asyncio.run(_plan(found, source))
    from reelflow.explain import explain as told_of

    told = told_of(plan)
    cost = None if plan.cost_usd is None else float(plan.cost_usd)
    if json:
        say_json({
            "status": "completed", "recipe": plan.name, "billed_seconds": plan.seconds, "cost_usd": cost,
            "phases": [{"title": one.title, "facts": dict(one.facts), "command": list(one.command)} for one in told],
            "outputs": [output.name for output in plan.finish.outputs], "error": None,
        })
        return 0
    console = wide_console()
    for one in told:
        console.print(f"[bold]{escape(one.title)}[/]")
        show_rows(console, [(f"  {name}", value) for name, value in one.facts])
        if commands and one.command:
            console.print(f"  [dim]{escape(one.shown)}[/]")
    price = spell_usd(cost, unknown="at an unknown price")
    jobs = plan.purchases
    console.print(f"\n{jobs} job{'' if jobs == 1 else 's'}, {plan.seconds:.2f} s, {price}")
    for warning in plan.warnings:
        console.print(f"[yellow]note[/] {escape(warning)}")
    return 0


async def _plan(found: Recipe, source: str) -> Plan:
    import tempfile

    from reelflow.media.run import find_ffmpeg

    settings = read_settings()
    check_models(found, settings.model_table)
    files = await probe_files(found)
    with tempfile.TemporaryDirectory(prefix="reelflow-") as folder:
        path = await stage_source(
            source, Path(folder), work_dir=settings.work_dir, ffmpeg=find_ffmpeg(settings.ffmpeg),
            max_bytes=settings.max_source_bytes, allow_private=settings.private_sources, picture=found.takes_picture,
        )
        clip = await probe(path)
    return compile_recipe(found, clip, Known(settings.model_table, files, stem=source_stem(source)))


@recipe.command
def schema() -> int:
    """The JSON Schema of recipes, for editors that complete and check them as you type."""
    made = Recipe.model_json_schema()
    made["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    wide_console().print_json(json_.dumps(made, ensure_ascii=False))
    return 0


@recipe.command
def steps(*, json: Annotated[bool, Flag] = False) -> int:
    """The steps that a recipe can have.

    Parameters
    ----------
    json
        Print one JSON object.
    """
    from reelflow.step import STEPS

    rows = [(name, step.about(), issubclass(step, ModelStep))
            for name, step in sorted(STEPS.items())]
    if json:
        say_json({"steps": [{"name": name, "about": about, "model": buys} for name, about, buys in rows]})
        return 0
    show_rows(wide_console(), [(name, about + (" (buys a job)" if buys else "")) for name, about, buys in rows])
    return 0


@recipe.command(name="list")
def list_recipes(*, json: Annotated[bool, Flag] = False) -> int:
    """The recipes that come with reelflow.

    Parameters
    ----------
    json
        Print one JSON object.
    """
    found = [load_recipe(name) for name in gallery()]
    if json:
        say_json({"recipes": [{"name": one.name, "about": one.about} for one in found]})
        return 0
    show_rows(wide_console(), [(one.name, one.about) for one in found])
    return 0


def approve(run: str, /, *, prompt: str | None = None, refuse: Annotated[bool, Flag] = False) -> int:
    """Answer a run that waits for a person to look at its preview.

    Parameters
    ----------
    run
        The flow run's id, or its name.
    prompt
        Go on with another prompt for the first model.
    refuse
        End the run; nothing more is bought.
    """
    if refuse and prompt:
        raise BadInput("Give --prompt or --refuse, not both.", field="refuse")
    from flows.cli.waiting import answer_run

    decision = "refuse" if refuse else "approve"
    with told_of_prefect():
        name = asyncio.run(answer_run(run, {"decision": decision, "prompt": prompt or ""}))
    wide_console().print(f"[bold green]✓[/] {escape(name)}: {'refused' if refuse else 'approved'}")
    return 0


def _as_named(file: str) -> str:
    """A recipe as the flow gets it: a path that holds wherever it runs, or a name of the gallery."""
    path = expanded(file)
    return str(path.absolute()) if path.is_file() else file
