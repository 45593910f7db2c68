"""Whole recipes: what comes out is what the plan foretold, to the frame and in sync, in as few encodes as phases."""

from __future__ import annotations

import asyncio
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from many_steps import Ran, run_recipe
from nasty import later
from numbered import read_beeps, read_numbers, write_numbered

from reelflow.errors import BadRecipe
from reelflow.media.run import run_ffmpeg

RESTYLE = {"restyle": {"prompt": "x", "model": "small"}}
EDIT = {"edit": {"prompt": "y", "model": "smaller"}}


def check_pictures(ran: Ran, source_rate: Fraction) -> None:
    """Each picture shows the source's of its time, within one frame of the slowest rate on the way."""
    clip, line = ran.plan.finish.clip, ran.plan.finish.timeline
    assert line is not None
    rates = [clip.rate, source_rate, *(Fraction(job.prepare.rate) for job in ran.plan.jobs)]
    rates += [op.after.rate for phase in ran.plan.phases() for op in phase.pictures.ops]
    allowed = float(source_rate / min(rates) * max(line.speed, Fraction(1))) + 1
    shown = read_numbers(ran.path)
    assert len(shown) == clip.frames
    for index, picture in enumerate(shown):
        wanted = float(line.at(index / clip.rate) * source_rate)
        assert picture.number is not None and abs(picture.number - wanted) <= allowed, (index, picture, wanted)


def check_sound(ran: Ran) -> None:
    """Each beep of the source is heard where its second has gone to."""
    clip, line = ran.plan.finish.clip, ran.plan.finish.timeline
    assert line is not None
    end = float(clip.seconds)
    wanted = [float((second - line.begin) / line.speed) for second in range(60)]
    wanted = [moment for moment in wanted if 0.1 < moment < end - 0.15]
    found = [beep for beep in read_beeps(ran.path) if 0.1 < beep < end - 0.1]
    assert found == pytest.approx(wanted, abs=0.035), (found, wanted)


@pytest.mark.parametrize("rate", [30, *later("30000/1001", 25, 60)], ids=str)
async def test_every_frame_is_right_after_two_models_and_a_change_of_speed(
    rate: int | str, either: Path, work_dir: Path
) -> None:
    source = write_numbered(work_dir / "in.mp4", rate=Fraction(rate), frames=int(6 * Fraction(rate)))
    ran = await run_recipe([{"trim": {"start": 0.5}}, RESTYLE, {"speed": 1.5}, EDIT, {"trim": {"start": 0.4}}], source,
                           work_dir / "out", ffmpeg=either)
    assert (ran.film.frames, ran.film.rate, str(ran.film.shown)) == (
        ran.plan.finish.clip.frames, Fraction(rate), "160x90")
    assert ran.encodes == 3
    check_pictures(ran, Fraction(rate))
    check_sound(ran)


@pytest.mark.parametrize(("steps", "outputs"), [
    ([RESTYLE, {"trim": {"duration": 1}}], []), ([RESTYLE, {"still": 0}], [{"path": "a.png"}]),
    ([RESTYLE], [{"path": "a.mp4", "clip": {"start": 0, "duration": 1}}]), ([RESTYLE], [{"path": "a.png", "at": 0}]),
    ([RESTYLE], [{"path": "a.png", "sheet": {"columns": 2, "rows": 1}}]),
    ([{"flip": "horizontal"}], [{"path": "a.png", "sheet": {"columns": 2, "rows": 1}}]),
], ids=["trim", "still", "clip", "at", "sheet", "no model"])
async def test_what_is_not_needed_of_a_film_is_not_told_as_damaged(
    steps: list[Any], outputs: list[Any], either: Path, work_dir: Path
) -> None:
    source = write_numbered(work_dir / "in.mp4", rate=30, frames=120)
    assert (await run_recipe(steps, source, work_dir / "out", ffmpeg=either, outputs=outputs)).warnings == ()


async def test_damage_is_told_where_a_seek_s_own_errors_are_too_many_to_be_counted(
    either: Path, ffmpeg: Path, work_dir: Path
) -> None:
    source = work_dir / "in.mp4"
    await run_ffmpeg(["-f", "lavfi", "-i", "testsrc2=s=320x240:r=25:d=30", "-c:v", "libx264", "-preset", "ultrafast",
                      "-g", "25", "-bf", "0", "-pix_fmt", "yuv420p", f"file:{source}"], ffmpeg=ffmpeg, timeout=60)
    content = bytearray(source.read_bytes())
    with av.open(str(source)) as film:
        places = [(packet.pts * packet.time_base, packet.pos + packet.size // 2) for packet in film.demux(video=0)
                  if packet.size]
    for time, place in places:
        if 0.5 <= time < 27:
            content[place:place + 20] = b"\xff" * 20
    source.write_bytes(content)
    ran = await run_recipe([{"trim": {"start": 11, "end": 28}}], source, work_dir / "out", ffmpeg=either)
    assert "is damaged" in " ".join(ran.warnings)


def step_of(name: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(fields).map(lambda made: {name: made})


# Steps after which a picture's number can still be read, and a beep heard.
STEPS = st.one_of(
    step_of("trim", start=st.sampled_from([0.2, 0.5, 1.0])), step_of("trim", duration=st.sampled_from([2.0, 2.5, 3.3])),
    step_of("speed", factor=st.sampled_from([0.5, 0.75, 1.25, 2])),
    step_of("rate", fps=st.sampled_from([20, 24, 25, "29.97", 50])),
    step_of("resize", width=st.sampled_from([192, 256, 320])), step_of("denoise", strength=st.just("light")),
    step_of("colour", saturation=st.sampled_from([0.5, 1.5]), contrast=st.just(1.1)),
    step_of("sound", volume=st.sampled_from([-2, 2])),
    st.just(RESTYLE), st.just(EDIT),
)


@settings(max_examples=10, derandomize=True, deadline=None, database=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(steps=st.lists(STEPS, min_size=3, max_size=8), rate=st.sampled_from([24, 30, Fraction(30000, 1001)]))
def test_any_recipe_comes_out_as_its_plan_foretells(
    steps: list[dict[str, Any]], rate: Fraction | int, ffmpeg: Path
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        source = write_numbered(Path(folder, "in.mp4"), rate=rate, frames=int(6 * rate))
        try:
            ran = asyncio.run(run_recipe(steps, source, Path(folder, "out"), ffmpeg=ffmpeg))
        except BadRecipe as refused:
            # Cuts that leave nothing are refused before anything runs; that is foretold, too.
            assert "lies" in refused.message
            return
        clip = ran.plan.finish.clip
        assert (ran.film.frames, ran.film.rate, ran.film.shown) == (clip.frames, clip.rate, clip.size)
        assert ran.film.seconds == pytest.approx(float(clip.seconds), abs=0.001)
        skipped = sum(job.prepare.how.value == "as it is" for job in ran.plan.jobs)
        assert ran.encodes == len(ran.plan.jobs) + 1 - skipped
        assert ran.film.sounds[0].end == pytest.approx(float(clip.seconds), abs=0.05)
        check_pictures(ran, Fraction(rate))
        check_sound(ran)
