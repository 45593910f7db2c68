"""The first film is prepared while Prefect is being imported: once, and nothing of it is left behind."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

from reelflow.ahead import made_ahead, preparing_ahead, scenes_ahead
from reelflow.compile import Known, compile_recipe
from reelflow.kept import key_of, words_of
from reelflow.media.media_step import Given
from reelflow.media.probe import probe
from reelflow.media.run import Progress, run_ffmpeg
from reelflow.plan import Plan
from reelflow.recipe import make_step, plain_recipe
from reelflow.settings import read_settings
from reelflow.standin.server import StandIn
from reelflow.strand import whole_span


def ffmpeg_that(does: str, at: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have a shell script be ffmpeg, which runs this before anything else."""
    at.write_text(f"#!/bin/sh\n{does}\n", "utf-8")
    at.chmod(0o755)
    monkeypatch.setenv("REELFLOW_FFMPEG", str(at))
    return at


async def planned(clip: Path) -> Plan:
    """An edit of a clip."""
    recipe = plain_recipe("edit", make_step("edit", model="lucy-2.5", prompt="film noir"))
    return compile_recipe(recipe, await probe(clip), Known(read_settings().model_table))


def key_for(plan: Plan, ffmpeg: Path, room: Path) -> str:
    """The key by which the first prepared film of a plan is known."""
    return key_of(words_of(plan.jobs[0].prepare, {}, Given(plan.files, room), ".mp4"), ffmpeg=ffmpeg, room=room)


async def test_what_is_asked_for_is_waited_for(clip: Path, ffmpeg: Path, tmp_path: Path) -> None:
    plan, told = await planned(clip), list[Progress]()
    with preparing_ahead(plan, read_settings()):
        made = await made_ahead(key_for(plan, ffmpeg, tmp_path / "steps"), told.append)
        assert made is not None
        film = await probe(made.prepared.path)
    assert (film.frames, film.rate) == (plan.jobs[0].prepare.frames, plan.jobs[0].prepare.rate)
    assert made.earlier >= 0 and not made.prepared.path.exists()


async def test_another_film_is_not_waited_for_and_its_ffmpeg_ends(
    clip: Path, work_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ffmpeg_that(f"echo $$ > {tmp_path}/pid.part; mv {tmp_path}/pid.part {tmp_path}/pid; exec sleep 600",
                tmp_path / "ffmpeg", monkeypatch)
    plan = await planned(clip)
    with preparing_ahead(plan, read_settings()):
        async with asyncio.timeout(30):
            while not (tmp_path / "pid").exists():
                await asyncio.sleep(0.01)
            assert await made_ahead("the key of another film", lambda _: None) is None
        assert not Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}").exists()
    assert [path.name for path in (work_dir / "scratch").iterdir()] == [".lock"]


async def test_a_run_that_ends_before_ends_it_too(
    clip: Path, work_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ffmpeg_that("exec sleep 600", tmp_path / "ffmpeg", monkeypatch)
    async with asyncio.timeout(30):
        with preparing_ahead(await planned(clip), read_settings()):
            pass
    assert [path.name for path in (work_dir / "scratch").iterdir()] == [".lock"]


async def test_what_fails_ahead_is_left_to_the_run(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ffmpeg = ffmpeg_that("echo broken >&2; exit 1", tmp_path / "ffmpeg", monkeypatch)
    plan = await planned(clip)
    with preparing_ahead(plan, read_settings()):
        assert await made_ahead(key_for(plan, ffmpeg, tmp_path / "steps"), lambda _: None) is None


@pytest.fixture
async def cut_plan(ffmpeg: Path, tmp_path: Path) -> Plan:
    """An edit in pieces of a second, of a film that goes from black to white after one second and a half."""
    film = tmp_path / "changes.mp4"
    await run_ffmpeg(["-f", "lavfi", "-i", "color=black:s=320x180:r=20:d=1.5[a];color=white:s=320x180:r=20:d=1.5[b];"
                      "[a][b]concat", "-c:v", "libx264", "-pix_fmt", "yuv420p", f"file:{film}"],
                     ffmpeg=ffmpeg, timeout=60)
    recipe = plain_recipe("edit", make_step("edit", model="lucy-2.5", prompt="film noir", max_segment_seconds=1))
    return compile_recipe(recipe, await probe(film), Known(read_settings().model_table))


async def test_the_scenes_of_a_film_that_goes_out_in_pieces_are_waited_for(cut_plan: Plan) -> None:
    assert await scenes_ahead(cut_plan.source, whole_span(cut_plan.source)) is None
    with preparing_ahead(cut_plan, read_settings()):
        assert await made_ahead("any", lambda _: None) is None
        scenes = await scenes_ahead(cut_plan.source, whole_span(cut_plan.source))
    assert scenes == pytest.approx((1.5,))


async def test_scenes_of_another_film_are_not_waited_for_and_their_ffmpeg_ends(
    cut_plan: Plan, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ffmpeg_that(f"echo $$ > {tmp_path}/pid.part; mv {tmp_path}/pid.part {tmp_path}/pid; exec sleep 600",
                tmp_path / "ffmpeg", monkeypatch)
    other = await probe(clip)
    with preparing_ahead(cut_plan, read_settings()):
        async with asyncio.timeout(30):
            while not (tmp_path / "pid").exists():
                await asyncio.sleep(0.01)
            assert await scenes_ahead(other, whole_span(other)) is None
        assert not Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}").exists()


async def test_a_look_for_scenes_that_fails_ahead_is_left_to_the_run(
    cut_plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ffmpeg_that("echo broken >&2; exit 1", tmp_path / "ffmpeg", monkeypatch)
    with preparing_ahead(cut_plan, read_settings()):
        assert await scenes_ahead(cut_plan.source, whole_span(cut_plan.source)) is None


async def test_a_command_prepares_once_and_before_its_flow_run_begins(
    clip: Path, ffmpeg: Path, queue: StandIn, prefect_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = tmp_path / "calls"
    ffmpeg_that(f'echo "$(date +%s.%N) $*" >> {calls}; exec "{ffmpeg}" "$@"', tmp_path / "ffmpeg", monkeypatch)
    ended = await asyncio.to_thread(subprocess.run, [
        sys.executable, "-m", "flows", "edit", str(clip), "--prompt", "film noir", "--output",
        str(tmp_path / "made.mp4"), "--json",
    ], env=dict(os.environ), capture_output=True, text=True, check=False)
    told = json.loads(ended.stdout)
    assert (ended.returncode, told["error"], queue.jobs_made) == (0, None, 1)
    began = [float(line.split()[0]) for line in calls.read_text().splitlines() if " -fs " in line]
    assert len(began) == 1 and "prepare" in told["phases"]
    lines = [json.loads(line) for line in Path(told["log"]).read_text().splitlines()]
    flow_began = next(line["time"] for line in lines if line["message"].startswith("Beginning flow run"))
    assert began[0] < datetime.fromisoformat(flow_began).timestamp()
    assert (await probe(tmp_path / "made.mp4")).frames == 30
