"""A run from the command line that fails: one block on the terminal, and the full log in a file of its own."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from reelflow.standin.server import StandIn

pytestmark = pytest.mark.usefixtures("prefect_server")


async def reelflow(*words: str) -> tuple[int | None, str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "flows", *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


def lines(work_dir: Path) -> list[dict[str, Any]]:
    (log,) = (work_dir / "logs").iterdir()
    return [json.loads(line) for line in log.read_text().splitlines()]


async def test_an_error_is_one_block_of_what_where_what_to_do_and_where_the_log_is(
    queue: StandIn, clip: Path, tmp_path: Path, work_dir: Path
) -> None:
    queue.faults.add("job-fails=1")
    code, out, err = await reelflow("restyle", str(clip), "--prompt", "noir", "-o", str(tmp_path / "out.mp4"))
    told = lines(work_dir)
    job = next(line["job"] for line in told if "job" in line)
    block = err[err.index("✗"):].splitlines()
    assert (code, out) == (1, "")
    assert [line.split()[0] for line in block] == ["✗", "where", "to", "job", "spent", "page", "log"]
    assert block[1].split(maxsplit=1)[1] == f"wait {job}"
    assert block[5].endswith("/out.failed.html")
    assert Path(block[6].split()[1]).is_file()
    assert "Traceback" not in err

    assert {line["clip"] for line in told if "clip" in line} == {"a clip"}
    assert len({line["run"] for line in told if "run" in line}) == 1
    assert all("run" in line for line in told if line["logger"].startswith(("prefect.", "reelflow.job.")))
    messages = [line["message"] for line in told]
    assert any(message.startswith("prepare a clip.mp4: done after") for message in messages)
    assert f"Job {job} is failed." in messages
    assert "key-of-the-test" not in json.dumps(told)


async def test_a_run_that_is_refused_by_its_own_limit_names_its_log_and_a_program_gets_one_object(
    queue: StandIn, clip: Path, tmp_path: Path, work_dir: Path
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.mp4").symlink_to(clip)
    words = ("batch", "restyle", str(tmp_path / "in"), "--prompt", "noir", "-o", f"{tmp_path}/out/",
             "--max-cost-usd", "0.001")
    code, out, err = await reelflow(*words)
    assert (code, out) == (2, "")
    assert [line.split()[0] for line in err[err.index("✗"):].splitlines()] == ["✗", "to", "log"]
    code, out, _ = await reelflow(*words, "--json")
    assert (code, json.loads(out)["status"]) == (2, "refused")


async def test_the_clips_of_a_batch_that_failed_are_one_block_at_its_end(
    queue: StandIn, clip: Path, tmp_path: Path, work_dir: Path
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "good.mp4").symlink_to(clip)
    (tmp_path / "in" / "bad.mp4").write_text("no film at all")
    code, _, err = await reelflow(
        "batch", "restyle", str(tmp_path / "in"), "--prompt", "noir", "-o", f"{tmp_path}/out/")
    block = err[err.index("✗"):].splitlines()
    assert code == 1
    assert block[0].startswith("✗ 1 of 2 completed, 1 failed")
    assert [line.split()[0] for line in block[1:]] == ["bad", f"{tmp_path}/out/bad-restyle.failed.html", "spent",
                                                       "page", "log"]
    assert {line.get("clip") for line in lines(work_dir) if line["logger"] == "reelflow.phase"} == {None, "good"}
