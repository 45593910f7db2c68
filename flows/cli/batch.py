"""`reelflow batch`: a recipe, or one of the five jobs, on many clips."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from flows.cli.films import Flag, Telling, beside_here
from flows.cli.start import check_prefect_home, run_until_stopped, with_log
from flows.cli.terminal import escape, say, say_failed, say_json, show_rows, shown_phases, wide_console
from reelflow.amounts import spell_usd
from reelflow.batch import JOBS, models_of, results_of
from reelflow.clip_list import check_apart
from reelflow.errors import BadInput, ClipsFailed
from reelflow.home import expanded
from reelflow.manifest import read_manifest
from reelflow.media.probe import expect_files
from reelflow.preflight import check_models, check_queue, probe_files, read_limit
from reelflow.settings import read_settings
from reelflow.sources import show_source

MOST_SHOWN = 5


def batch(
    what: str, sources: str, /, *, prompt: str | None = None, reference_image: Path | None = None,
    model: str | None = None, seed: int | None = None,
    set: Annotated[tuple[str, ...], Parameter(negative=(), show_default=False)] = (),
    output: Annotated[str | None, Parameter(alias="-o")] = None, max_cost_usd: float | None = None, window: int = 8,
    jobs_at_once: int | None = None, max_failures: int | None = None, part: str | None = None,
    overwrite: Annotated[bool, Flag] = False, estimate: Annotated[bool, Flag] = False,
    refresh: Annotated[bool, Flag] = False, strict: Annotated[bool, Flag] = False,
    yes: Annotated[bool, Flag] = False, telling: Telling = Telling(),
) -> int:
    """Run a recipe, or one of the five jobs, on many clips. Run again, it makes only what is missing.

    Parameters
    ----------
    what
        restyle, edit, tryon, motion or image; or a recipe: a file, or the name of one from the gallery.
    sources
        A folder, a glob in quotes, a prefix such as s3://bucket/in/, or a list: .txt, or .csv and .jsonl with a column
        `source` and a column for each parameter that differs from clip to clip.
    prompt
        What is asked, in words.
    reference_image
        A picture to go by.
    model
        The model to ask; `reelflow models` lists them.
    seed
        0 to 4294967295.
    set
        A further parameter, NAME=VALUE, such as duration=5; may be given several times.
    output
        The folder for the films, or a prefix such as s3://bucket/out/. Default: WHAT-batch in this folder.
    max_cost_usd
        Refuse before anything is bought where all clips together would cost more.
    window
        Clips that are worked on at a time.
    jobs_at_once
        Jobs that may be on the queue at a time. Default: REELFLOW_JOBS_AT_ONCE (4).
    max_failures
        Begin no more clips once so many have failed.
    part
        2/4 takes every fourth clip, from the second on.
    overwrite
        Replace results where they exist.
    estimate
        Plan and price only; buy nothing.
    refresh
        Buy again what was already bought and kept.
    strict
        Take a warning about a film as that clip's error.
    yes
        Go on where the recipe asks for a preview: it was looked at, on one clip.
    """
    job = what if what in JOBS else None
    recipe = "" if job else _as_named(what)
    name = job or Path(what).stem
    asked = {"prompt": prompt, "reference_image": None if reference_image is None else str(reference_image.absolute()),
             "model": model, "seed": seed, **_pairs(set)}
    given = {field: value for field, value in asked.items() if value is not None}
    parameters: dict[str, Any] = {
        "sources": _as_here(sources), "recipe": recipe, "job": job, "parameters": given,
        "output": beside_here(output or f"{name}-batch/"), "max_cost_usd": max_cost_usd, "window": window,
        "jobs_at_once": jobs_at_once, "max_failures": max_failures, "part": part or "", "overwrite": overwrite,
        "estimate": estimate, "refresh": refresh, "strict": strict, "approve": yes,
    }
    return _run(parameters, as_json=telling.json, quiet=telling.quiet)


def _run(parameters: dict[str, Any], *, as_json: bool, quiet: bool) -> int:
    if not (quiet or as_json):
        say("reelflow batch: looking at what is asked …")
    expect_files()
    check_prefect_home()
    asyncio.run(_preflight(parameters))
    from flows.batch import batch as flow
    from flows.batch import manifest_name

    told: dict[str, Any]
    code = 0
    try:
        with with_log("batch"), shown_phases(quiet=quiet or as_json):
            told = run_until_stopped(flow(**parameters))
    except ClipsFailed as failed:
        code = 3 if failed.summary["status"] == "undecided" else failed.exit_code
        told = {**failed.summary, "log": None if failed.log is None else str(failed.log)}
    except KeyboardInterrupt:
        name = manifest_name(parameters["part"], estimate=parameters["estimate"])
        output = show_source(parameters["output"])
        manifest = f"{output.rstrip('/')}/{name}"
        again = f"the same again{' without --refresh' if parameters['refresh'] else ''}"
        code, told = 130, {
            "status": "interrupted", "output": output,
            "error": f"Stopped. What was bought is kept, and {manifest} tells of every clip that was begun: run "
                     f"{again} to go on without paying twice.",
        }
    _tell(told, as_json=as_json, quiet=quiet)
    return code


async def _preflight(parameters: dict[str, Any]) -> None:
    """Everything that can be refused before Prefect is started: the list, each row, limits, models, files, queue."""
    from flows.batch import find_clips
    from flows.order import Many

    settings = read_settings()
    Many(parameters["window"], parameters["jobs_at_once"], parameters["max_failures"]).check()
    read_limit(parameters["max_cost_usd"], settings)
    clips = await asyncio.to_thread(
        find_clips, parameters["sources"], parameters["recipe"], parameters["job"], parameters["parameters"],
        parameters["part"], strict=parameters["strict"], approve=parameters["approve"])
    check_apart(parameters["sources"], parameters["output"], results_of(clips), pictures=clips[0].recipe.takes_picture)
    models: dict[str, None] = {}
    for recipe in {clip.recipe.model_dump_json(): clip.recipe for clip in clips}.values():
        check_models(recipe, settings.model_table)
        await probe_files(recipe)
        models |= dict.fromkeys(models_of(recipe))
    if not settings.uses_standin:
        for model in models:
            await check_queue(settings, model)


def _tell(told: dict[str, Any], *, as_json: bool, quiet: bool) -> None:
    if as_json:
        say_json(told)
    if told["error"]:
        say_failed(told["error"], [] if as_json or quiet else _failed_rows(told))
        return
    if as_json:
        return
    console = wide_console()
    if quiet:
        console.print(escape(told["output"]))
        return
    console.print(f"[bold green]✓[/] batch {told['status']}")
    price, estimate = spell_usd(told["cost_usd"]), spell_usd(told["estimated_cost_usd"])
    if told["stand_in"]:
        price += " by the price list (stand-in: not billed)"
    rows = [
        ("clips", f"{told['completed']} of {told['clips']} completed, {told['to_make']} to be made"
                  + (f", {told['failed']} can't be used" if told["failed"] else "")),
        ("price", f"{estimate}, if all are made" if told["status"] == "estimated" else price),
        ("films", told["output"]), ("manifest", told["manifest"]), *_page(told),
    ]
    show_rows(console, rows)


def _failed_rows(told: dict[str, Any]) -> list[tuple[str, str]]:
    price = spell_usd(told.get("cost_usd"))
    return [
        *_worst(told), ("spent", price if "cost_usd" in told else ""), *_page(told),
        ("log", told.get("log") or ""),
    ]


def _page(told: dict[str, Any]) -> list[tuple[str, str]]:
    return [("page", told["page"])] if told.get("page") else []


def _worst(told: dict[str, Any]) -> list[tuple[str, str]]:
    """The first clips that failed in this run, each with why and its page."""
    manifest = told.get("manifest")
    if manifest is None or not Path(manifest).is_file():
        return []
    # It may be the one that the run before has left.
    bad = [line for line in read_manifest(Path(manifest)) if line.error and line.flow_run_id == told["flow_run_id"]]
    more = [("", f"and {len(bad) - MOST_SHOWN} more")] if len(bad) > MOST_SHOWN else []
    rows = [row for line in bad[:MOST_SHOWN] for row in ((line.name, line.error or ""), ("", line.page or ""))]
    return rows + more


def _pairs(given: tuple[str, ...]) -> dict[str, str]:
    made = {}
    for one in given:
        name, sign, value = one.partition("=")
        if not sign or not name.strip():
            raise BadInput(f"--set {one!r} can't be used: write NAME=VALUE, such as duration=5.", field="set")
        made[name.strip()] = value
    return made


def _as_here(sources: str) -> str:
    """Sources as the flow gets them: a path that holds wherever it runs."""
    from reelflow.sources import is_address

    return sources if is_address(sources) else str(expanded(sources).absolute())


def _as_named(recipe: str) -> str:
    path = expanded(recipe)
    return str(path.absolute()) if path.is_file() else recipe
