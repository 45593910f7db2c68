"""The five jobs and the demo on the command line."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from flows.cli.start import run_one, tell_estimate
from reelflow.ahead import preparing_ahead
from reelflow.choices import Codec, Fit, Keep, Quality, Rate
from reelflow.delivery import checked_destination
from reelflow.errors import BadInput
from reelflow.home import expanded
from reelflow.media.probe import expect_files
from reelflow.models import Point
from reelflow.plan import Plan
from reelflow.preflight import preflight
from reelflow.recipe import make_step, make_trim, plain_recipe
from reelflow.settings import Settings, read_settings
from reelflow.sources import is_address, path_of
from reelflow.trajectory import PRESETS, parse_path, preset_path, read_trajectory

Flag = Parameter(negative=(), show_default=False)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Telling:
    """How the run is told."""

    json: Annotated[bool, Flag] = False
    "Print exactly one JSON object on standard output."
    quiet: Annotated[bool, Parameter(negative=(), alias="-q", show_default=False)] = False
    "Print nothing but the output's path."


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Common(Telling):
    """What all five jobs have in common."""

    output: Annotated[str | None, Parameter(alias="-o")] = None
    "The finished file, or a folder for it. Default: a name made of the source's, in this folder."
    overwrite: Annotated[bool, Flag] = False
    "Replace the output where it exists."
    seed: int | None = None
    "0 to 4294967295; the same seed makes the same picture."
    enhance_prompt: bool | None = None
    "Whether the model may write your prompt out (its own default: yes)."
    fit: Fit = Fit.PAD
    "How the picture gets into the model's frame."
    size: Keep = Keep.SOURCE
    "Whose size the finished file has."
    max_cost_usd: float | None = None
    "Refuse before anything is bought where the run would cost more."
    estimate: Annotated[bool, Flag] = False
    "Plan and price only; buy nothing."
    refresh: Annotated[bool, Flag] = False
    "Buy again what was already bought and kept."
    strict: Annotated[bool, Flag] = False
    "Take a warning about the film as an error."


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Film(Common):
    """What the jobs on films have in common."""

    start: str | None = None
    "Where the span begins: seconds or HH:MM:SS.mmm."
    end: str | None = None
    "Where the span ends."
    duration: str | None = None
    "How long the span is, in place of its end."
    rate: Rate = Rate.SOURCE
    "Whose frame rate the finished film has; smooth is the source's, with pictures made up in between (slow)."
    sound_track: int | None = None
    "Which of the source's sound tracks is kept, counted from 1. Default: all of them."
    codec: Codec | None = None
    "How the film is encoded. Default: what its container usually holds (H.264 in MP4)."
    quality: Quality = Quality.GOOD
    "How much of the picture is kept, against how large the file gets."


def _run(name: str, common: Common, source: str, asked: dict[str, Any]) -> int:
    """Check all that can be checked at once, then run the flow `name`, whose parameters are these."""
    expect_files()
    given = asdict(common)
    as_json, quiet = given.pop("json"), given.pop("quiet")
    output = beside_here(given.pop("output"))
    first = "image" if name in ("motion", "image") else "source"
    # What was not given is left to the flow's own defaults.
    parameters = {first: source, "output": output} | {
        field: value for field, value in {**given, **asked}.items() if value is not None}
    settings = read_settings()
    plan = asyncio.run(_preflight(
        name, {field: value for field, value in parameters.items() if field != first}, source, settings))
    if common.estimate and tell_estimate(
        plan, source, settings, refresh=common.refresh, as_json=as_json, quiet=quiet
    ):
        return 0
    with preparing_ahead(None if common.estimate else plan, settings, strict=common.strict):
        return run_one(name, parameters, as_json=as_json, quiet=quiet)


async def _preflight(name: str, asked: dict[str, Any], source: str, settings: Settings) -> Plan | None:
    """Check what the flow would be run with, in a second, before Prefect is started; gives the plan to be made."""
    output, overwrite = asked.pop("output"), asked.pop("overwrite", False)
    limit, estimate = asked.pop("max_cost_usd", None), asked.pop("estimate", False)
    refresh = asked.pop("refresh", False)
    strict, is_film = asked.pop("strict", False), name != "image"
    outer = {field: asked.pop(field) for field in ("codec", "quality", "sound_track") if field in asked}
    trim = make_trim(asked.pop("start", None), asked.pop("end", None), asked.pop("duration", None))
    recipe = plain_recipe(name, make_step(name, **asked), trim=trim, strict=strict, is_film=is_film, **outer)
    if not settings.uses_standin:
        import reelflow.job.client  # noqa: F401 - the queue is asked last; until it's imported, the prober has started
    return await preflight(recipe, source, settings, checked_destination(settings.work_dir, output, overwrite),
                           estimate=estimate, refresh=refresh, max_cost_usd=limit, delivers=is_address(output))


def beside_here(output: str | None) -> str:
    """A command's output lies in the folder that it's called in, a deployment's in the work folder."""
    if output is None:
        return f"{Path.cwd()}/"
    if is_address(output):
        return output
    # The last part stays as it is: a link is replaced, not what it points to.
    asked = expanded(output)
    there = str(asked.resolve() if asked.name in ("", "..") else asked.parent.resolve() / asked.name)
    return f"{there}/" if output.endswith("/") else there


