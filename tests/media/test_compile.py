"""The compiler: a recipe and a probed film become phases and jobs, each known in advance."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from test_plan import film

from reelflow.compile import Known, compile_recipe
from reelflow.errors import BadInput, BadRecipe
from reelflow.media.geometry import Size
from reelflow.media.probe import Probe
from reelflow.models import ModelTable
from reelflow.plan import FromFilm, FromJob, How, Plan, SideBySide
from reelflow.recipe import parse_recipe

PHONE = film(rate=Fraction(30), frames=300, seconds=10.0)
STILL = film(is_picture=True, frames=1, rate=Fraction(0), seconds=0.0, width=1000, height=1500, sounds=(), format="png")


def plan_for(*steps: Any, source: Probe = PHONE, outputs: Any = (), **known: Any) -> Plan:
    recipe = parse_recipe({"name": "mine", "steps": list(steps), "outputs": list(outputs)})
    return compile_recipe(recipe, source, Known(ModelTable.standard(), **known))


def test_steps_between_models_are_one_phase_each_and_what_they_change_is_known() -> None:
    plan = plan_for({"trim": {"start": 2, "duration": 3}}, {"restyle": "noir"}, {"rate": 50}, {"edit": "rain"},
                    {"resize": "square"})
    first, second = plan.jobs
    assert (first.prepare.frames, first.prepare.rate, first.seconds) == (66, 22, 3.0)
    assert isinstance(first.prepare.pictures.feed, FromFilm) and first.prepare.pictures.ops == ()
    assert [op.step.name for op in second.prepare.pictures.ops] == ["rate"]
    assert (second.prepare.frames, second.prepare.rate) == (60, 20)
    assert [op.step.name for op in plan.finish.pictures.ops] == ["resize"]
    assert (plan.finish.clip.size, plan.finish.clip.rate, plan.finish.clip.frames) == (Size(1080, 1080), 50, 150)
    assert (plan.seconds, plan.cost_usd) == (6.0, Decimal("0.1500"))


def test_the_source_s_size_and_rate_come_back_after_two_models_of_other_frames() -> None:
    plan = plan_for({"restyle": "noir"}, {"edit": {"prompt": "rain", "model": "lucy-2.1"}})
    assert (plan.finish.clip.size, plan.finish.clip.rate, plan.finish.clip.frames) == (Size(1920, 1080), 30, 300)
    assert plan.jobs[1].prepare.geometry.frame == Size(1088, 624)


def test_a_trim_behind_a_model_cuts_the_sound_where_it_lies_in_the_source() -> None:
    plan = plan_for({"trim": {"start": 1}}, {"restyle": "noir"}, {"trim": {"start": 2, "end": 5}})
    assert plan.finish.sounds is not None
    assert (plan.finish.sounds.span.begin, plan.finish.sounds.span.seconds) == (3.0, 3.0)
    assert plan.finish.sounds.ops == () and plan.finish.timeline is not None
    assert plan.finish.timeline.begin == 3


SAID = film(rate=Fraction(30), frames=300, seconds=10.0, first_time=0.7, timecode="01:00:00:00",
            tags=(("title", "Hills"),))


@pytest.mark.parametrize(("steps", "timecode"), [
    ([{"restyle": "noir"}], "01:00:00:00"),
    ([{"trim": {"start": 1}}, {"restyle": "noir"}, {"trim": {"start": 2.1}}, {"flip": "horizontal"}], "01:00:03:03"),
    ([{"rate": 60}, {"restyle": "noir"}, {"rate": 30}], "01:00:00:00"),
    ([{"speed": 2}, {"trim": {"start": 1}}, {"speed": 0.5}], "01:00:02:00"),
    ([{"restyle": "noir"}, {"rate": 25}], None),
    ([{"restyle": {"prompt": "noir", "rate": "model"}}], None),
    ([{"speed": 2}], None),
    (["reverse"], None),
    ([{"rate": 12}, {"trim": {"start": 0.25}}, {"rate": 30}], None),
    ([{"variants": ["reverse", {"restyle": "noir"}]}, {"edit": "rain"}], None),
])
def test_a_film_has_the_timecode_of_its_first_frame_where_its_frames_run_as_the_source_s(
    steps: list[Any], timecode: str | None
) -> None:
    outputs = [{"path": "a.mp4"}, {"path": "b.webm"}, {"path": "c.webp"}, {"path": "d.png"}]
    made = plan_for(*steps, source=SAID, outputs=outputs).finish.outputs
    assert [one.timecode for one in made] == [timecode, None, None, None]
    assert [one.tags for one in made] == [SAID.tags, SAID.tags, (), ()]


@pytest.mark.parametrize("about", [
    {"varies": True}, {"hidden": 2}, {"rate": Fraction(48)}, {"timecode": "01:00:00;00"}, {"timecode": None},
])
def test_a_timecode_that_may_be_another_frame_s_does_not_come_back(about: dict[str, Any]) -> None:
    assert plan_for({"restyle": "noir"}, source=replace(SAID, **about)).finish.outputs[0].timecode is None


def test_a_film_that_comes_as_the_next_model_takes_it_is_not_encoded_again() -> None:
    plan = plan_for({"restyle": "noir"}, {"restyle": "anime"})
    assert [job.prepare.how for job in plan.jobs] == [How.ENCODE, How.AS_IT_IS]
    cut = plan_for({"restyle": "noir"}, {"trim": {"end": 5}}, {"restyle": "anime"})
    assert cut.jobs[1].prepare.how is How.ENCODE


def test_a_recipe_that_leaves_the_pictures_alone_copies_them() -> None:
    assert plan_for(outputs=[{"path": "a.mkv"}]).finish.outputs[0].copies
    for step, output in (({"rate": 25}, {"path": "a.mkv"}), ({"trim": {"end": 5}}, {"path": "a.mkv"})):
        assert not plan_for(step, outputs=[output]).finish.outputs[0].copies
    assert not plan_for(outputs=[{"path": "a.mp4", "codec": "hevc"}]).finish.outputs[0].copies
    for more in ({"size": "720p"}, {"quality": "small"}):
        assert not plan_for(outputs=[{"path": "a.mp4", **more}]).finish.outputs[0].copies
    assert plan_for(outputs=[{"path": "a.mp4", "quality": "best"}]).finish.outputs[0].copies
    assert not plan_for(source=replace(PHONE, numbered=True), outputs=[{"path": "a.mp4"}]).finish.outputs[0].copies


def test_a_still_becomes_a_film_through_motion() -> None:
    plan = plan_for({"still": 3}, {"image": "oil"}, {"motion": "arc"}, {"edit": "snow"})
    image, motion, edit = plan.jobs
    assert image.prepare.is_picture and motion.prepare.is_picture and edit.prepare.frames == 100
    assert (plan.finish.clip.rate, plan.finish.clip.frames, plan.finish.sounds) == (25, 125, None)
    assert plan.cost_usd == Decimal("0.02") + Decimal("0.15") + Decimal("0.20")
    longer = plan_for({"still": 3}, {"motion": "arc"}, made={1: 150})
    assert longer.finish.clip.frames == 150


def test_a_point_that_the_film_never_reaches_is_told() -> None:
    asked = {"motion": {"path": "0:0.2,0.5 200:0.5,0.3"}}
    assert plan_for({"still": 3}, asked).warnings == (
        "The path's point at frame 200 is never reached: lucy-motion makes frames 0 to 124.",)
    # Once it is there and paid for, that is no reason any more to refuse it.
    assert plan_for({"still": 3}, asked, made={1: 125}).warnings == ()


def test_a_model_that_nothing_is_asked_of_is_told_before_it_is_paid() -> None:
    assert plan_for("tryon", {"edit": "snow"}).warnings == (
        "Nothing is asked of lucy-vton-3: give a prompt or a reference picture.",)


def test_variants_lie_side_by_side_with_the_sound_from_before() -> None:
    plan = plan_for({"variants": {"of": [{"restyle": "a"}, {"restyle": "b"}], "source": True, "labels": list("xyz")}})
    feed = plan.finish.pictures.feed
    assert isinstance(feed, SideBySide) and len(feed.cells) == 3
    assert [cell.feed.job for cell in feed.cells if isinstance(cell.feed, FromJob)] == [1, 2]
    assert plan.finish.clip.size == Size(640 * 3 - 0, feed.cell.height + feed.below)
    assert plan.finish.sounds is not None and plan.finish.sounds.is_untouched


def test_a_long_film_is_cut_where_its_scenes_change() -> None:
    plan = plan_for({"edit": {"prompt": "x", "model": "lucy-clip"}}, scenes=(2.0, 4.6, 8.0))
    assert [piece.first for piece in plan.jobs[0].prepare.pieces] == [0, 115, 200]
    even = plan_for({"edit": {"prompt": "x", "model": "lucy-clip", "max_segment_seconds": 2.5}})
    assert [piece.frames for piece in even.jobs[0].prepare.pieces] == [50, 50, 50, 50, 50]
    assert even.cost_usd == Decimal("1.5000")


def test_a_film_in_pieces_costs_what_its_pieces_cost_each_rounded_by_itself() -> None:
    long = film(rate=Fraction(22), frames=663, seconds=663 / 22)
    plan = plan_for({"restyle": {"prompt": "x", "max_segment_seconds": 10.05}}, source=long)
    (job,) = plan.jobs
    assert [piece.frames for piece in job.prepare.pieces] == [221, 221, 221]
    assert [job.price(seconds) for seconds in job.lengths] == [Decimal("0.1005")] * 3
    assert (plan.cost_usd, job.model.price(job.seconds)) == (Decimal("0.3015"), Decimal("0.3014"))


def test_a_crossfade_is_paid_for() -> None:
    plan = plan_for({"edit": {"prompt": "x", "model": "lucy-clip", "crossfade": 0.4}})
    pieces = plan.jobs[0].prepare.pieces
    assert sum(piece.frames for piece in pieces) == 250 + 10 * (len(pieces) - 1)
    assert plan.seconds == pytest.approx(10 + 0.4 * (len(pieces) - 1))


@pytest.mark.parametrize(("steps", "source", "said"), [
    ([{"motion": "arc"}], PHONE, "step 1 (motion): /clips/in.mp4 is a video; lucy-motion needs a picture"),
    ([{"restyle": "x"}], STILL, "step 1 (restyle): /clips/in.mp4 is a picture; lucy-restyle-2 needs a video"),
    ([{"rate": 25}], STILL, "step 1 (rate): A picture can't be given a rate"),
    ([{"trim": {"duration": 2}}, {"trim": {"start": 3}}], PHONE, "step 2 (trim): The start (3 s) lies behind the end"),
    ([{"still": 11}], PHONE, "There is no frame at 11.0 s"),
    ([{"variants": [{"restyle": "a"}, [{"trim": {"end": 2}}, {"restyle": "b"}]]}], PHONE, "are not equally long"),
    ([{"variants": [[{"trim": {"end": 2}}, {"restyle": "b"}]]}], PHONE, "changes the film's length"),
    ([{"restyle": {"prompt": "x", "model": "lucy-2.5"}}], PHONE, "lucy-2.5 is not a model for restyle"),
    ([{"edit": {"model": "nope"}}], PHONE, "The model 'nope' is not known"),
])
def test_what_can_t_be_is_refused_with_its_step(steps: list[Any], source: Probe, said: str) -> None:
    with pytest.raises(BadRecipe) as refused:
        plan_for(*steps, source=source)
    assert said in refused.value.message


@pytest.mark.parametrize(("output", "said"), [
    ({"path": "a.avi"}, "does not end in one of"), ({"path": "a.webm", "codec": "h264"}, "can't hold h264"),
    ({"path": "a.mp4", "clip": {"start": 20}}, "lies behind the end"), ({"path": "a.png", "at": 20}, "no frame at 20"),
    ({"path": "a.mp4", "size": "model"}, "needs a model among the steps"),
])
def test_an_output_that_can_t_be_is_refused_with_its_number(output: Any, said: str) -> None:
    with pytest.raises(BadRecipe, match="output 2") as refused:
        plan_for({"rate": 25}, outputs=[{"path": "fine.mp4"}, output])
    assert said in refused.value.message


def test_two_outputs_never_share_a_name() -> None:
    with pytest.raises(BadRecipe, match="output 2: it has the name of another one"):
        plan_for({"rate": 25}, outputs=[{"path": "{stem}.mp4"}, {"path": "FILM.mp4"}])


def test_all_faults_of_a_recipe_are_found_at_once() -> None:
    with pytest.raises(BadRecipe) as refused:
        plan_for({"trim": {"start": 20}}, {"motion": "arc"}, {"still": 11})
    assert [fault.number for fault in refused.value.faults] == ["1", "2", "3"]


def test_what_comes_out_has_the_size_rate_and_part_that_is_asked_for() -> None:
    plan = plan_for({"restyle": "x"}, source=film(turn=90, rate=Fraction(30), frames=300, seconds=10.0), outputs=[
        {"path": "a.mp4", "size": "720p"}, {"path": "b.mp4", "size": "model", "fps": 29.97},
        {"path": "c.webp", "width": 200, "clip": {"start": 1, "duration": 2}}, {"path": "d.png", "at": "last"},
        {"path": "e.jpg", "sheet": {"columns": 2, "rows": 2}, "width": 400},
    ])
    shown = [(output.size, output.rate, output.first, output.frames) for output in plan.finish.outputs]
    assert shown == [
        (Size(720, 1280), 30, 0, 300), (Size(704, 1280), Fraction(30000, 1001), 0, 300),
        (Size(200, 356), 12, 30, 24), (Size(1080, 1920), 0, 299, 1), (Size(400, 712), 30, 0, 300),
    ]


def test_the_model_of_a_rolling_name_is_what_it_stands_for_now() -> None:
    plan = plan_for({"edit": {"prompt": "x", "model": "lucy-latest"}}, resolved={"lucy-latest": "lucy-2.1"})
    assert (plan.jobs[0].resolved, plan.jobs[0].prepare.geometry.frame) == ("lucy-2.1", Size(1088, 624))


def test_bits_and_fields_that_a_finished_film_has_not_are_told_but_where_its_pictures_are_copied() -> None:
    fine = film(bits=10, pixels="yuv422p10le", interlaced=True)
    told = ("in.mp4 has 10 bits a colour; the finished film is made of 8.",
            "in.mp4 is interlaced; the finished film is progressive.")
    assert plan_for({"restyle": "noir"}, source=fine).warnings == told
    assert plan_for({"trim": {"duration": 2}}, source=fine).warnings == told
    assert plan_for(source=fine, outputs=[{"path": "a.mkv"}]).warnings == ()


@pytest.mark.parametrize(("steps", "output", "size"), [
    ((), {}, "321x181"), ((), {"size": "source"}, "321x181"), ((), {"size": "322x182"}, "322x182"),
    ((), {"width": 322}, "322x182"), (({"resize": "322x182"},), {}, "322x182"),
    (({"resize": "322x182"},), {"size": "source"}, "321x181"),
])
def test_a_picture_of_odd_size_keeps_it_unless_another_is_asked_for(
    steps: tuple[object, ...], output: dict[str, object], size: str
) -> None:
    odd = replace(STILL, width=321, height=181)
    plan = plan_for({"image": {"prompt": "noir"}}, *steps, source=odd, outputs=[{"path": "a.png", **output}])
    assert str(plan.finish.outputs[0].size) == size


def test_films_that_can_be_seen_through_are_told_but_for_gifs_which_always_seem_so() -> None:
    for codec, told in (("prores", ("in.mp4 may be seen through in places; what is made of it is not.",)), ("gif", ())):
        seen = plan_for({"restyle": "noir"}, source=replace(PHONE, codec=codec, pixels="yuva444p"))
        assert seen.warnings == told


def test_a_picture_that_can_be_seen_through_is_told() -> None:
    asked = {"image": {"prompt": "noir"}}
    assert plan_for(asked, source=replace(STILL, pixels="RGBA")).warnings == (
        "in.mp4 may be seen through in places; what is made of it is not.",)
    assert plan_for(asked, source=replace(STILL, pixels="RGB")).warnings == ()


@pytest.mark.parametrize(("output", "told"), [
    ({"path": "a.webp", "sheet": {"rows": 2}}, "`sheet` is not for a moving picture"),
    ({"path": "a.mp4", "sheet": {"rows": 2}}, "`sheet` is not for a film"),
    ({"path": "a.mp4", "at": "last"}, "`at` is not for a film"),
    ({"path": "a.gif", "codec": "hevc"}, "`codec` is not for a moving picture"),
    ({"path": "a.png", "fps": 12}, "`fps` is not for a picture"),
    ({"path": "a.jpg", "quality": "small"}, "`quality` is not for a picture"),
    ({"path": "a.jpg", "sheet": {}, "size": "720p"}, "`size` is not for a contact sheet"),
])
def test_a_field_that_says_nothing_of_an_output_is_refused(output: dict[str, Any], told: str) -> None:
    with pytest.raises(BadRecipe, match=told):
        plan_for({"restyle": "noir"}, outputs=[output])


@pytest.mark.parametrize(("steps", "output", "where"), [
    ([{"restyle": "noir"}], {"path": "a.mp4", "size": "8192x8192"}, "output 1"),
    ([{"restyle": "noir"}, {"resize": "8192x8192"}], {"path": "a.mp4"}, "step 2"),
    ([{"restyle": "noir"}], {"path": "a.jpg", "sheet": {"columns": 1, "rows": 12}, "width": 8192}, "output 1"),
])
def test_pictures_that_nobody_could_read_again_are_refused_before_anything_is_bought(
    steps: list[Any], output: dict[str, Any], where: str
) -> None:
    with pytest.raises(BadRecipe, match="million pixels") as refused:
        plan_for(*steps, outputs=[output])
    assert where in str(refused.value)


@pytest.mark.parametrize(("part", "told"), [
    ({"start": 5, "end": 3}, "is not after the start"), ({"duration": 0}, "there would be no film left"),
    ({"end": 3, "duration": 1}, "not both"),
])
def test_a_part_that_can_t_be_is_refused_as_the_recipe_is_read(part: dict[str, Any], told: str) -> None:
    with pytest.raises(BadRecipe, match=told):
        parse_recipe({"steps": [{"restyle": "noir"}], "outputs": [{"path": "a.mp4", "clip": part}]})


def test_a_strict_recipe_refuses_a_damaged_source() -> None:
    recipe = parse_recipe({"steps": [{"rate": 25}], "strict": True})
    damaged = film(damage=("it is cut off",), path=Path("/clips/in.mp4"))
    with pytest.raises(BadInput, match=r"in\.mp4 is damaged: it is cut off"):
        compile_recipe(recipe, damaged, Known(ModelTable.standard()))
