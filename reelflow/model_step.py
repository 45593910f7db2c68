"""The steps of a recipe that a model does: each buys a job (or several, where the film is long)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from reelflow.choices import Fit, Keep, Rate
from reelflow.errors import BadInput
from reelflow.job.wire import Wish
from reelflow.models import Kind, Model, Point, check_form
from reelflow.step import Need, Step
from reelflow.trajectory import parse_path, preset_path, read_trajectory


class ModelStep(Step):
    """What every model is asked, and how what it returns becomes the clip again."""

    kinds: ClassVar[tuple[Kind, ...]] = ()

    model: str = Field(description="The model to ask; `reelflow models` lists them.")
    prompt: str | None = Field(None, description="What is asked, in words. At most 1000 characters.")
    reference_image: Path | None = Field(None, description="A picture to go by.")
    seed: int | None = Field(None, description="0 to 4294967295; the same seed makes the same picture.")
    enhance_prompt: bool | None = Field(None, description="Whether the model may write the prompt out.")
    fit: Fit = Field(Fit.PAD, description="How the picture gets into the model's frame.")
    size: Keep = Keep.SOURCE
    rate: Rate = Rate.SOURCE

    @model_validator(mode="before")
    @classmethod
    def _empty_is_not_given(cls, given: Any) -> Any:
        if isinstance(given, dict):
            return {name: value for name, value in given.items()
                    if not (name in ("prompt", "reference_image") and value == "")}
        return given

    def title(self) -> str:
        return f"{self.name} with {self.model}"

    def needs(self) -> tuple[Need, ...]:
        return () if self.reference_image is None else (Need(self.reference_image, "picture", "reference_image"),)

    def points(self) -> tuple[Point, ...] | None:
        """The trajectory, for models that take one."""
        return None

    def check(self, model: Model) -> None:
        """Check that the model is one for this step, and what it is asked against its form. Raises BadInput."""
        if model.kind not in self.kinds:
            right = next(name for name, kinds in KINDS.items() if model.kind in kinds)
            raise BadInput(f"{model.name} is not a model for {self.name}: it is one for {right}.", field="model")
        check_form(
            model, prompt=self.prompt, has_reference_image=self.reference_image is not None, seed=self.seed,
            resolution=self._asked("resolution"), enhance_prompt=self.enhance_prompt,
            self_anchor=self._asked("self_anchor"), trajectory=self.points(),
        )

    def wish(self, model: Model, sent: Path) -> Wish:
        """What would be bought with the prepared file `sent`."""
        return Wish(
            model, sent, prompt=self.prompt, reference_image=self.reference_image, seed=self.seed,
            resolution=self._asked("resolution"), enhance_prompt=self.enhance_prompt,
            self_anchor=self._asked("self_anchor"), trajectory=self.points(),
        )

    def _asked(self, name: str) -> Any:
        return getattr(self, name, None)


class FilmStep(ModelStep):
    """A model that makes a film from a film. One that is longer than it takes goes out in pieces."""

    max_segment_seconds: float | None = Field(None, gt=0, description="Send the film in pieces of at most so long.")
    crossfade: float = Field(0.0, ge=0, le=5, description="Seconds over which a piece fades into the next.")


class Restyle(FilmStep):
    """Another look, from a prompt or from a picture."""

    name = "restyle"
    kinds = (Kind.RESTYLE,)
    short = "prompt"
    model: str = "lucy-restyle-2"


class Edit(FilmStep):
    """Something in the film changes, the rest stays."""

    name = "edit"
    kinds = (Kind.EDIT, Kind.CLIP)
    short = "prompt"
    model: str = "lucy-2.5"
    self_anchor: bool | None = Field(None, description="lucy-2.5 only: whether it anchors on its own frames.")


class TryOn(FilmStep):
    """The person in the film gets dressed."""

    name = "tryon"
    kinds = (Kind.TRYON,)
    short = "prompt"
    model: str = "lucy-vton-3"


class PathPoint(BaseModel):
    """One point of the path."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    frame: int = Field(description="Frame number, 25 a second, from 0.")
    x: float = Field(description="0 (left) to 1 (right).")
    y: float = Field(description="0 (top) to 1 (bottom).")


class Motion(ModelStep):
    """A picture becomes a film of 5 s, moved along a path (one of `preset`, `path` and `trajectory`)."""

    name = "motion"
    kinds = (Kind.MOTION,)
    short = "preset"
    model: str = "lucy-motion"
    preset: Literal["pan-right", "pan-left", "tilt-up", "tilt-down", "push-in", "arc", "sway"] | None = None
    path: str | None = Field(None, description='"0:0.2,0.5 60:0.5,0.3 124:0.8,0.5": FRAME:X,Y and so on.')
    trajectory: tuple[PathPoint, ...] | None = None

    @model_validator(mode="after")
    def _one_path(self) -> Self:
        if sum(bool(given) for given in (self.preset, self.path, self.trajectory)) != 1:
            raise ValueError("give one of preset, path and trajectory: they say the same thing")
        try:
            self.points()
        except BadInput as error:
            raise ValueError(error.message) from None
        return self

    def points(self) -> tuple[Point, ...] | None:
        if self.preset:
            return preset_path(self.preset)
        if self.path:
            return parse_path(self.path)
        return read_trajectory([point.model_dump() for point in self.trajectory or ()])


class Image(ModelStep):
    """A picture is edited."""

    name = "image"
    kinds = (Kind.IMAGE,)
    short = "prompt"
    model: str = "lucy-image-2"
    resolution: Literal["720p", "480p"] | None = Field(None, description="480p costs less.")


KINDS: dict[str, tuple[Kind, ...]] = {step.name: step.kinds for step in (Restyle, Edit, TryOn, Motion, Image)}
