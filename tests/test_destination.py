"""Where a finished film goes, checked before anything is made or bought."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from reelflow.destination import check_folder, choose_output
from reelflow.errors import BadInput


def choose(wanted: str | None, folder: Path, *, is_film: bool = True, overwrite: bool = False,
           source: Path | None = None) -> Path:
    return choose_output(wanted, folder=folder, name="clip-restyle", is_film=is_film, overwrite=overwrite,
                         source=source)


def test_without_a_wish_it_lies_in_the_given_folder(tmp_path: Path) -> None:
    assert choose(None, tmp_path / "new") == tmp_path / "new" / "clip-restyle.mp4"


def test_a_folder_gets_the_default_name(tmp_path: Path) -> None:
    assert choose(str(tmp_path), Path("/nowhere")) == tmp_path / "clip-restyle.mp4"
    assert choose(f"{tmp_path}/new/", Path("/nowhere")) == tmp_path / "new" / "clip-restyle.mp4"


def test_a_picture_s_default_is_png(tmp_path: Path) -> None:
    assert choose(None, tmp_path, is_film=False).name == "clip-restyle.png"


def test_what_exists_is_not_replaced_unless_asked(tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    target.write_bytes(b"x")
    with pytest.raises(BadInput, match=r"out\.mp4 exists"):
        choose(str(target), tmp_path)
    assert choose(str(target), tmp_path, overwrite=True) == target


def test_the_source_is_never_its_own_output(tmp_path: Path) -> None:
    source = tmp_path / "in.mp4"
    source.write_bytes(b"x")
    (tmp_path / "alias.mp4").symlink_to(source)
    with pytest.raises(BadInput, match="is the source itself"):
        choose(str(tmp_path / "alias.mp4"), tmp_path, overwrite=True, source=source)


@pytest.mark.parametrize(("name", "is_film"), [("out.avi", True), ("out", True), ("out.mp4", False)])
def test_a_suffix_that_can_t_be_written_is_refused(tmp_path: Path, name: str, is_film: bool) -> None:
    with pytest.raises(BadInput, match="does not end in"):
        choose(str(tmp_path / name), tmp_path, is_film=is_film)


def test_a_file_in_the_folder_s_place_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(BadInput, match="can't be made"):
        choose(str(tmp_path / "file" / "out.mp4"), tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_can_t_be_written_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(BadInput, match="can't be written to"):
        check_folder(tmp_path)


def test_a_full_disk_is_told_with_the_figures(tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free
    with pytest.raises(BadInput, match=r"MB free and about \d+ MB are needed"):
        check_folder(tmp_path, need_bytes=free * 2)
