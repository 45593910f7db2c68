"""Receipts of finished files: which of what lies there is ours, whatever has ended the run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from reelflow.digest import digest_of
from reelflow.receipt import Receipt, find_receipt, write_receipt


def receipt_of(*paths: Path) -> Receipt:
    """The receipt of files that lie there as they are."""
    return Receipt("ask", paths, tuple(map(digest_of, paths)), (), {})


async def test_a_receipt_holds_as_far_as_its_files_have_their_names(tmp_path: Path) -> None:
    one, two = tmp_path / "one.mp4", tmp_path / "two.mp4"
    for path in (one, two):
        path.write_text(path.name)
    receipt = receipt_of(one, two)
    await write_receipt(tmp_path, receipt, in_place=True)
    assert await find_receipt(tmp_path, "ask", (one, two)) == receipt
    two.unlink()
    assert await find_receipt(tmp_path, "ask", (one, two)) == replace(receipt, is_whole=False)
    two.write_text("another's")
    assert await find_receipt(tmp_path, "ask", (one, two)) is None


async def test_what_a_run_is_to_replace_is_ours_until_it_has(tmp_path: Path) -> None:
    film = tmp_path / "film.mp4"
    film.write_text("first")
    await write_receipt(tmp_path, receipt_of(film), in_place=True)
    for content in ("second", "third"):  # each is killed before its film has its name
        (tmp_path / "part").write_text(content)
        made = replace(receipt_of(tmp_path / "part"), paths=(film,))
        await write_receipt(tmp_path, made, in_place=False)
        assert await find_receipt(tmp_path, "ask", (film,)) == replace(made, is_whole=False)
    film.write_text("third")
    await write_receipt(tmp_path, made, in_place=True)
    assert await find_receipt(tmp_path, "ask", (film,)) == made
    film.write_text("first")
    assert await find_receipt(tmp_path, "ask", (film,)) is None
