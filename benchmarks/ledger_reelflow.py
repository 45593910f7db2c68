"""Reelflow's side of `ledger`: `write` wishes, `fill` a ledger with finished ones, `look` them up."""

import asyncio
import hashlib
import json
import random
import sqlite3
import sys
import time
from decimal import Decimal
from pathlib import Path
from statistics import median

from reelflow.job.entry import Intent, Terms
from reelflow.job.ledger import Ledger
from reelflow.job.schema import FILE_NAME

_LOOK_UPS = 500


def intent(number: int) -> Intent:
    """The wish of a number."""
    key = _key(number)
    return Intent(
        key=key, queue="https://api.decart.ai", base_url="https://api.decart.ai", stand_in=False, model="lucy-2.5",
        resolved="lucy-2.5", result="film", source_digest=key, reference_digest=None,
        parameters=json.dumps([["prompt", f"film noir {number}"]]), seconds=5.0, cost=Decimal("0.2"),
    )


async def write(folder: Path, count: int) -> dict[str, float]:
    """Claim so many wishes, one after another: each is on the disk before the next."""
    async with Ledger.open(None, work_dir=folder) as ledger:
        began, used = time.perf_counter(), time.process_time()
        for number in range(count):
            claim = await ledger.claim(intent(number), Terms())
            assert claim.purchase is not None
        return {"wall": time.perf_counter() - began, "cpu": time.process_time() - used}


async def fill(folder: Path, count: int) -> dict[str, float]:
    """Copy one finished wish so many times, inside the database: claiming a million would take an hour."""
    async with Ledger.open(None, work_dir=folder) as ledger:
        claim = await ledger.claim(intent(0), Terms())
        await ledger.accepted(claim.purchase or "", "job-0", stand_in=False)
        await ledger.completed(claim.purchase or "", digest=_key(0), size_bytes=10**6, seconds=5.0)
    with sqlite3.connect(folder / FILE_NAME) as database:
        database.execute("PRAGMA synchronous=OFF")
        for table, named in (("wishes", {"key": _key, "purchase": _purchase}),
                             ("purchases", {"id": _purchase, "key": _key})):
            columns = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
            row = dict(zip(columns, database.execute(f"SELECT * FROM {table}").fetchone(), strict=True))
            marks = ", ".join("?" * len(columns))
            database.executemany(
                f"INSERT INTO {table} VALUES ({marks})",
                (tuple(named[name](number) if name in named else row[name] for name in columns)
                 for number in range(1, count)),
            )
    return {}


async def look(folder: Path, count: int) -> dict[str, float]:
    """Claim wishes that are finished already, anywhere among them: what a run does that finds its result kept."""
    wanted, took = random.Random(1), []
    async with Ledger.open(None, work_dir=folder) as ledger:
        await ledger.claim(intent(0), Terms())
        for _ in range(_LOOK_UPS):
            wish = intent(wanted.randrange(count))
            began = time.perf_counter()
            claim = await ledger.claim(wish, Terms())
            took.append(1000 * (time.perf_counter() - began))
            assert claim.purchase is None and claim.entry.output_digest is not None
    return {"look_up_ms": median(took), "look_up_p99_ms": sorted(took)[int(len(took) * 0.99)]}


def _key(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def _purchase(number: int) -> str:
    return _key(number)[:32]


if __name__ == "__main__":
    act = {"write": write, "fill": fill, "look": look}[sys.argv[1]]
    sys.stdout.write(json.dumps(asyncio.run(act(Path(sys.argv[2]), int(sys.argv[3])))))