def restyle(source: str, /, *, prompt: str | None = None, reference_image: Path | None = None,
            model: str = "lucy-restyle-2", common: Film = Film()) -> int:
    """Give a film another look, from a prompt or from a picture (one of the two).

    Parameters
    ----------
    source
        A film: a path, an http(s) address, or `sample`.
    prompt
        The look, in words.
    reference_image
        A picture that has the look.
    model
        The model to ask; `reelflow models` lists them.
    """
    return _run("restyle", common, source, {
        "prompt": prompt, "reference_image": _text(reference_image), "model": model,
    })


def edit(source: str, /, *, prompt: str | None = None, reference_image: Path | None = None, model: str = "lucy-2.5",
         self_anchor: bool | None = None, common: Film = Film()) -> int:
    """Change something in a film and leave the rest.

    Parameters
    ----------
    source
        A film: a path, an http(s) address, or `sample`.
    prompt
        What changes, in words.
    reference_image
        A picture of what comes into the film.
    model
        The model to ask; `reelflow models` lists them.
    self_anchor
        lucy-2.5 only: whether the model anchors on its own frames (its own default: yes).
    """
    return _run("edit", common, source, {
        "prompt": prompt, "reference_image": _text(reference_image), "model": model,
        "self_anchor": self_anchor,
    })


def tryon(source: str, /, *, prompt: str | None = None, reference_image: Path | None = None,
          model: str = "lucy-vton-3", common: Film = Film()) -> int:
    """Dress the person in a film in the garment of a picture.

    Parameters
    ----------
    source
        A film: a path, an http(s) address, or `sample`.
    prompt
        The garment, in words.
    reference_image
        A picture of the garment.
    model
        The model to ask; `reelflow models` lists them.
    """
    return _run("tryon", common, source, {
        "prompt": prompt, "reference_image": _text(reference_image), "model": model,
    })


def motion(image: str, /, *, trajectory: Path | None = None, path: str | None = None, preset: str | None = None,
           prompt: str | None = None, model: str = "lucy-motion", codec: Codec | None = None,
           quality: Quality = Quality.GOOD, common: Common = Common()) -> int:
    """Animate a picture along a path: a film of 5 s.

    Parameters
    ----------
    image
        A picture: a path, an http(s) address, or `sample`.
    trajectory
        A JSON file: [{"frame": 0, "x": 0.2, "y": 0.5}, …], 25 frames a second, places from 0 to 1.
    path
        The same in short: "0:0.2,0.5 60:0.5,0.3 124:0.8,0.5".
    preset
        A path by name: pan-right, pan-left, tilt-up, tilt-down, push-in, arc, sway.
    prompt
        What happens, in words.
    model
        The model to ask; `reelflow models` lists them.
    codec
        How the film is encoded. Default: what its container usually holds (H.264 in MP4).
    quality
        How much of the picture is kept, against how large the file gets.
    """
    points = _one_path(trajectory, path, preset)
    return _run("motion", common, image, {
        "trajectory": [asdict(point) for point in points], "prompt": prompt, "model": model, "codec": codec,
        "quality": quality,
    })


def _one_path(trajectory: Path | None, path: str | None, preset: str | None) -> tuple[Point, ...]:
    given: list[tuple[str, Callable[[], tuple[Point, ...]]]] = []
    if trajectory is not None:
        given.append(("--trajectory", partial(read_trajectory, trajectory)))
    if path is not None:
        given.append(("--path", partial(parse_path, path)))
    if preset is not None:
        given.append(("--preset", partial(preset_path, preset)))
    if len(given) != 1:
        names = " and ".join(name for name, _ in given) or "none of them"
        raise BadInput(f"Give one of --trajectory, --path and --preset ({', '.join(PRESETS)}); this has {names}.",
                       field="trajectory")
    return given[0][1]()


def image(image: str, /, *, prompt: str | None = None, reference_image: Path | None = None,
          model: str = "lucy-image-2", resolution: str | None = None, common: Common = Common()) -> int:
    """Edit a picture.

    Parameters
    ----------
    image
        A picture: a path, an http(s) address, or `sample`.
    prompt
        What changes, in words.
    reference_image
        A picture of what comes in.
    model
        The model to ask; `reelflow models` lists them.
    resolution
        720p or 480p (cheaper).
    """
    return _run("image", common, image, {
        "prompt": prompt, "reference_image": _text(reference_image), "model": model,
        "resolution": resolution,
    })


def demo(*, output: Annotated[Path, Parameter(alias="-o")] = Path("reelflow-demo"),
         telling: Telling = Telling()) -> int:
    """Make a sample clip with sound, restyle it, edit it, animate a still of it, and say where everything lies.

    Parameters
    ----------
    output
        The folder for the films and pictures.
    """
    from flows.cli.showcase import run_demo

    return run_demo(expanded(output).absolute(), as_json=telling.json, quiet=telling.quiet)


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path_of(path))

