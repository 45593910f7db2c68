"""Recipes run in a real Prefect on a queue that counts: each job once, each step only when it has to be."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

from flows.pipeline import pipeline
from reelflow.errors import BadInput, BadRecipe, OutputTaken, OverBudget, SubmitUnknown, Unapproved
from reelflow.media.probe import probe
from reelflow.media.run import run_ffmpeg
from reelflow.standin.server import StandIn, running_standin

pytestmark = pytest.mark.usefixtures("prefect_server")

SMALL = {
    "small": {"like": "lucy-restyle-2", "width": 256, "height": 144},
    "small-edit": {"like": "lucy-2.5", "width": 192, "height": 112},
    "small-clip": {"like": "lucy-clip", "width": 256, "height": 144},
    "small-motion": {"like": "lucy-motion", "width": 256, "height": 144, "seconds": 1.0},
    "small-image": {"like": "lucy-image-2", "width": 256, "height": 144},
}


@pytest.fixture
async def queue(tmp_path: Path, ffmpeg: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[StandIn]:
    """A queue that outlives the runs, with models of small frames."""
    from reelflow.settings import read_settings

    monkeypatch.setenv("REELFLOW_MODELS", json.dumps(SMALL))
    async with running_standin(
        tmp_path / "queue", ffmpeg=ffmpeg, workers=4, models=read_settings().model_table
    ) as standin:
        monkeypatch.setenv("DECART_BASE_URL", standin.url)
        monkeypatch.setenv("DECART_API_KEY", "key-of-the-test")
        monkeypatch.setenv("REELFLOW_POLL_SECONDS", "0.1")
        yield standin


def recipe(*steps: Any, outputs: Any = ({"path": "{stem}-{name}.mp4"},), **more: Any) -> dict[str, Any]:
    return {"name": "mine", "steps": list(steps), "outputs": list(outputs), **more}


async def task_names(report: dict[str, Any]) -> list[str]:
    """The names of a flow run's task runs, in the order in which they began."""
    async with get_client() as client:
        runs = await client.read_task_runs(flow_run_filter=FlowRunFilter(
            id=FlowRunFilterId(any_=[report["flow_run_id"]])))
    return [run.name for run in sorted(runs, key=lambda run: run.start_time or run.created)]


async def test_two_models_and_several_files_come_out_as_they_were_planned(
    queue: StandIn, clip: Path, tmp_path: Path
) -> None:
    report = await pipeline(str(clip), recipe(
        {"trim": {"start": 0.2, "duration": 0.6}}, {"restyle": {"prompt": "noir", "model": "small", "seed": 1}},
        {"edit": {"prompt": "rain", "model": "small-edit"}}, {"resize": {"size": "square", "fit": "blur"}},
        outputs=[{"path": "{stem}.mp4", "size": "480x480"}, {"path": "moving.webp", "width": 160},
                 {"path": "deep/still.png", "at": 0.3}],
    ), output=f"{tmp_path}/out/")
    film, still = await probe(tmp_path / "out" / "a clip.mp4"), await probe(tmp_path / "out" / "deep" / "still.png")
    assert (str(film.shown), film.rate, film.frames, len(film.sounds)) == ("480x480", 30, 18, 1)
    assert (still.width, still.height) == (1080, 1080) and (tmp_path / "out" / "moving.webp").stat().st_size > 1000
    assert (report["status"], report["model"], queue.jobs_made) == ("completed", "small → small-edit", 2)
    assert report["billed_seconds"] == pytest.approx(13 / 22 + 0.6)
    assert len(report["job_ids"]) == 2 and len(report["outputs"]) == 3
    names = await task_names(report)
    assert "2 trim 0.2 s to 0.8 s, prepare for small" in names and "3 prepare for small-edit" in names
    assert any(name.startswith("3 edit: submit to small-edit") for name in names)
    assert "resize to square, finish" in names


