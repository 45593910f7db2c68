"""Where a finished film goes, checked before anything is made or bought."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from reelflow.assumed import assumed_source
from reelflow.compile import Known, compile_recipe
from reelflow.destination import Destination, check_folder, refuse_existing
from reelflow.errors import BadInput
from reelflow.media.run import run_ffmpeg
from reelflow.models import ModelTable
from reelflow.recipe import Recipe, make_step, parse_recipe, plain_recipe

FILM = plain_recipe("restyle", make_step("restyle", prompt="x"))
PICTURE = plain_recipe("image", make_step("image", prompt="x"), is_film=False)


def choose(wanted: str | None, folder: Path, *, recipe: Recipe = FILM, overwrite: bool = False,
           source: Path = Path("/nowhere/clip.mp4")) -> Path:
    destination = Destination(folder, wanted or "", overwrite)
    named = destination.named(recipe, "clip.mp4")
    plan = compile_recipe(named, assumed_source(named), Known(ModelTable.standard(), stem="clip"))
    (target,) = destination.targets(plan, source, need_bytes=0)
    return target


def test_without_a_wish_it_lies_in_the_given_folder(tmp_path: Path) -> None:
    assert choose(None, tmp_path / "new") == tmp_path / "new" / "clip-restyle.mp4"


def test_a_folder_gets_the_default_name(tmp_path: Path) -> None:
    assert choose(str(tmp_path), Path("/nowhere")) == tmp_path / "clip-restyle.mp4"
    assert choose(f"{tmp_path}/new/", Path("/nowhere")) == tmp_path / "new" / "clip-restyle.mp4"


def test_a_picture_s_default_is_png(tmp_path: Path) -> None:
    assert choose(None, tmp_path, recipe=PICTURE).name == "clip-image.png"


def test_what_exists_is_not_replaced_unless_asked(tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    target.write_bytes(b"x")
    assert choose(str(target), tmp_path, overwrite=True) == target
    assert "out.mp4 exists" in refuse_existing(target).message


def test_the_source_is_never_its_own_output(tmp_path: Path) -> None:
    source = tmp_path / "in.mp4"
    source.write_bytes(b"x")
    (tmp_path / "alias.mp4").symlink_to(source)
    with pytest.raises(BadInput, match="is the source itself"):
        choose(str(tmp_path / "alias.mp4"), tmp_path, overwrite=True, source=source)


async def test_no_file_that_is_read_is_an_output(tmp_path: Path, ffmpeg: Path) -> None:
    picture = tmp_path / "look.png"
    await run_ffmpeg(["-f", "lavfi", "-i", "color=s=64x64", "-frames:v", "1", f"file:{picture}"], ffmpeg=ffmpeg,
                     timeout=30)
    recipe = plain_recipe("image", make_step("image", prompt="x", reference_image=str(picture)), is_film=False)
    with pytest.raises(BadInput, match=r"look\.png is a file that this run reads"):
        choose(str(picture), tmp_path, recipe=recipe, overwrite=True)


@pytest.mark.parametrize(("name", "recipe", "said"), [
    ("out.avi", FILM, "does not end in"), ("out", FILM, "does not end in"),
    ("out.mp4", PICTURE, "is a film's name, and what comes out is a picture"),
])
def test_a_suffix_that_can_t_be_written_is_refused(tmp_path: Path, name: str, recipe: Recipe, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        choose(str(tmp_path / name), tmp_path, recipe=recipe)


def test_several_files_need_a_folder(tmp_path: Path) -> None:
    recipe = parse_recipe({"steps": [{"rate": 25}], "outputs": [{"path": "a.mp4"}, {"path": "b.png"}]})
    with pytest.raises(BadInput, match="makes 2 files: name a folder"):
        choose(str(tmp_path / "out.mp4"), tmp_path, recipe=recipe)


def test_a_name_that_no_disk_takes_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is 257 bytes long, and a file's may have 255"):
        choose(str(tmp_path / f"{'é' * 120}.mp4"), tmp_path)
    with pytest.raises(BadInput, match="is 304 bytes long, and a file's may have 255"):
        choose(str(tmp_path / f"{'é' * 150}.mp4"), tmp_path)


def test_an_output_may_not_be_called_as_what_is_written_beside_the_first(tmp_path: Path) -> None:
    recipe = parse_recipe({"steps": [{"rate": 25}], "outputs": [
        {"path": "a.mp4"}, {"path": "a.poster.jpg", "at": 0}]})
    with pytest.raises(BadInput, match=r"a\.poster\.jpg has the name of what is written beside a\.mp4"):
        choose(None, tmp_path, recipe=recipe)


def test_braces_in_a_name_are_only_braces(tmp_path: Path) -> None:
    assert choose(str(tmp_path / "{stem}{x}.mp4"), tmp_path).name == "{stem}{x}.mp4"


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
