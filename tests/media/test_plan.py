"""The plan knows sizes, spans, counts and price, and refuses early."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from one_job import plan_of, span_of

from reelflow.errors import BadInput
from reelflow.media.geometry import Size
from reelflow.media.probe import Colour, Probe, Sound
from reelflow.models import ModelTable
from reelflow.plan import How

MODELS = ModelTable.standard()
NTSC = Fraction(30000, 1001)


def film(**about: Any) -> Probe:
    """A phone's landscape film: 1920x1080, 300 frames at 29.97."""
    facts: dict[str, Any] = {
        "path": Path("/clips/in.mp4"), "size_bytes": 5_000_000, "format": "mov,mp4,m4a,3gp,3g2,mj2",
        "is_picture": False, "codec": "h264", "pixels": "yuv420p", "bits": 8, "width": 1920, "height": 1080,
        "sample_aspect": Fraction(1), "turn": 0, "mirrored": False, "colour": Colour("bt709", "tv", "bt709", "bt709"),
        "rate": NTSC, "frames": 300, "seconds": 10.01, "first_time": 0.0,
        "sounds": (Sound(0, "aac", 48000, 2, "stereo", 0.0, 10.0),),
    }
    return Probe(**facts | about)


def test_a_whole_film_is_worked_out_to_the_frame() -> None:
    plan = plan_of(film(), MODELS["lucy-restyle-2"])
    prepare, feed = plan.jobs[0].prepare, plan.feed(1)
    assert (prepare.frames, prepare.rate, prepare.how) == (220, 22, How.ENCODE)
    assert plan.seconds == 10.0 and plan.cost_usd == Decimal("0.1000")
    assert (feed.clip.size, feed.clip.rate, feed.clip.frames) == (Size(1920, 1080), NTSC, 300)
    assert feed.crops and not span_of(plan).trimmed and plan.warnings == ()


def test_size_and_rate_of_the_model_can_be_kept() -> None:
    plan = plan_of(film(), MODELS["lucy-restyle-2"], size="model", rate="model")
    feed = plan.feed(1)
    assert (feed.clip.size, feed.clip.rate, feed.clip.frames) == (Size(1280, 704), 22, 220)
    assert not feed.crops


def test_portrait_goes_out_in_portrait() -> None:
    plan = plan_of(film(turn=90), MODELS["lucy-restyle-2"])
    assert plan.jobs[0].prepare.geometry.frame == Size(704, 1280)
    assert plan.feed(1).clip.size == Size(1080, 1920)


@pytest.mark.parametrize(("asked", "first", "frames"), [
    ({"start": 1}, 30, 270),
    ({"end": 2}, 0, 60),
    ({"start": "0:01.001", "duration": 2.002}, 30, 60),
    ({"start": 0.033}, 1, 299),
    ({"end": 10.1}, 0, 300),
    ({"start": 9.98, "end": "00:00:10.01"}, 299, 1),
])
def test_a_cut_is_from_the_nearest_frame_to_the_nearest_frame(asked: dict[str, Any], first: int, frames: int) -> None:
    span = span_of(plan_of(film(first_time=0.5), MODELS["lucy-restyle-2"], **asked))
    assert (span.first, span.frames) == (first, frames)
    assert span.begin == pytest.approx(0.5 + float(first / NTSC))
    assert span.trimmed is (frames < 300)


@pytest.mark.parametrize(("asked", "said", "field"), [
    ({"start": 11}, r"The start \(11 s\) lies behind the end of the film, which is 10.010 s long.", "start"),
    ({"end": 12}, r"The end \(12 s\) lies behind the end", "end"),
    ({"start": 9, "duration": 2}, r"The end \(11 s\) lies behind the end", "duration"),
    ({"start": 1, "end": 1.01}, r"Between 1 s and 1.01 s lies no frame", "end"),
])
def test_a_cut_outside_the_film_is_refused(asked: dict[str, Any], said: str, field: str) -> None:
    with pytest.raises(BadInput, match=said) as refusal:
        plan_of(film(), MODELS["lucy-restyle-2"], **asked)
    assert refusal.value.field == field


def test_a_film_longer_than_the_model_takes_goes_out_in_pieces() -> None:
    plan = plan_of(film(), MODELS["lucy-clip"])
    assert [piece.frames for piece in plan.jobs[0].prepare.pieces] == [125, 125]
    assert (plan.seconds, plan.cost_usd) == (10.0, Decimal("1.5000"))
    assert plan_of(film(), MODELS["lucy-clip"], duration=5).jobs[0].prepare.frames == 125


def test_an_unknown_price_stays_unknown() -> None:
    assert plan_of(film(), MODELS["lucy-2.6"]).cost_usd is None


def test_a_film_that_is_right_as_it_is_is_not_encoded() -> None:
    ready = film(width=1280, height=704, rate=Fraction(22), frames=220, seconds=10.0)
    model = MODELS["lucy-restyle-2"]
    assert plan_of(ready, model).jobs[0].prepare.how is How.COPY
    for about in (
        {"codec": "hevc"}, {"pixels": "yuv422p"}, {"sample_aspect": Fraction(16, 15)}, {"mirrored": True},
        {"interlaced": True}, {"colour": Colour("bt709", "pc")}, {"colour": Colour()}, {"unevenness": 0.002},
        {"first_time": 0.04}, {"size_bytes": 101 * 2**20}, {"varies": True}, {"format": "matroska,webm"},
        {"damage": ("it is damaged",)}, {"rate": Fraction(25)}, {"width": 1278},
    ):
        changed = film(**{"width": 1280, "height": 704, "rate": Fraction(22), "frames": 220, "seconds": 10.0} | about)
        assert plan_of(changed, model).jobs[0].prepare.how is How.ENCODE, about
    assert plan_of(ready, model, end=5).jobs[0].prepare.how is How.ENCODE


def test_warnings_are_errors_when_strict() -> None:
    hdr = film(colour=Colour("bt2020nc", "tv", "smpte2084", "bt2020"))
    plan = plan_of(hdr, MODELS["lucy-restyle-2"])
    assert plan.warnings == ("in.mp4 is HDR (PQ); the finished film is not.",)
    with pytest.raises(BadInput, match="is HDR"):
        plan_of(hdr, MODELS["lucy-restyle-2"], strict=True)


def test_a_picture_for_motion_is_planned_by_the_model_s_length() -> None:
    still = film(is_picture=True, frames=1, rate=Fraction(0), seconds=0.0, width=1000, height=1501, sounds=())
    plan = plan_of(still, MODELS["lucy-motion"])
    assert (plan.jobs[0].prepare.geometry.frame, plan.finish.clip.size) == (Size(704, 1280), Size(1000, 1502))
    assert (plan.seconds, plan.cost_usd, plan.finish.clip.rate) == (5.0, Decimal("0.1500"), 25)
    image = plan_of(still, MODELS["lucy-image-2"], resolution="480p")
    assert (image.seconds, image.cost_usd, image.finish.clip.frames) == (0.0, Decimal("0.01"), 1)


def test_facts_go_to_json_and_back() -> None:
    import json

    source = film(turn=90, mirrored=True, damage=("it is damaged",), tags=(("title", "x"),), timecode="01:00:00:00")
    assert Probe.from_json(json.loads(json.dumps(source.to_json()))) == source
