"""Receipts of finished films, so that asking for the same film again finds the one that is there already."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reelflow.media.run import written_whole
from reelflow.recipe import Recipe
from reelflow.store import digest_of


@dataclass(frozen=True, slots=True)
class Receipt:
    """That the film at `path` is what `ask` makes with the model `resolved`; `report` is what was told of it then."""

    ask: str
    path: Path
    digest: str
    resolved: str
    report: dict[str, Any]


def ask_of(recipe: Recipe, source: Path, *, queue: str) -> str:
    """What is asked, as one SHA-256: the source's and the reference image's bytes, the recipe, the queue."""
    told = recipe.model_dump(mode="json") | {
        "reference_image": digest_of(recipe.reference_image) if recipe.reference_image else None
    }
    return hashlib.sha256(json.dumps([digest_of(source), told, queue], sort_keys=True).encode()).hexdigest()


async def find_receipt(work_dir: Path, ask: str, path: Path) -> Receipt | None:
    """The receipt for what lies at `path`, if `ask` made it and nobody has changed it since."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        kept = json.loads(_place(work_dir, ask, path).read_text("utf-8"))
        receipt = Receipt(kept["ask"], Path(kept["path"]), kept["digest"], kept["resolved"], dict(kept["report"]))
        if receipt.path == path and await asyncio.to_thread(digest_of, path) == receipt.digest:
            return receipt
    return None


async def write_receipt(work_dir: Path, receipt: Receipt) -> None:
    """Keep a receipt in the work folder."""
    place = _place(work_dir, receipt.ask, receipt.path)
    place.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(place) as part:
        part.write_text(json.dumps({
            "ask": receipt.ask, "path": str(receipt.path), "digest": receipt.digest, "resolved": receipt.resolved,
            "report": receipt.report,
        }, ensure_ascii=False), "utf-8")


def _place(work_dir: Path, ask: str, path: Path) -> Path:
    return work_dir / "receipts" / f"{hashlib.sha256(f'{ask} {path}'.encode()).hexdigest()}.json"
