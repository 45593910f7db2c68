"""Results that go to another machine: brought to an address under their names, with a receipt beside them."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reelflow import remote
from reelflow.destination import Destination
from reelflow.disk import in_stoppable_thread
from reelflow.errors import BadInput, OutputTaken, SourceFault
from reelflow.receipt import Receipt
from reelflow.sources import is_address, show_source

_MAX_RECEIPT_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class Delivery:
    """The address `prefix` that files are brought to, each under the name that it has below `folder`, where it's made.

    Receipts lie beside the files, below `.reelflow/`, so that every machine finds what any of them has made.
    """

    prefix: str
    folder: Path

    @property
    def shown(self) -> str:
        """The prefix as it may be shown."""
        return remote.shown(self.prefix)

    def address(self, target: Path) -> str:
        """Where a file goes: for that alone, since a login may be part of it."""
        return remote.join(self.prefix, target.relative_to(self.folder).as_posix())

    def shown_address(self, target: Path) -> str:
        """The same as it may be shown and kept."""
        return remote.shown(self.address(target))

    def check_apart(self, source: str, targets: tuple[Path, ...]) -> None:
        """Refuse files that would take the place of what they are made of. Raises OutputTaken."""
        for target in targets:
            if remote.is_remote(source) and self.shown_address(target) == remote.shown(source):
                raise OutputTaken(f"The output {remote.shown(source)} is the source itself: choose another name.",
                                  field="output")

    async def find_existing(self, targets: tuple[Path, ...]) -> str | None:
        """The first of the addresses at which there is a file already, as it may be shown."""
        for target in targets:
            if await asyncio.to_thread(remote.look_at, self.address(target), field="output") is not None:
                return self.shown_address(target)
        return None

    async def find_receipt(self, ask: str, targets: tuple[Path, ...]) -> Receipt | None:
        """The receipt for what lies there, if `ask` made all that is there and it is as large as it was.

        Raises SourceFault where that can't be told just now: that it is not ours would be final.
        """
        with contextlib.suppress(ValueError, KeyError, TypeError):
            kept, is_whole = json.loads(await self._read(ask, targets)), True
            before = kept.get("before", {})
            for target in targets:
                address = self.shown_address(target)
                found = await asyncio.to_thread(remote.look_at, self.address(target), field="output")
                is_as_told = found is not None and found.size_bytes == kept["sizes"][address]
                if not (found is None or is_as_told or found.size_bytes in before.get(address, ())):
                    return None
                is_whole = is_whole and is_as_told
            return Receipt(ask, targets, (), tuple(kept["resolved"]), dict(kept["report"]), is_whole)
        return None

    async def bring(self, receipt: Receipt) -> tuple[str, ...]:
        """Bring a receipt there, and its files behind it; gives their addresses, as they may be shown.

        A run that is killed between them must not be refused by its own film. So the sizes of files that the same ask
        had brought before are told too until all are replaced.
        """
        sizes = {self.shown_address(path): path.stat().st_size for path in receipt.paths}
        told = {"ask": receipt.ask, "resolved": receipt.resolved, "report": receipt.report, "sizes": sizes}
        before = await self._brought_before(receipt)
        await self._write(receipt, {**told, "before": before})
        for path in receipt.paths:
            await in_stoppable_thread(remote.put, path, self.address(path))
        if any(set(old) - {sizes[address]} for address, old in before.items()):
            await self._write(receipt, told)
        return tuple(sizes)

    async def _brought_before(self, receipt: Receipt) -> dict[str, list[int]]:
        """The sizes of what the same ask has brought, or begun to, by address. Raises SourceFault."""
        with contextlib.suppress(ValueError, KeyError, TypeError):
            kept = json.loads(await self._read(receipt.ask, receipt.paths))
            earlier = kept.get("before", {})
            return {address: [size, *earlier.get(address, ())] for address, size in kept["sizes"].items()}
        return {}

    async def _write(self, receipt: Receipt, told: dict[str, Any]) -> None:
        await asyncio.to_thread(remote.write, self._place(receipt.ask, receipt.paths),
                                json.dumps(told, ensure_ascii=False).encode())

    async def _read(self, ask: str, targets: tuple[Path, ...]) -> bytes:
        """A receipt as it lies there; empty where there is none that can be read. Raises SourceFault."""
        try:
            return await asyncio.to_thread(
                remote.read, self._place(ask, targets), max_bytes=_MAX_RECEIPT_BYTES, field="output")
        except SourceFault:
            raise
        except BadInput:
            return b""

    def _place(self, ask: str, targets: tuple[Path, ...]) -> str:
        named = hashlib.sha256("\n".join([ask, *map(self.shown_address, targets)]).encode()).hexdigest()
        return remote.join(self.prefix, f".reelflow/{named}.json")


def split_output(output: str) -> tuple[str, str]:
    """The prefix and the file's name (empty: a prefix is meant) of an output's address. Raises BadInput."""
    if remote.is_web(output):
        raise BadInput(f"Nothing can be written to {show_source(output)}: name a folder, a file, or an address such as "
                       "s3://bucket/out/.", field="output")
    prefix, _, name = output.rpartition("/")
    return (prefix, name) if "." in name and prefix.partition("://")[2] else (output.rstrip("/"), "")


def checked_destination(work_dir: Path, output: str, overwrite: bool) -> Destination:
    """What can be checked of an output before the run; what lies at an address is looked at in it. Raises BadInput."""
    if not is_address(output):
        return Destination(work_dir, output, overwrite)
    name = split_output(output)[1]
    folder = work_dir / "scratch"
    return Destination(folder, str(folder / name) if name else f"{folder}/", overwrite)
