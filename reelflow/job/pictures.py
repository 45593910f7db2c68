"""Edited pictures in the ledger's own database, where machines share it.

The queue answers with such a picture once and keeps none. What one machine has bought lies in its own store, and with
that machine it would be gone for all others; so its bytes are written down with the word that it is completed. A ledger
in SQLite is as near as the store: it keeps nothing twice.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from reelflow.errors import FetchFailed
from reelflow.job.schema import pictures, purchases

if TYPE_CHECKING:
    from reelflow.job.entry import Entry
    from reelflow.job.ledger import Ledger
    from reelflow.store import Store


def keep_picture(connection: sa.Connection, purchase: str, key: str, picture: Path) -> None:
    """Write down the picture of a purchase, in place of those that were bought for the same wish before."""
    of_wish = sa.select(purchases.c.id).where(purchases.c.key == key)
    connection.execute(pictures.delete().where(pictures.c.purchase.in_(of_wish)))
    # It was written just now, so that reading it does not wait for the disk.
    connection.execute(pictures.insert().values(purchase=purchase, content=picture.read_bytes()))


def picture_of(connection: sa.Connection, purchase: str) -> bytes | None:
    """The bytes of the picture of a purchase; None where none is kept here."""
    query = sa.select(pictures.c.content).where(pictures.c.purchase == purchase)
    content: bytes | None = connection.execute(query).scalar()
    return content


async def find_result(ledger: Ledger, store: Store, entry: Entry) -> Path | None:
    """The result of a completed wish, in the store: brought there from the ledger where only that has it.

    None where neither has it. Raises FetchFailed where it can't be written here.
    """
    assert entry.output_digest is not None and entry.purchase is not None
    path = await store.find(entry.output_digest, entry.suffix)
    if path is not None or entry.job_id is not None:
        return path
    content = await ledger.picture(entry.purchase)
    if content is None:
        return None
    try:
        kept = await store.keep_bytes(content, entry.suffix)
    except OSError as error:
        raise FetchFailed(f"The picture that was bought can't be written to {store.root} ({error.strerror}): make room "
                          "and run again, it is paid already.", job_id="") from error
    return kept.path if kept.digest == entry.output_digest else None
