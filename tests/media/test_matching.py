"""What the model returns is laid onto the time of what was sent, or the run says what is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from nasty import later
from numbered import read_beeps, read_numbers, write_numbered
from one_job import finish, plan_of, prepare

from reelflow.errors import BadResult
from reelflow.media.probe import probe
from reelflow.models import Model
from reelflow.plan import Plan

FRAMES, RATE = 60, 30  # two seconds, 40 frames sent


@pytest.fixture
async def sent(ffmpeg: Path, small_model: Model, work_dir: Path) -> tuple[Plan, Path]:
    source = write_numbered(work_dir / "in.mp4", rate=RATE, frames=FRAMES)
    plan = plan_of(await probe(source), small_model)
    return plan, (await prepare(plan, work_dir / "sent.mp4", ffmpeg=ffmpeg, timeout=20)).path


def drift(path: Path) -> float:
    """The farthest that a picture is from the one of its time, in source frames."""
    return max(abs(shown.number - index) for index, shown in enumerate(read_numbers(path)) if shown.number is not None)


@pytest.mark.parametrize(("filters", "warned", "off"), [
    ("null", None, 1),
    ("setpts=PTS*20/25,fps=25", "labelled its film with 25 frames a second instead of 20", 1),
    ("trim=end_frame=39", "1 frame less than the 40 sent; the end was held", 2),
    ("tpad=stop=1:stop_mode=clone", "1 frame more than the 40 sent; the end was cut", 1),
    ("tpad=stop=8:stop_mode=clone", "8 frames more than the 40 sent; the end was cut.", 1),
    ("fps=25", "50 frames at 25 a second for the 40 sent, over the same time", 2),
    ("scale=254:142,setsar=1", "pictures of 254x142", 1),
    *(pytest.param(*values, marks=pytest.mark.slow) for values in (
        ("setpts=PTS*2,fps=10", "labelled its film with 10", 1),
        ("tpad=stop=1:stop_mode=clone,setpts=PTS*20/24,fps=24", "1 frame more", 1),
        ("fps=16", "32 frames at 16 a second", 2),
        ("trim=end_frame=35", "5 frames less than the 40 sent; the end was held", 10),
        ("scale=128:72", "pictures of 128x72 instead of 256x144; they were scaled", 1),
        ("scale=640:360", "pictures of 640x360", 1),
    )),
])
async def test_a_film_that_came_back_otherwise_is_put_right(
    filters: str, warned: str | None, off: int, sent: tuple[Plan, Path], either: Path, render: Any, work_dir: Path
) -> None:
    plan, path = sent
    generated = await render(path, filters)
    done = await finish(plan, generated, work_dir / "done.mp4", ffmpeg=either, timeout=20)
    shown = read_numbers(done.path)
    assert len(shown) == FRAMES == done.frames and None not in [picture.number for picture in shown]
    assert drift(done.path) <= off
    assert (done.width, done.height) == (160, 90)
    assert (warned is None and done.warnings == ()) or (warned is not None and warned in " ".join(done.warnings))
    assert "damaged" not in " ".join(done.warnings)
    if warned:
        with pytest.raises(BadResult, match="--strict"):
            await finish(plan, generated, work_dir / "strict.mp4", ffmpeg=either, timeout=20, strict=True)
        assert not (work_dir / "strict.mp4").exists()


async def test_sound_that_the_model_made_is_not_kept(
    sent: tuple[Plan, Path], either: Path, render: Any, work_dir: Path
) -> None:
    plan, path = sent
    done = await finish(
        plan, await render(path, sound=True), work_dir / "done.mp4", ffmpeg=either, timeout=20)
    assert read_beeps(done.path) == pytest.approx(read_beeps(plan.source.path), abs=0.002)
    assert len((await probe(done.path)).sounds) == 1


@pytest.mark.parametrize(("filters", "said"), [
    ("trim=end_frame=20", "small returned 20 frames"),
    ("tpad=stop=30:stop_mode=clone", "small returned 70 frames"),
    ("crop=144:144", "another shape than the 256x144 sent"),
    ("transpose=clock", "pictures of 144x256, another shape"),
])
async def test_a_film_that_can_not_be_matched_is_refused(
    filters: str, said: str, sent: tuple[Plan, Path], ffmpeg: Path, render: Any, work_dir: Path
) -> None:
    plan, path = sent
    with pytest.raises(BadResult, match=said):
        await finish(plan, await render(path, filters), work_dir / "done.mp4", ffmpeg=ffmpeg, timeout=20)
    assert not (work_dir / "done.mp4").exists()


async def test_what_is_not_a_film_is_refused(sent: tuple[Plan, Path], ffmpeg: Path, work_dir: Path) -> None:
    plan, _ = sent
    made = work_dir / "made.mp4"
    made.write_text("<html>502 Bad Gateway</html>")
    with pytest.raises(BadResult, match=r"What the model returned can't be used: .*made.mp4 is not a video"):
        await finish(plan, made, work_dir / "done.mp4", ffmpeg=ffmpeg, timeout=20)


async def test_a_film_that_breaks_off_says_so(
    sent: tuple[Plan, Path], either: Path, render: Any, work_dir: Path
) -> None:
    plan, path = sent
    generated = await render(path, "null", "-movflags", "+faststart", "-g", "5")
    content = generated.read_bytes()
    generated.write_bytes(content[:len(content) * 95 // 100])
    done = await finish(plan, generated, work_dir / "done.mp4", ffmpeg=either, timeout=20)
    assert done.frames == FRAMES and "less than the 40 sent" in " ".join(done.warnings)


@pytest.mark.parametrize("asked", [
    {"size": "model"}, {"fit": "crop"}, *later({"rate": "model"}, {"fit": "stretch"}),
])
async def test_size_rate_and_fit_are_as_asked(
    asked: dict[str, str], either: Path, ffmpeg: Path, small_model: Model, render: Any, work_dir: Path
) -> None:
    source = write_numbered(work_dir / "in.mp4", rate=RATE, frames=FRAMES, size=(160, 120))
    plan = plan_of(await probe(source), small_model, **asked)
    path = (await prepare(plan, work_dir / "sent.mp4", ffmpeg=either, timeout=20)).path
    done = await finish(plan, await render(path), work_dir / "done.mp4", ffmpeg=either, timeout=20)
    wanted = {"size": (256, 144), "fit": (160, 90)}.get(next(iter(asked)), (160, 120))
    wanted = (160, 120) if asked.get("fit") == "stretch" else wanted
    assert (done.width, done.height) == wanted
    assert (done.frames, done.rate) == ((40, 20) if "rate" in asked else (60, 30))


@pytest.mark.parametrize(("name", "codec", "found", "sound"), [
    ("done.webm", None, "av1", "opus"), ("done.mov", "prores", "prores", "aac"),
    *(pytest.param(*values, marks=pytest.mark.slow) for values in (
        ("done.mov", None, "h264", "aac"), ("done.mkv", None, "h264", "aac"), ("done.mp4", "hevc", "hevc", "aac"),
        ("done.mp4", "av1", "av1", "aac"),
    )),
])
async def test_the_name_and_the_codec_say_what_is_made(
    name: str, codec: str | None, found: str, sound: str, sent: tuple[Plan, Path], either: Path, render: Any,
    work_dir: Path
) -> None:
    plan, path = sent
    done = await finish(plan, await render(path), work_dir / name, ffmpeg=either, timeout=60, codec=codec)
    made = await probe(done.path)
    assert (made.codec, made.sounds[0].codec, made.frames) == (found, sound, FRAMES)
    assert (made.colour.matrix, made.colour.range) == ("bt709", "tv")
    assert drift(done.path) <= 1
    start = read_numbers(done.path)[0].time
    assert [beep - start for beep in read_beeps(done.path)] == pytest.approx(
        read_beeps(plan.source.path), abs=0.008)  # Opus made by 5.1 is 6.5 ms early


async def test_smooth_motion_has_the_source_s_frames(
    sent: tuple[Plan, Path], either: Path, render: Any, work_dir: Path
) -> None:
    plan, path = sent
    done = await finish(plan, await render(path), work_dir / "done.mp4", ffmpeg=either, timeout=60, smooth=True)
    shown = [picture.number for picture in read_numbers(done.path)]
    # The last frame that was sent is number 58 or 57 of the source: it has to come, and only for its own time.
    assert (len(shown), shown[0]) == (FRAMES, 0) and shown[-1] in (57, 58) and shown[-5:].count(shown[-1]) <= 2
