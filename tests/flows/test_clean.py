"""The weekly cleaning: what nobody has used for a while goes, and what is asked for again comes back unpaid."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from flows.clean import clean
from flows.restyle import restyle

DAY = 86_400

pytestmark = pytest.mark.usefixtures("prefect_server")


async def test_only_what_is_old_goes_and_a_cleaned_result_is_fetched_not_bought(
    clip: Path, work_dir: Path, tmp_path: Path
) -> None:
    await restyle(str(clip), prompt="noir", output=str(tmp_path / "out.mp4"))
    kept = (await clean(unused_days=1))["left"]
    assert kept["files"] >= 2
    for folder in ("store", "phases", "receipts"):
        for path in (work_dir / folder).rglob("*"):
            os.utime(path, (time.time() - 2 * DAY,) * 2)
    told = await clean(unused_days=1)
    assert (told["removed"]["files"], told["left"]["files"]) == (kept["files"], 0)
    assert told["notes"]["files"] == 2
    (work_dir / "logs").mkdir()
    for name, age in (("old", 2), ("new", 0)):
        log = work_dir / "logs" / f"{name}.jsonl"
        log.write_text("{}\n")
        os.utime(log, (time.time() - age * DAY,) * 2)
    assert (await clean(unused_days=1))["logs"]["files"] == 1
    assert [path.name for path in (work_dir / "logs").iterdir()] == ["new.jsonl"]
    again = await restyle(str(clip), prompt="noir", output=str(tmp_path / "out.mp4"), overwrite=True)
    assert (again["paid"], again["cost_usd"]) == ("earlier", 0.0)


async def test_a_film_that_is_asked_for_again_and_again_stays_known_as_our_own(
    clip: Path, work_dir: Path, tmp_path: Path
) -> None:
    async def ask() -> str:
        return str((await restyle(str(clip), prompt="noir", output=str(tmp_path / "out.mp4")))["paid"])

    assert await ask() == "now"
    for path in (work_dir / "receipts").iterdir():
        os.utime(path, (time.time() - 2 * DAY,) * 2)
    assert await ask() == "kept"
    assert (await clean(unused_days=1))["notes"]["files"] == 0
    assert await ask() == "kept"
