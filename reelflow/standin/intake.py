"""A form's fields, read as leniently as the queue reads them and checked by the rules of its model."""

from __future__ import annotations

import ast
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reelflow.errors import BadInput, BadMedia
from reelflow.media.probe import Probe, probe
from reelflow.models import Kind, Model, Point, check_form
from reelflow.standin.form import Form
from reelflow.standin.render import Order
from reelflow.trajectory import read_trajectory

_TRUE = {"true", "1", "yes", "on", "t", "y"}
_FALSE = {"false", "0", "no", "off", "f", "n"}
_PICTURE_FPS = 25
_RESTYLE_BYTES = 100 * 2**20


class Unprocessable(Exception):
    """A request that breaks a rule: what a 422 says about it."""

    def __init__(self, *where: str, message: str, kind: str = "value_error", sent: object = None) -> None:
        super().__init__(message)
        self.detail: dict[str, Any] = {"type": kind, "loc": list(where), "msg": message, "input": sent}


@dataclass(frozen=True, slots=True)
class Sent:
    """The form's values, read but not yet checked."""

    prompt: str | None
    seed: int | None
    resolution: str | None
    enhance_prompt: bool | None
    self_anchor: bool | None
    trajectory: tuple[Point, ...] | None


async def read_order(model: Model, form: Form) -> Order:
    """What the form asks for, all its rules checked and its files looked into. Raises Unprocessable."""
    _check_file(form, "data", required=True)
    has_reference = _check_file(form, "reference_image", required=False)
    try:
        sent = _read(form)
        check_form(
            model, prompt=sent.prompt, has_reference_image=has_reference, seed=sent.seed, resolution=sent.resolution,
            enhance_prompt=sent.enhance_prompt, self_anchor=sent.self_anchor, trajectory=sent.trajectory,
        )
    except BadInput as error:
        field = error.field or "data"
        missing = form.part(field) is None
        raise Unprocessable(
            "body", field, message=error.message, kind="missing" if missing else "value_error",
            sent=form.texts.get(field),
        ) from None
    source = await _look_into(form, "data", model.kind.source)
    if has_reference:
        await _look_into(form, "reference_image", "picture")
    _check_length(model, form, source)
    upright = source.shown.height > source.shown.width
    width, height = _frame(model, sent.resolution)
    return Order(
        kind=model.kind, width=height if upright else width, height=width if upright else height,
        fps=model.fps or _PICTURE_FPS, seconds=model.seconds or _seconds(source), prompt=sent.prompt or "",
        seed=sent.seed or 0, has_reference=has_reference, trajectory=sent.trajectory,
    )


def _check_file(form: Form, name: str, *, required: bool) -> bool:
    part = form.part(name)
    if part is None:
        if required:
            raise Unprocessable("body", name, message="Field required", kind="missing")
        return False
    if part.path is None:
        raise Unprocessable(
            "body", name, message=f"Expected a file for {name}: send it with a filename.", sent=part.text
        )
    return True


def _read(form: Form) -> Sent:
    texts = form.texts
    seed = texts.get("seed")
    if seed is not None and not (seed.strip().removeprefix("-").isdecimal() and seed.isascii() and len(seed) < 20):
        raise BadInput(f"The seed {seed[:40]!r} is not a whole number.", field="seed")
    return Sent(
        prompt=texts.get("prompt"), seed=None if seed is None else int(seed), resolution=texts.get("resolution"),
        enhance_prompt=_boolean(texts, "enhance_prompt"), self_anchor=_boolean(texts, "self_anchor"),
        trajectory=_trajectory(texts["trajectory"]) if "trajectory" in texts else None,
    )


def _boolean(texts: dict[str, str], name: str) -> bool | None:
    if name not in texts:
        return None
    word = texts[name].strip().lower()
    if word not in _TRUE | _FALSE:
        raise BadInput(f"{name} is {texts[name][:40]!r}; it must be true or false.", field=name)
    return word in _TRUE


def _trajectory(text: str) -> tuple[Point, ...]:
    """From JSON, or from what Python's str() makes of the same list: an older official SDK sends that."""
    try:
        rows = json.loads(text)
    except (ValueError, RecursionError):
        try:
            rows = ast.literal_eval(text)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            raise BadInput("The trajectory is not a JSON array of points.", field="trajectory") from None
    if not isinstance(rows, list):
        raise BadInput("The trajectory is not a JSON array of points.", field="trajectory")
    return read_trajectory(rows)


async def _look_into(form: Form, name: str, wanted: str) -> Probe:
    part = form.part(name)
    path = part.path if part else None
    assert path is not None
    noun = "a video" if wanted == "film" else "an image"
    try:
        found = await probe(path)
    except (BadInput, BadMedia) as error:
        why = error.message.removeprefix(f"{path} ")
        raise Unprocessable("body", name, message=f"{name} {why}") from None
    if found.is_picture != (wanted == "picture"):
        raise Unprocessable("body", name, message=f"{name} is not {noun}.")
    return found


def _check_length(model: Model, form: Form, source: Probe) -> None:
    if model.kind is Kind.RESTYLE and source.size_bytes > _RESTYLE_BYTES:
        raise Unprocessable("body", "data", message=f"data is larger than {_RESTYLE_BYTES} bytes.")
    if model.max_seconds is not None and _seconds(source) > model.max_seconds + 0.1:
        raise Unprocessable(
            "body", "data",
            message=f"data is {_seconds(source):.1f} s long; {model.name} takes {model.max_seconds:g} s.",
        )


def _seconds(source: Probe) -> float:
    return 0.0 if source.is_picture else source.seconds


def _frame(model: Model, resolution: str | None) -> tuple[int, int]:
    if resolution != "480p":
        return model.width, model.height
    return round(model.width * 480 / model.height / 16) * 16, 480


def take(form: Form, folder: Path) -> None:
    """Give the form's files the names that a job's folder has for them; drop the others."""
    wanted = {"data": "source", "reference_image": "reference"}
    for part in form.parts:
        if part.path is not None and form.part(part.name) is part and part.name in wanted:
            part.path.rename(folder / wanted[part.name])
            part.path = folder / wanted[part.name]
        elif part.path is not None:
            part.path.unlink(missing_ok=True)
