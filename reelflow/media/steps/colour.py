"""`colour`: brightness, contrast, saturation, gamma, warmth, and a LUT."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from reelflow.media import filters
from reelflow.media.lut import read_lut, write_lut
from reelflow.media.media_step import Given, MediaStep, Op
from reelflow.media.reel import Reel
from reelflow.step import Need

_PLAIN = {"brightness": 0.0, "contrast": 1.0, "saturation": 1.0, "gamma": 1.0}


class Colour(MediaStep):
    """Other colours, in this order: brightness and the like, then the temperature, then the LUT."""

    name = "colour"

    brightness: float = Field(0.0, ge=-1, le=1, description="-1 (black) to 1 (white); 0 leaves it.")
    contrast: float = Field(1.0, ge=0, le=3, description="0 (all grey) to 3; 1 leaves it.")
    saturation: float = Field(1.0, ge=0, le=3, description="0 (black and white) to 3; 1 leaves it.")
    gamma: float = Field(1.0, ge=0.1, le=5, description="Over 1 the middle tones are lighter, under 1 darker.")
    temperature: int | None = Field(
        None, ge=1500, le=15000, description="Kelvin: lower than 6500 is warmer, higher is cooler.")
    lut: Path | None = Field(None, description="A 3D LUT as a .cube file, made for BT.709.")

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self._tuned() and self.temperature is None and self.lut is None:
            raise ValueError("say what is to change: brightness, contrast, saturation, gamma, temperature or lut")
        return self

    def title(self) -> str:
        told = [name if name not in _PLAIN else f"{name} {value:g}" for name, value in self._tuned().items()]
        if self.temperature is not None:
            told.append(f"{self.temperature} K")
        if self.lut is not None:
            told.append(self.lut.name)
        return f"colour ({', '.join(told)})"

    def needs(self) -> tuple[Need, ...]:
        return () if self.lut is None else (Need(self.lut, "lut", "lut"),)

    def _tuned(self) -> dict[str, float]:
        return {name: value for name, plain in _PLAIN.items() if (value := getattr(self, name)) != plain}

    def paint(self, op: Op, given: Given) -> None:
        if self.lut is not None:
            write_lut(read_lut(self.lut), given.own(op, ".cube"))

    def draw(self, reel: Reel, op: Op, given: Given) -> Reel:
        reel = reel.settled(op.before)
        tuned = self._tuned()
        if tuned:
            reel = reel.filtered("eq", **{name: filters.number(value) for name, value in tuned.items()})
        if self.temperature is None and self.lut is None:
            return reel
        stream = filters.in_deep_rgb(reel.stream)
        if self.temperature is not None:
            stream = stream.filter("colortemperature", temperature=self.temperature, pl=1)
        if self.lut is not None:
            stream = stream.filter("lut3d", file=given.own(op, ".cube"), interp="tetrahedral")
        return replace(reel, stream=filters.from_deep_rgb(stream, reel.pixels))
