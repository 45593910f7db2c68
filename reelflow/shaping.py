"""The files that come out of the last clip, each worked out to its size, rate and frames; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import PurePosixPath

from reelflow.choices import read_size
from reelflow.errors import BadInput, Fault
from reelflow.media.clip import Clip
from reelflow.media.geometry import Size, even, even_size
from reelflow.media.opening import MAX_PIXELS
from reelflow.media.outputs import FILM_SUFFIXES, choose_container, choose_encoding
from reelflow.media.probe import Probe
from reelflow.media.steps.still import Still
from reelflow.media.steps.trim import Trim
from reelflow.media.timecode import later
from reelflow.output_spec import OutputSpec
from reelflow.plan import Output, OutputForm, Over, Span
from reelflow.recipe import Recipe
from reelflow.variants import Variants

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg")
MOVING_SUFFIXES = (".webp", ".gif")
_MOVING_FPS = Fraction(12)
_SHEET_WIDTH = 1920
_IDLE_FIELDS = {
    OutputForm.FILM: ("at", "sheet"),
    OutputForm.ANIMATION: ("at", "sheet", "codec"),
    OutputForm.PICTURE: ("fps", "codec", "quality"),
    OutputForm.SHEET: ("at", "fps", "codec", "quality", "size", "fit"),
}
_CALLED = {
    OutputForm.FILM: "a film", OutputForm.ANIMATION: "a moving picture", OutputForm.PICTURE: "a picture",
    OutputForm.SHEET: "a contact sheet",
}


def plan_outputs(
    recipe: Recipe, source: Probe, clip: Clip, frame: Size | None, *, stem: str, add: Callable[[Fault], None]
) -> tuple[Output, ...]:
    """The outputs of a recipe whose last clip is this; `frame` is the last model's. What can't be is told to `add`."""
    wanted = recipe.outputs or (OutputSpec(path="{stem}-{name}" + (".png" if clip.is_picture else ".mp4")),)
    made: list[Output] = []
    is_resized = any(step.name == "resize" for step in recipe.all_steps())
    for number, spec in enumerate(wanted, 1):
        try:
            output = _shape(spec, spec.name(stem=stem, recipe=recipe.name), source, clip, frame, is_resized=is_resized)
            _check_fields(spec, output)
            check_large(output.size)
        except BadInput as error:
            add(Fault(f"output {number}", "", error.message, error.field))
            continue
        if any(output.name.lower() == other.name.lower() for other in made):
            add(Fault(f"output {number}", "", f"it has the name of another one, {output.name!r}", "path"))
        if output.form is OutputForm.FILM:
            output = replace(output, tags=source.tags, timecode=_timecode(recipe, output, source, clip))
        made.append(output)
    return tuple(made)


def check_large(size: Size) -> None:
    """Refuse pictures that would be made and could not be read again. Raises BadInput."""
    if size.width * size.height > MAX_PIXELS:
        raise BadInput(f"A picture of {size} can't be made: it may have {MAX_PIXELS / 1e6:.1f} million pixels, as "
                       "many as 8192x4320.", field="size")


def _check_fields(spec: OutputSpec, output: Output) -> None:
    """Refuse what says nothing of an output of this form, and would be passed over. Raises BadInput."""
    for name in _IDLE_FIELDS[output.form]:
        if getattr(spec, name) != OutputSpec.model_fields[name].default:
            raise BadInput(f"`{name}` is not for {_CALLED[output.form]}, which {output.name!r} is: leave it away, or "
                           "give the output another name.", field=name)


def too_small(outputs: Iterable[Output]) -> Iterator[Fault]:
    """The outputs whose pictures are to be encoded, and are smaller than their encoder takes."""
    for number, output in enumerate(outputs, 1):
        if output.form is OutputForm.FILM and not output.copies:
            try:
                choose_encoding(PurePosixPath(output.name), output.codec, output.quality).check_size(output.size)
            except BadInput as error:
                yield Fault(f"output {number}", "", error.message, error.field)


def _shape(
    spec: OutputSpec, name: str, source: Probe, clip: Clip, frame: Size | None, *, is_resized: bool
) -> Output:
    suffix = PurePosixPath(name).suffix.lower()
    first, last = 0, clip.frames
    if spec.clip is not None:
        if clip.is_picture:
            raise BadInput("a picture has no part in time: leave `clip` away.", field="clip")
        part = Trim(start=spec.clip.start or None, end=spec.clip.end, duration=spec.clip.duration)
        first, last = part.frames_of(clip)
    size = _size(spec, source, clip, frame)
    over = _over(source, clip, first, last) if spec.wipe else None
    if suffix in PICTURE_SUFFIXES or (suffix == ".webp" and clip.is_picture):
        if over is not None:
            raise BadInput(f"{name!r} is a picture's name, and a wipe moves: end it in .mp4, .webp or .gif.",
                           field="wipe")
        if spec.sheet is not None:
            return _sheet(spec, name, clip, first, last)
        at = 0 if clip.is_picture else Still(at=spec.at).frames_of(clip.lasting(last - first))[0]
        # Only films have to be even: a picture that keeps its size keeps all of it.
        keeps = clip.is_picture and source.is_picture and spec.width is None and size == even_size(source.shown) and (
            spec.size == "source" or (spec.size is None and not is_resized))
        return Output(name, OutputForm.PICTURE, source.shown if keeps else size, spec.fit, Fraction(0), first + at, 1)
    if clip.is_picture:
        raise BadInput(f"{name!r} is a film's name, and what comes out is a picture: end it in .png or .jpg.",
                       field="path")
    if suffix in MOVING_SUFFIXES:
        rate = min(spec.fps or _MOVING_FPS, clip.rate)
        frames = max(1, round((last - first) / clip.rate * rate))
        return Output(name, OutputForm.ANIMATION, size, spec.fit, rate, first, frames, quality=spec.quality,
                      sound=False, over=over)
    if suffix not in FILM_SUFFIXES:
        known = ", ".join((*FILM_SUFFIXES, *MOVING_SUFFIXES, *PICTURE_SUFFIXES))
        raise BadInput(f"{name!r} does not end in one of {known}: the name says which kind of file is made.",
                       field="path")
    choose_encoding(PurePosixPath(name), spec.codec, spec.quality)
    rate = spec.fps or clip.rate
    frames = max(1, round((last - first) / clip.rate * rate))
    return Output(name, OutputForm.FILM, size, spec.fit, rate, first, frames, spec.codec, spec.quality,
                  sound=spec.sound and bool(clip.sounds), over=over)


def _timecode(recipe: Recipe, output: Output, source: Probe, clip: Clip) -> str | None:
    """The source's timecode of a film's first frame; None where its frames don't run as the source's do."""
    line = clip.timeline
    if (
        source.timecode is None or line is None or line.speed != 1 or output.rate != source.rate
        or source.varies or source.hidden or any(isinstance(step, Variants) for step in recipe.work)
        or not choose_container(PurePosixPath(output.name)).timed
    ):
        return None
    before = (line.at(output.first / clip.rate) - Fraction(source.first_time)) * source.rate
    return later(source.timecode, int(before), source.rate) if before.denominator == 1 else None


def _over(source: Probe, clip: Clip, first: int, last: int) -> Over:
    """The source's part that runs along with the clip's frames from `first` up to `last`."""
    line = clip.timeline
    if clip.is_picture or source.is_picture or line is None:
        raise BadInput("there is nothing to wipe over: a wipe needs a film whose time runs along the source's (not a "
                       "picture, and nothing reversed or joined).", field="wipe")
    begin = line.at(first / clip.rate)
    frames = max(1, round((last - first) / clip.rate * line.speed * source.rate))
    span = Span(round((begin - Fraction(source.first_time)) * source.rate), float(begin), frames, source.rate,
                trimmed=True)
    return Over(source, span, line.speed)


def _size(spec: OutputSpec, source: Probe, clip: Clip, frame: Size | None) -> Size:
    if spec.width is not None:
        return Size(even(spec.width), even(spec.width * clip.size.height / clip.size.width))
    if spec.size is None:
        return clip.size
    if spec.size == "source":
        return even_size(source.shown)
    if spec.size == "model":
        if frame is None:
            raise BadInput("`size: model` needs a model among the steps.", field="size")
        return frame
    return Size(*read_size(spec.size, upright=clip.size.height > clip.size.width))


def _sheet(spec: OutputSpec, name: str, clip: Clip, first: int, last: int) -> Output:
    assert spec.sheet is not None
    if clip.is_picture:
        raise BadInput("a picture has no contact sheet: leave `sheet` away.", field="sheet")
    columns, rows = spec.sheet.columns, spec.sheet.rows
    if last - first < columns * rows:
        raise BadInput(f"a sheet of {columns} x {rows} pictures needs as many frames; there are {last - first}.",
                       field="sheet")
    across = even((spec.width or _SHEET_WIDTH) / columns)
    down = even(across * clip.size.height / clip.size.width)
    return Output(name, OutputForm.SHEET, Size(across * columns, down * rows), "stretch", clip.rate, first,
                  last - first, columns=columns, rows=rows)
