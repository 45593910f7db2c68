"""From a recipe and a probed source to the plan: a pure function, which asks nobody and opens nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

from reelflow.choices import Fit, Keep
from reelflow.choices import Rate as KeepRate
from reelflow.errors import BadInput, Fault
from reelflow.media.clip import Clip
from reelflow.media.geometry import Geometry, Size, fit_into, orient
from reelflow.media.media_step import MediaStep, Op
from reelflow.media.pieces import Piece, cut_at_scenes
from reelflow.media.probe import Probe
from reelflow.media.steps.still import Still
from reelflow.media.steps.trim import Trim
from reelflow.model_step import FilmStep, ModelStep
from reelflow.models import Kind, Model, ModelTable
from reelflow.plan import (
    Finish,
    FromFilm,
    FromJob,
    How,
    Job,
    Output,
    Pictures,
    Plan,
    Prepare,
    SideBySide,
    Sounds,
    Span,
)
from reelflow.readiness import can_copy, comes_ready, is_ready
from reelflow.recipe import Recipe
from reelflow.shaping import check_large, plan_outputs, too_small
from reelflow.step import Step
from reelflow.strand import Strand, begin, narrow, shown_size, stored_size
from reelflow.variants import Variants

# Below this many bits a second a model's input loses what the model should see; a longer film goes out in pieces.
_LEAST_BITS_PER_SECOND = 4_000_000
# Pillow's words for a picture, and how ffmpeg's begin for a film. A GIF is read as such whether it uses it or not.
_SEE_THROUGH = ("RGBA", "RGBa", "LA", "La", "PA")
_FILM_SEE_THROUGH = ("yuva", "gbrap", "rgba", "bgra", "argb", "abgr", "ya8", "ya16")


@dataclass(frozen=True, slots=True)
class Known:
    """What the compiler goes by besides the recipe and its source.

    `models` is the table, `resolved` what rolling names stand for now; `files` are the probed files that steps read;
    `scenes` are the moments (seconds on the source's own clock) at which its scenes change; `made` says how many frames
    the jobs have returned, by their number, whose length their model chooses; `stem` is what outputs are named after.
    """

    models: ModelTable
    files: Mapping[Path, Probe] = field(default_factory=dict)
    resolved: Mapping[str, str] = field(default_factory=dict)
    scenes: tuple[float, ...] = ()
    made: Mapping[int, int] = field(default_factory=dict)
    stem: str = "film"


def compile_recipe(recipe: Recipe, source: Probe, known: Known) -> Plan:
    """The plan for a recipe on a source.

    Raises:
        BadRecipe: all that can't be done, each with its step; with `strict`, also the first warning.
    """
    return _Compiler(recipe, source, known).compile()


class _Compiler:
    """One compilation: gathers jobs and faults while it goes through the steps."""

    def __init__(self, recipe: Recipe, source: Probe, known: Known) -> None:
        self._recipe, self._source, self._known = recipe, source, known
        self._jobs: list[Job] = []
        self._doubts: list[str] = []
        self._faults: list[Fault] = []

    def compile(self) -> Plan:
        recipe = self._recipe
        strand = self._through(recipe.work, begin(self._source), "")
        outputs: tuple[Output, ...] = ()
        if not self._faults:
            frame = self._jobs[-1].prepare.geometry.frame if self._jobs else None
            outputs = plan_outputs(recipe, self._source, strand.clip, frame, stem=self._known.stem,
                                   add=self._faults.append)
        if self._faults:
            raise recipe.refusal(self._faults)
        finish = Finish(
            title=_title(strand.titles, "finish"), pictures=Pictures(strand.feed, strand.ops), clip=strand.clip,
            sounds=self._sounds(strand), outputs=outputs,
        )
        finish = replace(finish, outputs=tuple(replace(one, copies=can_copy(finish, one)) for one in outputs))
        if faults := list(too_small(finish.outputs)):
            raise recipe.refusal(faults)
        lost = () if all(output.copies for output in finish.outputs) else losses(self._source)
        warnings = (*damages(self._source), *lost, *self._doubts)
        if recipe.strict and warnings:
            raise BadInput(f"{warnings[0]} Leave --strict away to go on all the same.", field="strict")
        return Plan(
            name=recipe.name, source=self._source, files=dict(self._known.files), jobs=tuple(self._jobs),
            finish=finish, warnings=warnings,
        )

    def _through(self, steps: Sequence[Step], strand: Strand, prefix: str) -> Strand:
        for index, step in enumerate(steps, 1):
            number = f"{prefix}{index}"
            try:
                strand = self._step(step, number, strand)
            except BadInput as error:
                self._faults.append(Fault(number, step.name, error.message, error.field))
        return strand

    def _step(self, step: Step, number: str, strand: Strand) -> Strand:
        if isinstance(step, Variants):
            return self._variants(step, number, strand)
        if isinstance(step, ModelStep):
            return self._model(step, number, strand)
        assert isinstance(step, MediaStep)
        after = step.after(strand.clip, self._known.files)
        check_large(after.size)
        op = Op(number, step, strand.clip, after)
        strand = replace(strand, titles=(*strand.titles, step.title()))
        if isinstance(step, Trim | Still) and isinstance(strand.feed, FromFilm) and not strand.ops:
            return self._narrowed(step, op, strand)
        if isinstance(step, Trim) and strand.span is not None and not strand.heard:
            strand = replace(strand, span=narrow(strand.span, *step.frames_of(strand.clip), strand.clip))
        elif step.changes_sound():
            strand = replace(strand, heard=(*strand.heard, op))
        if after.is_picture:
            strand = replace(strand, span=None, heard=())
        elif not after.sounds:
            # What was done to sound that is dropped must not come back with what later steps bring.
            strand = replace(strand, heard=())
        return replace(strand, ops=(*strand.ops, op) if step.draws else strand.ops, clip=after)

    def _narrowed(self, step: Trim | Still, op: Op, strand: Strand) -> Strand:
        """A trim before all else is where reading begins: exact, and what lies before it is not read at all."""
        assert isinstance(strand.feed, FromFilm)
        span = narrow(strand.feed.span, *step.frames_of(strand.clip), strand.clip)
        strand = replace(strand, feed=FromFilm(self._source, span), clip=op.after)
        if isinstance(step, Still):
            return replace(strand, span=None, heard=())
        return replace(strand, heard=(*strand.heard, op)) if strand.heard else replace(strand, span=span)

    def _model(self, step: ModelStep, number: str, strand: Strand) -> Strand:
        known, clip = self._known, strand.clip
        resolved = known.resolved.get(step.model, step.model)
        model = known.models.resolved_as(step.model, resolved)
        step.check(model)
        self._check_source(model, clip)
        if not (step.prompt or step.reference_image or step.points()):
            self._doubts.append(f"Nothing is asked of {step.model}: give a prompt or a reference picture.")
        shown = shown_size(strand)
        frame = orient(Size(model.width, model.height), shown)
        geometry = fit_into(stored_size(strand), shown, frame, step.fit)
        job_number = len(self._jobs) + 1
        prepare = self._prepare(step, model, strand, geometry)
        seconds = prepare.seconds if model.kind.source == "film" else float(model.seconds or 0)
        billed = sum(piece.frames for piece in prepare.pieces) / prepare.rate if len(prepare.pieces) > 1 else seconds
        self._jobs.append(Job(job_number, number, step, model, resolved, prepare, billed))
        restored, crops = clip.sized(geometry.restored), geometry.is_padded and step.fit is Fit.PAD
        if step.size is Keep.MODEL:
            restored, crops = clip.sized(geometry.frame), False
        sent = prepare.frames
        if model.kind.result == "picture":
            feed = FromJob(job_number, model, geometry, crops, 1, Fraction(0), restored)
            return replace(strand, feed=feed, ops=(), clip=restored, titles=())
        rate = Fraction(model.fps or 1)
        if model.kind is Kind.MOTION:
            sent = known.made.get(job_number, round((model.seconds or 0) * rate))
            if job_number not in known.made:
                self._doubts += _unreached(step, sent)
            restored = Clip(restored.size, rate, sent)
        elif step.rate is KeepRate.MODEL:
            restored = replace(restored, rate=rate, frames=sent)
        feed = FromJob(job_number, model, geometry, crops, sent, rate, restored, step.rate is KeepRate.SMOOTH)
        return replace(strand, feed=feed, ops=(), clip=restored, titles=())

    def _prepare(self, step: ModelStep, model: Model, strand: Strand, geometry: Geometry) -> Prepare:
        clip, pictures = strand.clip, Pictures(strand.feed, strand.ops)
        title = _title(strand.titles, f"prepare for {model.name}")
        if clip.is_picture:
            return Prepare(title, pictures, geometry, stored_size(strand), How.ENCODE, 1, 0, model.max_bytes)
        assert model.fps is not None
        frames = max(1, round(clip.seconds * model.fps))
        how = How.ENCODE
        if not strand.ops and isinstance(strand.feed, FromFilm) and is_ready(strand.feed, geometry, model):
            how = How.COPY
        elif not strand.ops and isinstance(strand.feed, FromJob) and comes_ready(strand.feed, geometry, model, frames):
            how = How.AS_IT_IS
        pieces = self._pieces(step, model, strand, frames)
        if len(pieces) > 1:
            how = How.ENCODE
        return Prepare(title, pictures, geometry, stored_size(strand), how, frames, model.fps, model.max_bytes, pieces)

    def _pieces(self, step: ModelStep, model: Model, strand: Strand, frames: int) -> tuple[Piece, ...]:
        assert isinstance(step, FilmStep) and model.fps is not None
        limits = [model.max_bytes * 8 / _LEAST_BITS_PER_SECOND, model.max_seconds, step.max_segment_seconds]
        most = max(1, min(int(limit * model.fps + 1e-6) for limit in limits if limit is not None))
        line = strand.clip.timeline
        scenes = []
        if line is not None:
            scenes = [round((Fraction(moment) - line.begin) / line.speed * model.fps) for moment in self._known.scenes]
        return cut_at_scenes(
            frames, sorted({scene for scene in scenes if 0 < scene < frames}), most=most,
            overlap=round(step.crossfade * model.fps),
        )

    def _variants(self, step: Variants, number: str, strand: Strand) -> Strand:
        """Several ways from here, laid side by side; the sound is that from before."""
        ways = [self._through(steps, replace(strand, heard=(), titles=()), f"{number}.{index}.")
                for index, steps in enumerate(step.ways(), 1)]
        clips = [way.clip for way in ways]
        if step.source:
            ways.insert(0, strand)
            clips.insert(0, strand.clip)
        if len({(clip.is_picture, round(clip.seconds, 3)) for clip in clips}) > 1:
            lengths = ", ".join("a picture" if clip.is_picture else f"{float(clip.seconds):.2f} s" for clip in clips)
            raise BadInput(f"The variants are not equally long ({lengths}): they can't be laid side by side.")
        if not strand.clip.is_picture and abs(clips[0].seconds - strand.clip.seconds) > 1 / strand.clip.rate:
            raise BadInput("A variant changes the film's length, and the sound would not fit: do that before or behind "
                           "`variants`.")
        columns = step.columns()
        rows = -(-len(ways) // columns)
        cell = step.cell(clips[0].size)
        below = step.below(cell)
        size = Size(cell.width * columns, (cell.height + below) * rows)
        check_large(size)
        first = clips[0] if step.source else replace(clips[0], sounds=strand.clip.sounds)
        rate = max(clip.rate for clip in clips)
        clip = replace(first, size=size, rate=rate, sounds=strand.clip.sounds,
                       frames=round(first.seconds * rate) if rate else 1, timeline=strand.clip.timeline)
        feed = SideBySide(
            tuple(Pictures(way.feed, way.ops) for way in ways), columns, cell, below, step.labels or (), clip, number
        )
        return Strand(feed, (), clip, strand.span, strand.heard, (step.title(),))

    def _check_source(self, model: Model, clip: Clip) -> None:
        wanted = model.kind.source
        if clip.is_picture and wanted == "film":
            raise BadInput(f"{self._called()} is a picture; {model.name} needs a video.", field="source")
        if not clip.is_picture and wanted == "picture":
            raise BadInput(f"{self._called()} is a video; {model.name} needs a picture: take a frame of it with the "
                           "step `still`, or save one as PNG or JPEG.", field="source")

    def _called(self) -> str:
        return str(self._source.path) if not self._jobs else "What comes out of the steps before"

    def _sounds(self, strand: Strand) -> Sounds | None:
        if strand.span is None or strand.clip.is_picture:
            if not strand.clip.sounds:
                return None
            span = Span(0, 0.0, strand.clip.frames, strand.clip.rate, trimmed=True)
            return Sounds(self._source, span, (), strand.heard)
        if not strand.clip.sounds:
            return None
        tracks = tuple(track.source for track in strand.clip.sounds if track.source is not None)
        return Sounds(self._source, strand.span, tracks, strand.heard)


def _title(titles: Sequence[str], end: str) -> str:
    return ", ".join([*titles, end])


def _unreached(step: ModelStep, frames: int) -> list[str]:
    last = max((point.frame for point in step.points() or ()), default=0)
    # A path by name is as long as the film that the model is known to make.
    if last < frames or getattr(step, "preset", None):
        return []
    return [f"The path's point at frame {last} is never reached: {step.model} makes frames 0 to {frames - 1}."]


def damages(source: Probe) -> tuple[str, ...]:
    """What is wrong with a source, which a person should know before anything is bought."""
    return tuple(f"{source.path.name} is damaged: {what}." for what in source.damage)


def losses(source: Probe) -> tuple[str, ...]:
    """What a source has and a film that is made of it has not: models return neither, nor is it kept without one."""
    made, name = [], source.path.name
    if source.colour.hdr:
        made.append(f"{name} is HDR ({source.colour.hdr.upper()}); the finished film is not.")
    elif source.bits > 8:
        made.append(f"{name} has {source.bits} bits a colour; the finished film is made of 8.")
    if source.interlaced:
        made.append(f"{name} is interlaced; the finished film is progressive.")
    is_seen_through = source.pixels in _SEE_THROUGH if source.is_picture else (
        source.codec != "gif" and source.pixels.startswith(_FILM_SEE_THROUGH))
    if is_seen_through:
        made.append(f"{name} may be seen through in places; what is made of it is not.")
    return tuple(made)
