"""A row of the model table as the settings give it, checked before anything else happens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from decimal import Decimal
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, StrictBool, ValidationError, model_validator

from reelflow.errors import BadInput
from reelflow.models import MIB, Kind, Model, ModelTable
from reelflow.wording import reworded


class _Row(BaseModel):
    """What a row says of its model, as `Model` has it."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    kind: Kind
    width: int
    height: int
    fps: int | None = Field(None, gt=0)
    usd: Decimal | None = Field(None, ge=0)
    usd_480p: Decimal | None = Field(None, ge=0)
    seconds: float | None = Field(None, gt=0, allow_inf_nan=False)
    max_seconds: float | None = Field(None, gt=0, allow_inf_nan=False)
    max_bytes: int = Field(100 * MIB, gt=0)
    resolutions: tuple[str, ...] = ("720p",)
    self_anchor: StrictBool = False
    retired: str | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.kind is not Kind.IMAGE and not self.fps:
            raise ValueError("'fps' is missing")
        if self.kind is Kind.MOTION and not self.seconds:
            # Nobody could say what its jobs cost.
            raise ValueError("'seconds' is missing: how long the film is that it makes")
        if self.width < 16 or self.height < 16 or self.width % 2 or self.height % 2:
            raise ValueError(f"the frame {self.width}x{self.height} must be even and at least 16 pixels a side")
        return self


def parse_row(name: str, row: Mapping[str, Any]) -> Model:
    """A model row from the settings: `{"kind": "edit", "width": 1280, "height": 720, "fps": 24, "usd": "0.05"}`.

    `like` in its place names a row of the table to start from. Raises BadInput that names the row and the field.
    """
    values = dict(row)
    like = values.pop("like", None)
    base = asdict(ModelTable.standard()[str(like)]) if like is not None else {}
    for own in ("name", "rolling"):
        base.pop(own, None)
    try:
        return Model(name=name, **_Row.model_validate({**base, **values}).model_dump())
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field, said = ".".join(map(str, first["loc"])), reworded(first, known=_Row.model_fields)
        if first["type"] == "missing":
            said += ' (or start from another row with "like")'
        told = f"{field!r} {said}" if first["type"] == "missing" else f"{field}: {said}" if field else said
        raise BadInput(f"The row {name!r} in REELFLOW_MODELS can't be used: {told}{'' if told.endswith('?') else '.'}",
                       field="REELFLOW_MODELS") from None
