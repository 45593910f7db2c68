"""The inbox: clips that are whole, each once, by one run; failures aside, with a note that says why."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from scripted import Asked, Reply, Server, answer, scripted
from working import events_of

from flows.inbox import inbox
from reelflow.claims import LEASE_SECONDS, Claims
from reelflow.errors import BadInput, ClipsFailed, QueueUnreachable
from reelflow.inbox import find_arrivals, put_aside
from reelflow.job.schema import claims as rows
from reelflow.manifest import read_manifest
from reelflow.media.probe import probe
from reelflow.standin.server import StandIn


@pytest.fixture
def arriving(tmp_path: Path) -> Path:
    """An empty inbox."""
    folder = tmp_path / "in"
    folder.mkdir()
    return folder


def bring(source: Path, target: Path, *, age: float = 60) -> None:
    """A clip that was written `age` seconds ago."""
    shutil.copyfile(source, target)
    written = target.stat().st_mtime - age
    os.utime(target, (written, written))


def sources(told: dict[str, Any]) -> list[str]:
    """The names of the clips that a run has made."""
    return [Path(line.source).name for line in read_manifest(Path(told["manifest"]))]


async def run(arriving: Path, tmp_path: Path, **more: Any) -> dict[str, Any]:
    return await inbox(str(arriving), str(tmp_path / "out"), job="restyle", prompt="noir",
                       **{"settle_seconds": 0.0, **more})


async def test_only_films_that_nobody_writes_to_are_taken(arriving: Path, clip: Path) -> None:
    for name in ("a.mp4", ".b.mp4", "c.mp4.part", "d.part.mp4", "~e.mp4", "f.txt"):
        bring(clip, arriving / name)
    (arriving / "empty.mp4").touch()
    bring(clip, arriving / "young.mp4", age=0)
    bring(clip, arriving / "growing.mp4", age=0)

    async def grow() -> None:
        with (arriving / "growing.mp4").open("ab", buffering=0) as file:
            while True:
                file.write(b"more")
                await asyncio.sleep(0.02)

    growing = asyncio.create_task(grow())
    found = await find_arrivals(str(arriving), settle_seconds=0.5, pictures=False)
    assert [arrival.name for arrival in found] == ["a.mp4", "young.mp4"]
    growing.cancel()
    found = await find_arrivals(str(arriving), settle_seconds=0.5, pictures=False)
    assert [arrival.name for arrival in found] == ["a.mp4", "growing.mp4", "young.mp4"]


async def test_a_clip_whose_name_is_no_text_stays_and_is_told(
    arriving: Path, clip: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("a.mp4", os.fsdecode(b"caf\xe9.mp4")):
        bring(clip, arriving / name)
    found = await find_arrivals(str(arriving), settle_seconds=0.0, pictures=False)
    assert [arrival.name for arrival in found] == ["a.mp4"]
    assert "caf\ufffd.mp4 stays in the inbox" in caplog.text


async def test_a_link_that_leads_to_what_may_not_be_read_keeps_no_other_clip_from_being_taken(
    arriving: Path, clip: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bring(clip, arriving / "a.mp4")
    # A loop, and a name that no disk has: root, whom the tests may run as, may read all else.
    (arriving / "loop.mp4").symlink_to("loop.mp4")
    (arriving / "b.mp4").symlink_to(tmp_path / ("x" * 300))
    found = await find_arrivals(str(arriving), settle_seconds=0.0, pictures=False)
    assert [arrival.name for arrival in found] == ["a.mp4"]
    assert "b.mp4 stays in the inbox: it can't be read (File name too long)" in caplog.text
    assert "loop" not in caplog.text


async def test_what_is_put_aside_takes_nothing_else_s_place(arriving: Path) -> None:
    for content in ("one", "two"):
        (arriving / "a.mp4").write_text(content)
        (arrival,) = await find_arrivals(str(arriving), settle_seconds=0.0, pictures=False)
        await put_aside(str(arriving), arrival, f"why {content}")
    aside = {path.name: path.read_text().strip() for path in (arriving / "failed").iterdir()}
    assert aside == {"a.mp4": "one", "a.mp4.txt": "why one", "a-2.mp4": "two", "a-2.mp4.txt": "why two"}


async def test_what_has_a_name_as_long_as_names_can_be_is_put_aside_with_a_note_of_its_own(arriving: Path) -> None:
    names = [f"{'画' * 83}xx{end}" for end in (".mp4", ".mov", ".mp4")]
    for name in names:
        (arriving / name).write_text("film")
        (arrival,) = await find_arrivals(str(arriving), settle_seconds=0.0, pictures=False)
        await put_aside(str(arriving), arrival, f"why {name}")
    aside = sorted((arriving / "failed").iterdir())
    notes = [path.read_text().strip() for path in aside if path.suffix == ".txt"]
    assert (len(aside), sorted(notes)) == (6, sorted(f"why {name}" for name in names))
    assert {path.name for path in aside} > {*names, f"{'画' * 83}-2.mp4"}


async def test_results_that_would_be_taken_for_clips_are_refused(arriving: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(arriving)
    for outbox in (arriving, tmp_path / "link", arriving / ".." / "in"):
        with pytest.raises(BadInput, match="where the clips are taken from"):
            await inbox(str(arriving), str(outbox), job="restyle", prompt="noir")
    with pytest.raises(BadInput, match=r"would lie in s3://bucket/in/, where"):
        await inbox("s3://bucket/in", "s3://bucket/in/", job="restyle", prompt="noir")


@pytest.mark.usefixtures("prefect_server")
async def test_a_clip_with_a_name_as_long_as_names_can_be_is_made(
    arriving: Path, queue: StandIn, clip: Path, tmp_path: Path
) -> None:
    bring(clip, arriving / f"{'画' * 83}.mp4")
    told = await run(arriving, tmp_path)
    (line,) = read_manifest(Path(told["manifest"]))
    assert Path(line.outputs[0]).name.startswith("画" * 40 + "-")
    assert queue.jobs_made == 1


@pytest.mark.usefixtures("prefect_server")
async def test_each_clip_is_made_once_whatever_its_name(
    arriving: Path, queue: StandIn, clip: Path, tmp_path: Path
) -> None:
    bring(clip, arriving / "a.mp4")
    told = await run(arriving, tmp_path)
    assert (told["completed"], told["clips"]) == (1, 1)
    (line,) = read_manifest(Path(told["manifest"]))
    assert (await probe(Path(line.outputs[0]))).frames == 30
    (event,) = await events_of(told["flow_run_id"], "reelflow.clip.arrived")
    assert event["resource"]["prefect.resource.id"] == f"reelflow.inbox.{line.name}"
    assert event["payload"] == {"clip": line.name, "source": str(arriving / "a.mp4"), "inbox": str(arriving),
                                "size_bytes": clip.stat().st_size}
    page = Path(told["page"])
    assert page == tmp_path / "out" / Path(told["manifest"]).name.replace("manifest", "index").replace("jsonl", "html")
    shown = page.read_text()
    links = f'href="./{Path(line.outputs[0]).name}"', f'src="./posters/{line.name}.jpg"'
    for fact in ("inbox in", "1 of 1", *links, "a.mp4", "noir", "0.0100 USD"):
        assert fact in shown
    assert Path(line.outputs[0]).parent == tmp_path / "out"
    bring(clip, arriving / "the same again.mp4")
    assert (await run(arriving, tmp_path))["clips"] == 0
    assert (await run(arriving, tmp_path))["clips"] == 0
    assert queue.jobs_made == 1
    assert sorted(path.name for path in arriving.iterdir()) == ["a.mp4", "the same again.mp4"]


@pytest.mark.usefixtures("prefect_server")
async def test_a_failure_is_put_aside_with_a_note_and_tried_again_when_it_is_brought_again(
    arriving: Path, queue: StandIn, clip: Path, tmp_path: Path
) -> None:
    bring(clip, arriving / "good.mp4")
    (arriving / "bad.mp4").write_text("no film at all")
    with pytest.raises(ClipsFailed, match=r"1 of 2 completed, 1 failed.*each with a note"):
        await run(arriving, tmp_path)
    assert sorted(path.name for path in arriving.iterdir()) == ["failed", "good.mp4"]
    assert "is not a video" in (arriving / "failed" / "bad.mp4.txt").read_text()
    (index,) = (tmp_path / "out").glob("index-*.html")
    shown = index.read_text()
    assert 'data-state="refused"' in shown
    assert "is not a video" in shown
    assert "2 clips" in shown
    shutil.move(arriving / "failed" / "bad.mp4", arriving / "bad.mp4")
    with pytest.raises(ClipsFailed, match="0 of 1 completed, 1 failed"):
        await run(arriving, tmp_path)


@pytest.mark.usefixtures("prefect_server")
@pytest.mark.parametrize(("signal", "left"), [("KILL", ["failed"]), ("TERM", ["a.mp4"])])
async def test_a_clip_whose_ffmpeg_is_killed_is_put_aside_and_one_whose_ffmpeg_is_stopped_stays(
    signal: str, left: list[str], arriving: Path, queue: StandIn, clip: Path, ffmpeg: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ends = tmp_path / "ffmpeg"
    ends.write_text(f'#!/bin/sh\ncase "$*" in *libx264*) kill -{signal} $$;; esac\nexec "{ffmpeg}" "$@"\n')
    ends.chmod(0o755)
    monkeypatch.setenv("REELFLOW_FFMPEG", str(ends))
    bring(clip, arriving / "a.mp4")
    with pytest.raises(ClipsFailed):
        await run(arriving, tmp_path)
    assert [path.name for path in arriving.iterdir()] == left
    notes = [note.read_text() for note in arriving.glob("failed/*.txt")]
    assert len(notes) == (signal == "KILL")
    assert all("ffmpeg failed (SIGKILL, perhaps for want of memory)" in note for note in notes)


@pytest.mark.usefixtures("prefect_server")
@pytest.mark.parametrize("settings", [
    {"DECART_BASE_URL": "http://127.0.0.1:9"},
    {"REELFLOW_SHARE_JOBS": "true", "DECART_API_KEY": "a key for which there is no limit"},
])
async def test_where_what_is_wrong_is_no_clip_s_own_nothing_is_put_aside_and_the_next_run_makes_it(
    settings: dict[str, str], arriving: Path, queue: StandIn, clip: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bring(clip, arriving / "a.mp4")
    with monkeypatch.context() as away:
        for setting, value in settings.items():
            away.setenv(setting, value)
        with pytest.raises((ClipsFailed, QueueUnreachable)):
            await run(arriving, tmp_path)
    assert [path.name for path in arriving.iterdir()] == ["a.mp4"]
    assert (await run(arriving, tmp_path))["completed"] == 1


def answers(form: bytes, content: bytes = b"") -> Reply:
    """A queue that says this to every form, and has this content for every job."""
    def to(asked: Asked) -> bytes:
        if asked.path == "/v1/models/resolve":
            return answer(200, '{"id": "lucy-restyle-2"}')
        if asked.method == "POST":
            return form
        return answer(200, content if asked.path.endswith("/content") else '{"job_id": "j", "status": "completed"}')
    return Reply(to)


def forms(server: Server) -> int:
    return sum(asked.path.startswith("/v1/jobs/") and asked.method == "POST" for asked in server.asked)


OF_THE_CLIP = '{"detail": [{"loc": ["body", "data"], "msg": "data is too long"}]}'
OF_ALL = '{"detail": [{"loc": ["body", "prompt"], "msg": "not this prompt"}]}'
BOUGHT = answer(200, '{"job_id": "j", "status": "pending"}')


@pytest.mark.usefixtures("prefect_server")
@pytest.mark.parametrize(("said", "told", "is_its_own"), [
    (answers(answer(413)), "refused the form", True),
    (answers(answer(422, OF_THE_CLIP)), "data is too long", True),
    (answers(answer(400, '{"detail": "Moderated."}')), "Moderated", True),
    (answers(BOUGHT, b"no film at all"), "came twice and is no good", True),
    (answers(answer(422, OF_ALL)), "", False),
    (answers(answer(404, '{"detail": "No such model."}')), "", False),
    (answers(answer(402, '{"detail": "No credit."}')), "", False),
], ids=["too large", "too long", "moderated", "spoiled", "its prompt", "no such model", "no credit"])
async def test_what_the_queue_does_not_take_is_put_aside_and_not_sent_again_unless_it_is_the_same_for_all_clips(
    said: Reply, told: str, is_its_own: bool, arriving: Path, clip: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bring(clip, arriving / "a.mp4")
    async with scripted(said) as server:
        monkeypatch.setenv("DECART_BASE_URL", server.url)
        monkeypatch.setenv("DECART_API_KEY", "key-of-the-test")
        monkeypatch.setenv("REELFLOW_POLL_SECONDS", "0.2")
        with pytest.raises(ClipsFailed):
            await run(arriving, tmp_path)
        assert [path.name for path in arriving.iterdir()] == (["failed"] if is_its_own else ["a.mp4"])
        if is_its_own:
            assert told in (arriving / "failed" / "a.mp4.txt").read_text()
            assert (await run(arriving, tmp_path))["clips"] == 0
        assert forms(server) == 1


@pytest.mark.usefixtures("prefect_server")
async def test_a_clip_that_was_tried_in_vain_keeps_no_new_one_out(
    arriving: Path, queue: StandIn, many: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring(many / "clip-1.mp4", arriving / "a.mp4")
    with monkeypatch.context() as away:
        away.setenv("DECART_BASE_URL", "http://127.0.0.1:9")
        with pytest.raises((ClipsFailed, QueueUnreachable)):
            await run(arriving, tmp_path)
    bring(many / "clip-2.mp4", arriving / "b.mp4")
    told = [await run(arriving, tmp_path, max_clips=1) for _ in range(3)]
    assert [name for one in told if one["clips"] for name in sources(one)] == ["b.mp4", "a.mp4"]


async def let_be_held_elsewhere(work_dir: Path, *, seconds: int) -> None:
    """As if whoever holds claims had been on another machine, and had beaten them so many seconds ago."""
    moment = sa.cast(sa.func.strftime("%s", "now"), sa.BigInteger) - seconds
    statement = rows.update().values(holder="another-machine/1/2/x", beaten=moment)
    async with Claims.open(None, work_dir=work_dir) as claims:
        await claims._transactions.run(lambda connection: connection.execute(statement))


@pytest.mark.usefixtures("prefect_server")
async def test_a_run_that_is_taken_up_elsewhere_waits_for_the_clips_that_the_dead_one_held(
    arriving: Path, queue: StandIn, clip: Path, tmp_path: Path, work_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring(clip, arriving / "a.mp4")
    asked = f"{str(arriving)!r}, {str(tmp_path / 'out')!r}, job='restyle', prompt='noir', settle_seconds=0.0"
    killed = await asyncio.create_subprocess_exec(
        sys.executable, "-c", f"import asyncio; from flows.inbox import inbox; asyncio.run(inbox({asked}))",
        env={**os.environ, "REELFLOW_KILL_AT": "before-intent"})
    assert await killed.wait() == -signal.SIGKILL
    await let_be_held_elsewhere(work_dir, seconds=0)
    assert (await run(arriving, tmp_path))["clips"] == 0
    await let_be_held_elsewhere(work_dir, seconds=LEASE_SECONDS - 8)
    monkeypatch.setenv("PREFECT__RUNTIME__FLOW_RUN__RUN_COUNT", "2")
    assert (await run(arriving, tmp_path))["completed"] == 1


@pytest.mark.usefixtures("prefect_server")
async def test_what_an_earlier_reelflow_has_done_stays_done(
    arriving: Path, queue: StandIn, clip: Path, tmp_path: Path, work_dir: Path
) -> None:
    bring(clip, arriving / "a.mp4")
    (arrival,) = await find_arrivals(str(arriving), settle_seconds=0.0, pictures=False)
    words = str(arriving), arrival.name, str(arrival.size_bytes), arrival.mark
    key = "inbox:" + hashlib.sha256("\n".join(words).encode()).hexdigest()
    async with Claims.open(None, work_dir=work_dir) as claims:
        assert await claims.take(key)
        await claims.done([key], "a.mp4")
    assert (await run(arriving, tmp_path))["clips"] == 0


@pytest.mark.usefixtures("prefect_server")
async def test_each_of_two_inboxes_takes_every_clip_and_another_prompt_is_for_new_ones(
    arriving: Path, queue: StandIn, many: Path, tmp_path: Path
) -> None:
    bring(many / "clip-1.mp4", arriving / "a.mp4")
    for job, out in (("restyle", "one"), ("edit", "one"), ("restyle", "two")):
        told = await inbox(str(arriving), str(tmp_path / out), job=job, prompt="noir", settle_seconds=0.0)
        assert told["completed"] == 1
    bring(many / "clip-2.mp4", arriving / "b.mp4")
    told = await inbox(str(arriving), str(tmp_path / "one"), job="edit", prompt="neon", settle_seconds=0.0)
    assert sources(told) == ["b.mp4"]
    assert queue.jobs_made == 3


@pytest.mark.usefixtures("prefect_server")
@pytest.mark.parametrize(("asked", "told"), [
    ({"prompt": ""}, "needs a prompt or a reference image"),
    ({"prompt": "x" * 1001}, "has 1001 characters"),
    ({"parameters": {"seed": 2**32}}, "The seed 4294967296 is out of range"),
    ({"job": "edit", "parameters": {"reference_image": "/nothing.png"}}, "There is no file /nothing.png"),
])
async def test_what_is_wrong_with_what_is_asked_of_every_clip_is_refused_before_any_is_taken(
    arriving: Path, queue: StandIn, clip: Path, tmp_path: Path, asked: dict[str, Any], told: str
) -> None:
    bring(clip, arriving / "a.mp4")
    with pytest.raises(BadInput, match=told):
        await inbox(str(arriving), str(tmp_path / "out"), **{"job": "restyle", "prompt": "noir", "settle_seconds": 0.0,
                                                             **asked})
    assert [path.name for path in arriving.iterdir()] == ["a.mp4"]
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("prefect_server")
async def test_two_runs_at_once_share_the_clips_between_them(
    arriving: Path, queue: StandIn, many: Path, tmp_path: Path
) -> None:
    for film in many.iterdir():
        bring(film, arriving / film.name)
    both = await asyncio.gather(run(arriving, tmp_path), run(arriving, tmp_path))
    assert sum(told["clips"] for told in both) == 4
    lines = [line for told in both if told["clips"] for line in read_manifest(Path(told["manifest"]))]
    assert sorted(line.status for line in lines) == ["completed"] * 4
    assert len({line.source for line in lines}) == queue.jobs_made == 4
