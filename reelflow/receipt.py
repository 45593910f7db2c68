"""Receipts of finished files, so that asking for the same again finds what is there already."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reelflow.digest import digest_of, digest_of_source
from reelflow.media.run import written_whole
from reelflow.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Receipt:
    """That the files at `paths` are what `ask` makes with these models; `report` is what was told of them then.

    `resolved` are the names that the models stood for, in the order of the jobs.
    """

    ask: str
    paths: tuple[Path, ...]
    digests: tuple[str, ...]
    resolved: tuple[str, ...]
    report: dict[str, Any]


def ask_of(recipe: Recipe, source: Path, *, queue: str) -> str:
    """What is asked, as one SHA-256: the bytes of the source and of every file that a step reads, recipe, queue."""
    files = {str(path): digest_of_source(path) for step in recipe.all_steps() for path in step.files()}
    # Without what is not given, so that a step or a field that comes with a newer reelflow changes nothing.
    told = recipe.model_dump_json(exclude={"about", "preview"}, exclude_none=True)
    for path, digest in files.items():
        told = told.replace(json.dumps(path, ensure_ascii=False), json.dumps(digest))
    return hashlib.sha256(json.dumps([digest_of_source(source), told, queue]).encode()).hexdigest()


async def find_receipt(work_dir: Path, ask: str, paths: Sequence[Path]) -> Receipt | None:
    """The receipt for what lies at `paths`, if `ask` made all of it and nobody has changed it since."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        kept = json.loads(_place(work_dir, ask, paths).read_text("utf-8"))
        receipt = Receipt(
            kept["ask"], tuple(map(Path, kept["paths"])), tuple(kept["digests"]), tuple(kept["resolved"]),
            dict(kept["report"]),
        )
        if receipt.paths == tuple(paths) and await asyncio.to_thread(_are_sound, receipt):
            return receipt
    return None


async def write_receipt(work_dir: Path, receipt: Receipt) -> None:
    """Keep a receipt in the work folder."""
    place = _place(work_dir, receipt.ask, receipt.paths)
    place.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(place) as part:
        part.write_text(json.dumps({
            "ask": receipt.ask, "paths": [str(path) for path in receipt.paths], "digests": receipt.digests,
            "resolved": receipt.resolved, "report": receipt.report,
        }, ensure_ascii=False), "utf-8")


def _are_sound(receipt: Receipt) -> bool:
    return all(digest_of(path) == digest for path, digest in zip(receipt.paths, receipt.digests, strict=True))


def _place(work_dir: Path, ask: str, paths: Sequence[Path]) -> Path:
    named = hashlib.sha256("\n".join([ask, *map(str, paths)]).encode()).hexdigest()
    return work_dir / "receipts" / f"{named}.json"