async def test_only_what_comes_behind_a_changed_step_is_done_again(
    queue: StandIn, clip: Path, tmp_path: Path
) -> None:
    restyle = {"restyle": {"prompt": "noir", "model": "small"}}
    edit = {"edit": {"prompt": "rain", "model": "small-edit"}}
    first = await pipeline(str(clip), recipe(restyle, edit, {"rate": 25}), output=f"{tmp_path}/1/")
    assert queue.posts == 2
    other_end = await pipeline(str(clip), recipe(restyle, edit, {"rate": 15}), output=f"{tmp_path}/2/")
    assert queue.posts == 2 and other_end["billed_seconds"] == 0
    assert "prepare" not in other_end["phases"] and "prepare" in first["phases"] and "finish" in other_end["phases"]
    other_edit = {"edit": {"prompt": "snow", "model": "small-edit"}}
    changed = await pipeline(str(clip), recipe(restyle, other_edit, {"rate": 15}), output=f"{tmp_path}/3/")
    assert queue.posts == 3 and "prepare" not in changed["phases"]
    again = await pipeline(str(clip), recipe(restyle, other_edit, {"rate": 15}), output=f"{tmp_path}/3/")
    assert queue.posts == 3 and again["paid"] == "kept" and "finish" not in again["phases"]


async def test_of_several_files_a_missing_one_is_made_without_the_others_being_in_its_way(
    queue: StandIn, clip: Path, tmp_path: Path
) -> None:
    asked = recipe({"restyle": {"prompt": "noir", "model": "small"}}, outputs=[{"path": "a.mp4"}, {"path": "b.png"}])
    for _ in range(2):
        report = await pipeline(str(clip), asked, output=f"{tmp_path}/out/")
        assert report["status"] == "completed"
        (tmp_path / "out" / "b.png").unlink()
    (tmp_path / "out" / "a.mp4").write_bytes(b"another's")
    with pytest.raises(OutputTaken, match=r"a\.mp4 exists"):
        await pipeline(str(clip), asked, output=f"{tmp_path}/out/")
    assert queue.jobs_made == 1


async def test_variants_are_bought_side_by_side_and_the_same_one_once(
    queue: StandIn, clip: Path, tmp_path: Path
) -> None:
    noir, neon = ({"restyle": {"prompt": prompt, "model": "small"}} for prompt in ("noir", "neon"))
    report = await pipeline(str(clip), recipe(
        {"variants": {"of": [noir, neon, noir], "source": True, "layout": "grid", "labels": ["a", "b", "c", "d"]}},
    ), output=f"{tmp_path}/")
    film = await probe(Path(report["output"]))
    assert (film.frames, film.rate, len(film.sounds)) == (30, 30, 1) and queue.jobs_made == 2
    # Its labels have colour of their own; most players take no 4:4:4.
    assert film.pixels == "yuv420p"


async def test_a_picture_becomes_a_film_and_that_another_film(queue: StandIn, picture: Path, tmp_path: Path) -> None:
    report = await pipeline(str(picture), recipe(
        {"image": {"prompt": "oil painting", "model": "small-image"}},
        {"motion": {"preset": "arc", "model": "small-motion"}}, {"edit": {"prompt": "snow", "model": "small-edit"}},
    ), output=f"{tmp_path}/")
    film = await probe(Path(report["output"]))
    assert (str(film.shown), film.rate, film.frames, film.sounds) == ("320x180", 25, 25, ())
    assert (queue.jobs_made, queue.pictures_made) == (2, 1)


@pytest.mark.parametrize(("at_once", "most"), [(1, 1), (4, 5)])
async def test_a_failed_piece_stops_what_has_not_gone_out_and_what_was_bought_stays(
    queue: StandIn, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int, most: int
) -> None:
    monkeypatch.setenv("REELFLOW_JOBS_AT_ONCE", str(at_once))
    steps = {"edit": {"prompt": "neon", "model": "small-clip", "max_segment_seconds": 0.25}}
    queue.faults.add("job-fails=1")
    with pytest.raises(Exception, match="failed"):
        await pipeline(str(clip), recipe(steps), output=f"{tmp_path}/")
    assert queue.jobs_made <= most and not (tmp_path / "a clip-mine.mp4").exists()
    monkeypatch.setenv("REELFLOW_MAX_ATTEMPTS", "2")
    report = await pipeline(str(clip), recipe(steps), output=f"{tmp_path}/")
    assert (report["status"], queue.jobs_made) == ("completed", 6)


