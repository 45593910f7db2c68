"""A motion's path: where the camera looks in each frame, smoothly from point to point."""

from __future__ import annotations

from collections.abc import Sequence

from reelflow.models import Point

_NEAR, _FAR = 1.55, 1.3


def places(points: Sequence[Point], frames: int) -> list[tuple[float, float]]:
    """The place (x, y, 0..1) of each of `frames` frames: through every point, without a corner, at rest beyond them."""
    return [(_smooth(points, frame, "x"), _smooth(points, frame, "y")) for frame in range(frames)]


def _smooth(points: Sequence[Point], frame: int, axis: str) -> float:
    """A cubic through the points that never leaves the span between two of them (Fritsch-Carlson)."""
    times = [float(point.frame) for point in points]
    values = [float(getattr(point, axis)) for point in points]
    if frame <= times[0] or frame >= times[-1]:
        return values[0] if frame <= times[0] else values[-1]
    at = next(index for index in range(len(times) - 1) if frame < times[index + 1])
    span = times[at + 1] - times[at]
    share = (frame - times[at]) / span
    begin, end = _slope(times, values, at) * span, _slope(times, values, at + 1) * span
    rest = 1 - share
    return (
        values[at] * (1 + 2 * share) * rest**2 + begin * share * rest**2
        + values[at + 1] * share**2 * (3 - 2 * share) - end * share**2 * rest
    )


def _slope(times: list[float], values: list[float], at: int) -> float:
    if at in (0, len(times) - 1):
        return 0.0
    before = (values[at] - values[at - 1]) / (times[at] - times[at - 1])
    after = (values[at + 1] - values[at]) / (times[at + 1] - times[at])
    return 0.0 if before * after <= 0 else 2 * before * after / (before + after)


def camera_graph(points: Sequence[Point], frames: int, width: int, height: int) -> str:
    """The perspective filter that looks along the path, coming nearer: what lies under a point stays under it."""
    seen = places(points, frames)
    lefts, tops, wides = [], [], []
    for frame, (x, y) in enumerate(seen):
        share = frame / max(1, frames - 1)
        wide = 1 / (_FAR + (_NEAR - _FAR) * share * share * (3 - 2 * share))
        lefts.append((1 - wide) * x)
        tops.append((1 - wide) * y)
        wides.append(wide)
    left = _by_frame([width * value for value in lefts])
    right = _by_frame([width * (value + wide) for value, wide in zip(lefts, wides, strict=True)])
    top = _by_frame([height * value for value in tops])
    bottom = _by_frame([height * (value + wide) for value, wide in zip(tops, wides, strict=True)])
    return (
        f"perspective=x0='{left}':y0='{top}':x1='{right}':y1='{top}':x2='{left}':y2='{bottom}':x3='{right}':y3='{bottom}'"
        ":interpolation=cubic:sense=source:eval=frame"
    )


def _by_frame(values: Sequence[float], first: int = 0) -> str:
    """An expression that gives `values[on]`, as a tree of comparisons: ffmpeg has no arrays."""
    if len(values) == 1:
        return f"{values[0]:.3f}"
    half = len(values) // 2
    return f"if(lt(on,{first + half}),{_by_frame(values[:half], first)},{_by_frame(values[half:], first + half)})"
