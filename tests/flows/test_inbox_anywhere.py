"""The inbox and its outbox on other machines."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from flows.inbox import inbox
from reelflow import remote


def bring(source: Path, target: Path) -> None:
    """A clip that nobody has written to for a minute."""
    target.parent.mkdir(exist_ok=True)
    shutil.copyfile(source, target)
    written = target.stat().st_mtime - 60
    os.utime(target, (written, written))


def names(prefix: str) -> list[str]:
    """What lies right below a prefix, without the part of a name that tells of the bytes."""
    return [found.address.rpartition("/")[2].rpartition("-")[0] for found in remote.list_files(prefix)]


async def run(arriving: Path | str, outbox: str, **more: Any) -> dict[str, Any]:
    return await inbox(str(arriving), outbox, job="restyle", prompt="noir", **{"settle_seconds": 0.0, **more})


@pytest.mark.usefixtures("prefect_server", "queue", "elsewhere")
async def test_inboxes_whose_outboxes_have_the_same_name_share_no_folder(
    many: Path, tmp_path: Path, work_dir: Path
) -> None:
    for number in (1, 2):
        bring(many / f"clip-{number}.mp4", tmp_path / f"in-{number}" / f"of-{number}.mp4")
        await run(tmp_path / f"in-{number}", f"elsewhere://customer-{number}/out/")
    assert [names(f"elsewhere://customer-{number}/out/posters") for number in (1, 2)] == [["of-1"], ["of-2"]]
    folders = sorted(work_dir.glob("batches/inbox-out-*"))
    assert [len(list(folder.glob("manifest-*.jsonl"))) for folder in folders] == [1, 1]


@pytest.mark.usefixtures("prefect_server", "queue", "elsewhere")
async def test_a_run_brings_the_posters_of_its_own_clips_alone(many: Path, tmp_path: Path) -> None:
    for number in (1, 2):
        bring(many / f"clip-{number}.mp4", tmp_path / "in" / f"{number}.mp4")
        await run(tmp_path / "in", "elsewhere://out")
        assert names("elsewhere://out/posters") == [str(number)]
        remote.move(remote.list_files("elsewhere://out/posters")[0].address, "elsewhere://taken/away.jpg")
