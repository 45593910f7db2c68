"""The inbox and its outbox on other machines."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path
from typing import Any

import fsspec
import pytest
from elsewhere import Elsewhere
from fsspec.utils import infer_storage_options

from flows.inbox import inbox
from reelflow import remote
from reelflow.clip_list import read_rows
from reelflow.errors import BadInput, SourceFault
from reelflow.inbox import find_arrivals


def bring(source: Path, target: Path) -> None:
    """A clip that nobody has written to for a minute."""
    target.parent.mkdir(exist_ok=True)
    shutil.copyfile(source, target)
    written = target.stat().st_mtime - 60
    os.utime(target, (written, written))


def names(prefix: str) -> list[str]:
    """What lies right below a prefix, without the part of a name that tells of the bytes."""
    return [found.address.rpartition("/")[2].rpartition("-")[0] for found in remote.list_files(prefix)]


async def arrived(prefix: str, *, settle_seconds: float = 0.0) -> list[str]:
    found = await find_arrivals(prefix, settle_seconds=settle_seconds, pictures=False)
    return [arrival.source for arrival in found]


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


async def test_a_prefix_that_nothing_lies_at_yet_is_an_empty_inbox_and_one_in_no_bucket_is_an_error(
    bucket: str
) -> None:
    for prefix in (bucket, f"{bucket}/", f"{bucket}/in", f"{bucket}/in/"):
        assert await arrived(prefix) == []
    for nowhere in ("s3://no-such-bucket-here", "s3://no-such-bucket-here/in/"):
        with pytest.raises(BadInput, match=f"There is nothing at {nowhere}") as refused:
            await arrived(nowhere)
        assert refused.value.field == "inbox"
    with pytest.raises(BadInput, match=f"There is nothing at {bucket}/in/"):
        read_rows(f"{bucket}/in/", pictures=False)


async def test_what_lies_on_a_host_is_found_by_the_address_that_leads_to_it(
    elsewhere: type[Elsewhere], tmp_path: Path
) -> None:
    class Host(elsewhere):  # type: ignore[valid-type, misc]
        """Its paths are without the host, as sftp's and hdfs's are."""

        protocol = "host"

        @classmethod
        def _strip_protocol(cls, path: str) -> str:
            return str(infer_storage_options(path)["path"]).rstrip("/")

    fsspec.register_implementation("host", Host, clobber=True)
    for at in (f"file://{tmp_path}/", "host://me:word@nas:22/", "elsewhere://nas/"):
        remote.write(f"{at}in/a.mp4", b"film")
        remote.write(f"{at}b.mp4", b"film")
        for prefix in (f"{at}in", f"{at}in/", f"{at}in/*.mp4", f"{at}i*/a*", f"{at}in/a.mp4"):
            assert await arrived(prefix) == [f"{at}in/a.mp4"]
        assert await arrived(at) == [f"{at}b.mp4"]


async def test_only_an_object_store_is_trusted_to_show_films_once_they_are_whole(
    elsewhere: type[Elsewhere], tmp_path: Path
) -> None:
    for prefix in (f"file://{tmp_path}/in", "elsewhere://in", "memory://in"):
        for name in ("still", "growing"):
            remote.write(f"{prefix}/{name}.mp4", b"film")

        async def grow(prefix: str) -> None:
            size = 4
            while True:
                size += 1
                remote.write(f"{prefix}/growing.mp4", b"x" * size)
                await asyncio.sleep(0.02)

        growing = asyncio.create_task(grow(prefix))
        found = await arrived(prefix, settle_seconds=0.5)
        growing.cancel()
        whole = ["growing"] if prefix.startswith("memory") else []
        assert found == [f"{prefix}/{name}.mp4" for name in (*whole, "still")]
    fsspec.filesystem("memory").rm("/in", recursive=True)


@pytest.mark.usefixtures("prefect_server", "queue")
async def test_a_clip_that_can_t_be_read_is_told_and_one_that_is_gone_meanwhile_is_not(
    elsewhere: type[Elsewhere], clip: Path, many: Path, tmp_path: Path
) -> None:
    remote.put(clip, "elsewhere://in/gone.mp4")
    elsewhere.leaves.add("/in/gone.mp4")
    assert (await run("elsewhere://in/", str(tmp_path / "out")))["clips"] == 0
    remote.put(clip, "elsewhere://in/a.mp4")
    elsewhere.broken["a.mp4"] = 2
    with pytest.raises(SourceFault, match=r"elsewhere://in/a\.mp4 can't be reached"):
        await run("elsewhere://in/", str(tmp_path / "out"))
    remote.put(many / "clip-1.mp4", "elsewhere://in/b.mp4")
    told = [await run("elsewhere://in/", str(tmp_path / "out")) for _ in range(2)]
    assert [one["completed"] for one in told] == [1, 1]


async def test_a_folder_that_is_not_there_on_a_machine_that_knows_folders_is_no_empty_inbox(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="There is nothing at file://"):
        await arrived(f"file://{tmp_path}/in")