HALF_SECONDS = {"edit": {"prompt": "neon", "model": "small-clip", "max_segment_seconds": 0.5}}


async def long_clip(folder: Path, ffmpeg: Path) -> Path:
    """Three seconds."""
    clip = folder / "long.mp4"
    await run_ffmpeg(["-f", "lavfi", "-i", "testsrc2=s=320x180:r=30:d=3", "-c:v", "libx264", "-pix_fmt", "yuv420p",
                      f"file:{clip}"], ffmpeg=ffmpeg, timeout=60)
    return clip


def ffmpeg_that_stops(folder: Path, ffmpeg: Path) -> Path:
    """An ffmpeg that encodes pieces no faster than the film and stops in its midst, as when a disk is full."""
    stops = folder / "ffmpeg"
    stops.write_text(
        f'#!/bin/sh\ncase "$*" in *segment_frames*) timeout -s KILL 2.2 "{ffmpeg}" -re "$@"; exit 1;; esac\n'
        f'exec "{ffmpeg}" "$@"\n')
    stops.chmod(0o755)
    return stops


async def test_pieces_that_were_sent_before_the_encode_failed_are_not_bought_again(
    queue: StandIn, ffmpeg: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = await long_clip(tmp_path, ffmpeg)
    queue.faults.add("late-reply=1")
    with monkeypatch.context() as patched:
        patched.setenv("REELFLOW_FFMPEG", str(ffmpeg_that_stops(tmp_path, ffmpeg)))
        patched.setenv("REELFLOW_JOBS_AT_ONCE", "1")
        with pytest.raises(Exception, match="ffmpeg failed"):
            await pipeline(str(clip), recipe(HALF_SECONDS), output=f"{tmp_path}/")
    assert queue.jobs_made == 1, "those that waited for the first one's place were not sent any more"
    report = await pipeline(str(clip), recipe(HALF_SECONDS), output=f"{tmp_path}/")
    assert (report["status"], queue.jobs_made) == ("completed", 7)


async def test_a_piece_s_lost_reply_is_told_also_where_the_encode_fails_behind_it(
    queue: StandIn, ffmpeg: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = await long_clip(tmp_path, ffmpeg)
    queue.faults.add("drop-after-accept=1")
    monkeypatch.setenv("REELFLOW_FFMPEG", str(ffmpeg_that_stops(tmp_path, ffmpeg)))
    with pytest.raises(SubmitUnknown, match="reelflow jobs resolve") as lost:
        await pipeline(str(clip), recipe(HALF_SECONDS), output=f"{tmp_path}/")
    assert "ffmpeg failed" in str(lost.value.__cause__)


async def test_the_price_of_all_jobs_is_held_against_the_limit_before_the_first(
    queue: StandIn, clip: Path, tmp_path: Path
) -> None:
    steps = ({"restyle": {"prompt": "noir", "model": "small"}}, {"edit": {"prompt": "rain", "model": "small-edit"}})
    with pytest.raises(OverBudget, match=r"The 2 jobs would cost 0\.05 USD, and the limit max_cost_usd is 0\.04 USD"):
        await pipeline(str(clip), recipe(*steps), output=f"{tmp_path}/", max_cost_usd=0.04)
    estimate = await pipeline(str(clip), recipe(*steps), output=f"{tmp_path}/", estimate=True)
    assert (estimate["status"], estimate["cost_usd"], queue.posts) == ("estimated", 0.05, 0)


@pytest.mark.parametrize("by", ["the run", "the settings"])
async def test_the_price_of_all_pieces_is_held_against_the_limit_before_the_first(
    by: str, queue: StandIn, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = recipe({"edit": {"prompt": "neon", "model": "small-clip", "max_segment_seconds": 0.25}})
    whole = (await pipeline(str(clip), asked, output=f"{tmp_path}/", estimate=True))["cost_usd"]
    limit = whole * 0.9
    if by == "the settings":
        monkeypatch.setenv("REELFLOW_MAX_COST_USD", str(limit))
    with pytest.raises(OverBudget, match=r"The 5 jobs would cost .* nothing was sent"):
        await pipeline(str(clip), asked, output=f"{tmp_path}/", max_cost_usd=limit if by == "the run" else None)
    assert queue.posts == 0


async def test_a_limit_of_just_the_price_that_was_told_stops_no_film_before_its_last_piece(
    queue: StandIn, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two pieces of five frames, 22 a second: 0.0023 USD each, where ten frames as one film are 0.0045 USD."""
    monkeypatch.setenv("REELFLOW_JOBS_AT_ONCE", "1")
    asked = recipe({"trim": {"duration": 0.45}},
                   {"restyle": {"prompt": "noir", "model": "small", "max_segment_seconds": 0.23}})
    told = await pipeline(str(clip), asked, output=f"{tmp_path}/", estimate=True)
    report = await pipeline(str(clip), asked, output=f"{tmp_path}/", max_cost_usd=told["cost_usd"])
    assert (told["cost_usd"], report["status"], queue.jobs_made) == (0.0046, "completed", 2)


async def test_a_preview_is_shown_and_nothing_more_is_bought_before_it_is_approved(
    queue: StandIn, clip: Path, tmp_path: Path
) -> None:
    asked = recipe({"restyle": {"prompt": "noir", "model": "small"}}, preview={"seconds": 0.3})
    with pytest.raises(Unapproved, match=r"The whole is 1 job, 1\.0 s for 0\.0100 USD"):
        await pipeline(str(clip), asked, output=f"{tmp_path}/out/")
    assert queue.jobs_made == 1 and not (tmp_path / "out").exists()
    report = await pipeline(str(clip), asked, output=f"{tmp_path}/out/", approve=True)
    assert (report["status"], queue.jobs_made) == ("completed", 2)


async def test_a_preview_of_the_whole_clip_is_not_paid_again(queue: StandIn, clip: Path, tmp_path: Path) -> None:
    asked = recipe({"restyle": {"prompt": "noir", "model": "small"}}, {"rate": 25}, preview={"seconds": 5})
    with pytest.raises(Unapproved):
        await pipeline(str(clip), asked, output=f"{tmp_path}/")
    await pipeline(str(clip), asked, output=f"{tmp_path}/", approve=True)
    assert queue.jobs_made == 1


async def test_a_kept_preview_is_not_bought_anew_by_a_run_that_ends_with_it(
    queue: StandIn, clip: Path, tmp_path: Path
) -> None:
    asked = recipe({"restyle": {"prompt": "noir", "model": "small"}}, preview={"seconds": 5})
    for refresh in (False, True):
        with pytest.raises(Unapproved):
            await pipeline(str(clip), asked, output=f"{tmp_path}/", refresh=refresh)
    assert queue.jobs_made == 1


async def test_a_wrong_recipe_is_refused_before_anything_is_sent(queue: StandIn, clip: Path, tmp_path: Path) -> None:
    with pytest.raises(BadRecipe, match=r"step 1 \(motion\)"):
        await pipeline(str(clip), recipe({"motion": "arc"}), output=f"{tmp_path}/")
    assert queue.posts == 0


async def test_what_two_films_in_pieces_became_is_told_apart_though_they_are_of_one_length(
    queue: StandIn, clip: Path, tmp_path: Path, ffmpeg: Path
) -> None:
    other = tmp_path / "other.mp4"
    await run_ffmpeg(["-i", f"file:{clip}", "-vf", "negate", "-c:a", "copy", f"file:{other}"], ffmpeg=ffmpeg,
                     timeout=60)
    pieces_of = {"model": "small-clip", "max_segment_seconds": 0.5}
    asked = recipe({"edit": {"prompt": "neon", **pieces_of}}, {"flip": "horizontal"},
                   {"edit": {"prompt": "rain", **pieces_of}})
    first, second = [await pipeline(str(film), asked, output=f"{tmp_path}/out/") for film in (clip, other)]
    pieces = len(first["job_ids"])
    assert pieces >= 4 and len(set(first["job_ids"] + second["job_ids"])) == 2 * pieces == queue.jobs_made


async def test_strict_refuses_a_damaged_film_in_pieces_before_any_is_bought(
    queue: StandIn, clip: Path, tmp_path: Path
) -> None:
    whole, damaged = clip.read_bytes(), tmp_path / "damaged.mp4"
    at = len(whole) // 2
    damaged.write_bytes(whole[:at] + bytes(2000) + whole[at + 2000:])
    asked = recipe({"edit": {"prompt": "neon", "model": "small-clip", "max_segment_seconds": 0.25}})
    with pytest.raises(BadInput, match="is damaged"):
        await pipeline(str(damaged), asked, output=f"{tmp_path}/out/", strict=True)
    assert queue.posts == 0


async def test_what_is_made_already_or_only_estimated_is_not_refused_by_a_limit(
    queue: StandIn, clip: Path, tmp_path: Path
) -> None:
    asked = recipe({"edit": {"prompt": "neon", "model": "small-clip", "max_segment_seconds": 0.25}})
    estimate = await pipeline(str(clip), asked, output=f"{tmp_path}/", estimate=True, max_cost_usd=0.0)
    first = await pipeline(str(clip), asked, output=f"{tmp_path}/")
    again = await pipeline(str(clip), asked, output=f"{tmp_path}/", max_cost_usd=0.0)
    assert estimate["cost_usd"] == first["cost_usd"] > 0
    assert (again["status"], again["cost_usd"], queue.jobs_made) == ("completed", 0.0, 5)


@pytest.mark.slow
async def test_pieces_of_a_long_film_go_side_by_side(
    tmp_path: Path, ffmpeg: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """60 s in pieces of 5 s, each 5 s on the queue: four at a time take less than 0.4 of one at a time."""
    from reelflow.media.run import run_ffmpeg
    from reelflow.settings import read_settings

    monkeypatch.setenv("REELFLOW_MODELS", json.dumps(SMALL))
    source = tmp_path / "long.mp4"
    await run_ffmpeg(["-f", "lavfi", "-i", "testsrc2=s=160x90:r=25:d=60", "-f", "lavfi", "-i", "sine=d=60", "-c:v",
                      "libx264", "-preset", "ultrafast", "-c:a", "aac", f"file:{source}"], ffmpeg=ffmpeg, timeout=60)
    took: list[float] = []
    async with running_standin(tmp_path / "queue", ffmpeg=ffmpeg, workers=4, service_seconds=5.0,
                               models=read_settings().model_table) as standin:
        monkeypatch.setenv("DECART_BASE_URL", standin.url)
        monkeypatch.setenv("DECART_API_KEY", "k")
        monkeypatch.setenv("REELFLOW_POLL_SECONDS", "0.2")
        for at_once in (4, 1):
            monkeypatch.setenv("REELFLOW_JOBS_AT_ONCE", str(at_once))
            began = time.monotonic()
            report = await pipeline(str(source), recipe(
                {"edit": {"prompt": "noir", "model": "small-clip", "seed": at_once}}), output=f"{tmp_path}/{at_once}/")
            took.append(time.monotonic() - began)
            film = await probe(Path(report["output"]))
            assert (film.frames, film.rate, len(report["job_ids"])) == (1500, 25, 12)
    assert took[0] < 0.4 * took[1], took
