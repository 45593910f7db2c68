"""The queue's words: what is asked of it and what it answers, exactly as it goes over the wire."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from reelflow.models import Kind, Model, Point, check_form, trajectory_json

STANDIN_HEADER = "X-Reelflow-Stand-In"
"""The header by which every answer of the stand-in says that it isn't the real queue."""


class JobStatus(StrEnum):
    """The states that the queue names. Any other word is treated as still running."""

    PENDING = "pending"  # accepted and billed, no worker has it yet
    PROCESSING = "processing"  # a worker renders it
    COMPLETED = "completed"  # its content can be fetched
    FAILED = "failed"  # for good, and without a reason; also what did not finish within ten minutes


class JobSubmitResponse(BaseModel):
    """The answer to a submit: the job is bought, under `job_id`; nothing else of the answer may lose that."""

    model_config = ConfigDict(frozen=True, extra="ignore", coerce_numbers_to_str=True)

    job_id: str = Field(min_length=1)


class JobStatusResponse(BaseModel):
    """The answer to a status call; `status` is a JobStatus or a word that we don't know yet."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    job_id: str = Field(min_length=1)
    status: str


@dataclass(frozen=True, slots=True)
class JobCompleted:
    """A job that made its film or picture, fetched to `path`."""

    job_id: str
    path: Path
    status: JobStatus = JobStatus.COMPLETED


@dataclass(frozen=True, slots=True)
class JobNotCompleted:
    """A job that the queue reports failed; `error` is the sentence for a person."""

    job_id: str
    error: str
    status: JobStatus = JobStatus.FAILED


JobResult = JobCompleted | JobNotCompleted


@dataclass(frozen=True, slots=True)
class Wish:
    """What would be bought with one POST: a model, the prepared file, and the form's fields (None: not sent)."""

    model: Model
    source: Path
    prompt: str | None = None
    reference_image: Path | None = None
    seed: int | None = None
    resolution: str | None = None
    enhance_prompt: bool | None = None
    self_anchor: bool | None = None
    trajectory: tuple[Point, ...] | None = None

    def check(self) -> None:
        """Check the form's rules. Raises BadInput."""
        check_form(
            self.model, prompt=self.prompt, has_reference_image=self.reference_image is not None, seed=self.seed,
            resolution=self.resolution, enhance_prompt=self.enhance_prompt, self_anchor=self.self_anchor,
            trajectory=self.trajectory,
        )

    @property
    def endpoint(self) -> str:
        """The path that the form is posted to."""
        if self.model.kind is Kind.IMAGE:
            return f"/v1/generate/{self.model.name}"
        return f"/v1/jobs/{self.model.name}"

    def fields(self) -> list[tuple[str, str]]:
        """The form's text fields in the order they are sent.

        Booleans are `true`/`false`, and a model whose prompt may be empty gets an empty one (what the official
        SDK sends, shared contract).
        """
        prompt = self.prompt
        if prompt is None and self.model.kind.prompt == "optional" and self.model.kind is not Kind.MOTION:
            prompt = ""
        texts = {
            "prompt": prompt,
            "seed": self.seed,
            "resolution": self.resolution,
            "enhance_prompt": None if self.enhance_prompt is None else str(self.enhance_prompt).lower(),
            "self_anchor": None if self.self_anchor is None else str(self.self_anchor).lower(),
            "trajectory": trajectory_json(self.trajectory) if self.trajectory is not None else None,
        }
        return [(name, str(value)) for name, value in texts.items() if value is not None]

    def files(self) -> list[tuple[str, Path]]:
        """The form's file parts in the order they are sent."""
        parts = [("data", self.source)]
        return parts if self.reference_image is None else [*parts, ("reference_image", self.reference_image)]
