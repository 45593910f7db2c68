"""The results as a picture: each row that has a limit as a bar, the limit at one and the same place."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from benchmarks.benchmark import PHASE

_INK, _FAINT, _GOOD, _BAD, _PAPER = "#1d2433", "#8a93a6", "#2f7d5b", "#c2473f", "#ffffff"
_SHADES = ("#2f5f8f", "#8fb3d9", "#d0b04c", "#a7c7a0", "#2f7d5b", "#b9bfcc")
_ROW, _LEFT, _WIDTH, _MARGIN, _LIMIT_AT = 34, 640, 1400, 28, 0.5


def draw(outcomes: list[dict[str, Any]], target: Path) -> None:
    """Draw `outcomes` (as written to JSON) to a PNG; a bar that ends left of the line has reached its limit."""
    rows = [(outcome["name"], row) for outcome in outcomes for row in outcome["results"] if row["limit"] is not None]
    if not rows:
        return
    picture = Image.new("RGB", (_WIDTH, _MARGIN * 2 + 60 + _ROW * len(rows)), _PAPER)
    pen = ImageDraw.Draw(picture)
    plain, small = ImageFont.load_default(17), ImageFont.load_default(14)
    line = _LEFT + (_WIDTH - _LEFT - 150) * _LIMIT_AT
    pen.text((_MARGIN, _MARGIN - 6), "reelflow against the scripts: the median of the rounds, its limit at the line",
             _INK, ImageFont.load_default(20))
    pen.text((_MARGIN, _MARGIN + 22), "thin: least to most; a bar that ends left of the line is within its limit",
             _FAINT, small)
    top = _MARGIN + 56
    for number, (name, row) in enumerate(rows):
        y = top + number * _ROW
        share, least, most = (_share(row, value) for value in (row["median"], row["least"], row["most"]))
        colour = _GOOD if row["reached"] else _BAD
        pen.text((_MARGIN, y + 4), name, _FAINT, small)
        pen.text((_MARGIN + 110, y + 2), _short(row["what"]), _INK, small)
        pen.rectangle((_LEFT, y + 5, _place(share, line), y + 21), colour)
        pen.line((_place(least, line), y + 13, _place(most, line), y + 13), _INK, 2)
        unit = row["unit"] if row["unit"] == "x" else f" {row['unit']}"
        sign = ">=" if row["is_least"] else "<="
        pen.text((_WIDTH - 190, y + 2), f"{row['median']:.3g}{unit}", colour, plain)
        pen.text((_WIDTH - 95, y + 4), f"{sign} {row['limit']:g}{unit}", _FAINT, small)
    pen.line((line, top - 4, line, top + _ROW * len(rows)), _INK, 1)
    target.parent.mkdir(parents=True, exist_ok=True)
    picture.save(target, optimize=True)


def draw_phases(outcomes: list[dict[str, Any]], target: Path) -> None:
    """Draw where the time of a run goes, as the median over the rounds, for each benchmark whose runs tell it."""
    told = [(outcome["title"], spans) for outcome in outcomes
            if (spans := _spans(outcome["figures"].get("reelflow", [{}])))]
    if not told:
        return
    picture = Image.new("RGB", (_WIDTH, _MARGIN * 2 + 130 * len(told)), _PAPER)
    pen = ImageDraw.Draw(picture)
    for number, (title, spans) in enumerate(told):
        top, whole = _MARGIN + 130 * number, sum(seconds for _, seconds in spans)
        pen.text((_MARGIN, top), f"{title}: {whole:.1f} s in all", _INK, ImageFont.load_default(20))
        left = float(_MARGIN)
        for place, (name, seconds) in enumerate(spans):
            wide = (_WIDTH - 2 * _MARGIN) * seconds / whole
            pen.rectangle((left, top + 36, left + wide, top + 70), _SHADES[place % len(_SHADES)])
            # What is too narrow for its name is named in the JSON.
            if wide > 60:
                # The last one's name is long, and ends where the bar does.
                at, anchor = (left + 2, "la") if place < len(spans) - 1 else (left + wide, "ra")
                pen.text((at, top + 76), name, _INK, ImageFont.load_default(14), anchor)
                pen.text((at, top + 94), f"{seconds:.2f} s", _FAINT, ImageFont.load_default(14), anchor)
            left += wide
    target.parent.mkdir(parents=True, exist_ok=True)
    picture.save(target, optimize=True)


def _spans(rounds: list[dict[str, float]]) -> list[tuple[str, float]]:
    """The phases of a run in their order, with the seconds of each, and what is left of its wall; empty if not told."""
    names = [name for name in rounds[0] if name.startswith(PHASE)]
    if not names:
        return []
    spans = [(name.removeprefix(PHASE), median(found.get(name, 0.0) for found in rounds)) for name in names]
    rest = median(found["wall"] - sum(found.get(name, 0.0) for name in names) for found in rounds)
    return [*spans, ("start, probes, pictures, page, Prefect", rest)]


def _share(row: dict[str, Any], value: float) -> float:
    """How much of its limit a value is; where most is best, turned round."""
    return float(row["limit"] / value if row["is_least"] else value / row["limit"])


def _place(share: float, line: float) -> float:
    return min(_LEFT + max(share, 0.0) * (line - _LEFT), _WIDTH - 205)


def _short(text: str) -> str:
    return text if len(text) <= 64 else f"{text[:63]}…"
