"""Receipts of finished files, so that asking for the same again finds what is there already."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from reelflow.digest import digest_of, digest_of_source
from reelflow.recipe import Recipe
from reelflow.whole import written_whole


@dataclass(frozen=True, slots=True)
class Receipt:
    """That the files at `paths` are what `ask` makes with these models; `report` is what was told of them then.

    `resolved` are the names that the models stood for, in the order of the jobs. Where it isn't `is_whole`, some of the
    files are missing, or are those that the same ask had made before.
    """

    ask: str
    paths: tuple[Path, ...]
    digests: tuple[str, ...]
    resolved: tuple[str, ...]
    report: dict[str, Any]
    is_whole: bool = True


def ask_of(recipe: Recipe, source: Path, *, queue: str) -> str:
    """What is asked, as one SHA-256: the bytes of the source and of every file that a step reads, recipe, queue."""
    files = {str(path): digest_of_source(path) for step in recipe.all_steps() for path in step.files()}
    # Without what is not given, so that a step or a field that comes with a newer reelflow changes nothing.
    told = recipe.model_dump_json(exclude={"about", "preview"}, exclude_none=True)
    for path, digest in files.items():
        told = told.replace(json.dumps(path, ensure_ascii=False), json.dumps(digest))
    return hashlib.sha256(json.dumps([digest_of_source(source), told, queue]).encode()).hexdigest()


async def find_receipt(work_dir: Path, ask: str, paths: Sequence[Path]) -> Receipt | None:
    """The receipt for what lies at `paths`, if `ask` made all that is there and nobody has changed it since."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        kept = _read(work_dir, ask, paths)
        receipt = Receipt(
            kept["ask"], tuple(map(Path, kept["paths"])), tuple(kept["digests"]), tuple(kept["resolved"]),
            dict(kept["report"]),
        )
        if receipt.paths == tuple(paths):
            with contextlib.suppress(OSError):
                os.utime(_place(work_dir, ask, paths))  # clearing goes by that
            return await asyncio.to_thread(_as_it_lies, receipt, set(kept.get("before", ())))
    return None


async def write_receipt(work_dir: Path, receipt: Receipt, *, in_place: bool) -> None:
    """Keep a receipt in the work folder.

    Until the files are `in_place`, it tells also which ones the same ask had made before: whatever ends the run, they
    may lie there still.
    """
    place = _place(work_dir, receipt.ask, receipt.paths)
    place.parent.mkdir(parents=True, exist_ok=True)
    before: list[str] = []
    if not in_place:
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            kept = _read(work_dir, receipt.ask, receipt.paths)
            before = [*kept["digests"], *kept.get("before", ())]
    with written_whole(place) as part:
        part.write_text(json.dumps({
            "ask": receipt.ask, "paths": [str(path) for path in receipt.paths], "digests": receipt.digests,
            "before": before, "resolved": receipt.resolved, "report": receipt.report,
        }, ensure_ascii=False), "utf-8")


def _read(work_dir: Path, ask: str, paths: Sequence[Path]) -> dict[str, Any]:
    return dict(json.loads(_place(work_dir, ask, paths).read_text("utf-8")))


def _as_it_lies(receipt: Receipt, before: set[str]) -> Receipt | None:
    """The receipt, if all that is there is its own, or what is to be replaced by that."""
    found = tuple(digest_of(path) if path.exists() else None for path in receipt.paths)
    own = zip(found, receipt.digests, strict=True)
    is_ours = all(one is None or one == digest or one in before for one, digest in own)
    return replace(receipt, is_whole=found == receipt.digests) if is_ours else None


def _place(work_dir: Path, ask: str, paths: Sequence[Path]) -> Path:
    named = hashlib.sha256("\n".join([ask, *map(str, paths)]).encode()).hexdigest()
    return work_dir / "receipts" / f"{named}.json"
