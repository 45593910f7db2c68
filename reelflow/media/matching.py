"""What a model returned, laid onto the time and into the frame of what was sent; pure."""

from __future__ import annotations

from fractions import Fraction

from reelflow.errors import BadResult
from reelflow.media.geometry import Box, even_down, scale_box
from reelflow.media.probe import Probe
from reelflow.plan import FromJob

_CLOSE_SHAPE = 0.03


def lay_out(name: str, sent: int, rate: Fraction, result: Probe) -> tuple[Fraction, tuple[str, ...]]:
    """The seconds that each of the `result`'s pictures stands for, where `sent` were sent at `rate`; and what to say.

    Raises:
        BadResult: neither its count nor its length is near what was sent.
    """
    came, says = result.frames, f"{float(result.rate):g}"
    mislabelled = () if result.rate == rate or came < 2 else (
        f"{name} labelled its film with {says} frames a second instead of {rate}; it was put right.",
    )
    if came == sent:
        return 1 / rate, mislabelled
    off = came - sent
    apart = f"{abs(off)} frame{'' if abs(off) == 1 else 's'} {'more' if off > 0 else 'less'} than the {sent} sent"
    if abs(result.seconds - float(sent / rate)) <= 1.5 / rate:
        if result.rate == rate:
            return 1 / rate, (f"{name} returned {apart}; the end was {'cut' if off > 0 else 'held'}.",)
        return 1 / result.rate, (
            f"{name} returned {came} frames at {says} a second for the {sent} sent, over the same time.",
        )
    if abs(off) <= max(8, sent * 0.05):
        return 1 / rate, (f"{name} returned {apart}; the end was {'cut' if off > 0 else 'held'}.", *mislabelled)
    raise BadResult(
        f"{name} returned {came} frames ({result.seconds:.2f} s) for the {sent} ({float(sent / rate):.2f} s) sent: "
        "they can't be matched, and the film is kept as it came."
    )


def find_picture(feed: FromJob, result: Probe) -> tuple[Box, tuple[str, ...]]:
    """Where the picture lies in the generated one, which may have another size than what was sent; and what to say.

    Raises:
        BadResult: it has another shape.
    """
    frame, shown = feed.geometry.frame, result.upright
    placed = feed.geometry.placed if feed.crops else Box(0, 0, frame.width, frame.height)
    if shown == frame:
        return placed, ()
    seen = result.shown
    if abs(seen.width / seen.height / (frame.width / frame.height) - 1) > _CLOSE_SHAPE:
        raise BadResult(
            f"{feed.model.name} returned pictures of {seen}, another shape than the {frame} sent: they can't be "
            "fitted back."
        )
    said = f"{feed.model.name} returned pictures of {seen} instead of {frame}; they were scaled."
    if placed.size == frame:
        return Box(0, 0, even_down(shown.width), even_down(shown.height)), (said,)
    return scale_box(placed, frame, shown), (said,)
