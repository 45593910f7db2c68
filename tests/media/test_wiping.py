"""An output that wipes over its source: which side shows what, at every frame, on both builds."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numbered import draw, read_beeps, read_number, write_numbered
from one_job import finish, prepare

from reelflow.compile import Known, compile_recipe
from reelflow.errors import BadInput, BadRecipe
from reelflow.media.probe import Probe, probe
from reelflow.models import Model, ModelTable
from reelflow.output_spec import OutputSpec
from reelflow.plan import OutputForm, Plan
from reelflow.recipe import make_step, make_trim, plain_recipe

WIDTH, HEIGHT = 256, 144
LUMA = np.array([0.299, 0.587, 0.114])


def wipe_of(source: Probe, model: Model, **asked: Any) -> Plan:
    recipe = plain_recipe("edit", make_step("edit", model=model.name, prompt="x"), trim=make_trim(1.0, 3.8, None))
    asked = {"path": "wipe.mp4", "wipe": True} | asked
    known = Known(ModelTable.standard().with_rows({model.name: model}))
    return compile_recipe(recipe.with_outputs((OutputSpec(**asked),)), source, known)


def greys(path: Path) -> list[np.ndarray[Any, Any]]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="gray") for frame in container.decode(container.streams.video[0])]


@pytest.fixture
async def source(tmp_path: Path) -> Probe:
    return await probe(write_numbered(
        tmp_path / "in.mp4", rate=25, frames=100, size=(WIDTH, HEIGHT), late=0.2, sound_late=0.2))


async def test_the_source_stands_left_of_the_line_and_the_result_right_of_it_frame_by_frame(
    source: Probe, small_model: Model, either: Path, tmp_path: Path, render: Any
) -> None:
    plan = wipe_of(source, small_model)
    sent = await prepare(plan, tmp_path / "sent.mp4", ffmpeg=either, timeout=60)
    done = await finish(plan, await render(sent.path, "negate"), tmp_path / "wipe.mp4", ffmpeg=either, timeout=60)
    shown = greys(done.path)
    assert (len(shown), done.frames, done.rate) == (70, 70, 25)
    left = right = 0
    for number, picture in enumerate(shown):
        line = WIDTH * (0.5 + 0.5 * math.cos(2 * math.pi * number / 70))
        if line > WIDTH / 2 + HEIGHT / 4 + 4:
            assert read_number(picture) == number + 25
            left += 1
        elif line < WIDTH / 2 - HEIGHT / 4 - 4:
            came = read_number(255 - picture)
            assert came is not None
            assert abs(came - (number + 25)) <= 1  # by way of the model's 20 frames a second
            right += 1
        if 16 < line < WIDTH - 16:
            # The line stands where one gives way to the other, not a frame beside it.
            here = round(line)
            apart = np.abs(picture[4:20].astype(float) - draw(number + 25, WIDTH, HEIGHT)[4:20] @ LUMA).mean(0)
            assert picture[4:20, here - 2:here + 2].max() > 225
            assert apart[:here - 6].max() < 12
            assert apart[here + 4:].max() > 40
            assert np.flatnonzero(apart > 12)[0] == pytest.approx(line, abs=5)
    assert left > 20
    assert right > 20
    assert read_beeps(done.path)[0] == pytest.approx(0.0, abs=0.05)


def test_a_wipe_can_be_a_small_animation(source: Probe, small_model: Model) -> None:
    part = {"start": 1, "duration": 1}
    output = wipe_of(source, small_model, path="wipe.webp", width=128, clip=part).finish.outputs[0]
    assert (output.form, output.frames) == (OutputForm.ANIMATION, 12)
    assert output.over is not None
    assert (output.over.span.first, output.over.span.begin, output.over.span.frames) == (50, pytest.approx(2.2), 25)


def test_what_has_no_time_of_the_source_s_has_nothing_to_wipe_over(small_model: Model) -> None:
    from test_plan import film

    with pytest.raises(BadInput, match="a wipe moves"):
        wipe_of(film(), small_model, path="wipe.png")
    still = plain_recipe("motion", make_step("motion", preset="arc"))
    picture = film(is_picture=True, format="png", codec="png", pixels="RGB", rate=0, frames=1, seconds=0.0, sounds=())
    with pytest.raises((BadInput, BadRecipe), match="nothing to wipe over"):
        compile_recipe(still.with_outputs((OutputSpec(path="a.mp4", wipe=True),)), picture,
                       Known(ModelTable.standard()))
