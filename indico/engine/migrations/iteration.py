"""`batches`: how a migration goes through a large collection."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple

from bson import MinKey

from ..progress import Progress
from .lease import Lease

if TYPE_CHECKING:
    from pymongo.asynchronous.collection import AsyncCollection

Document = dict[str, Any]
_BY_ID = [("_id", 1)]


class Running(NamedTuple):
    """The migration that runs, by its name."""

    name: str
    lease: Lease
    progress: Progress


RUNNING: ContextVar[Running | None] = ContextVar("running", default=None)


async def batches(
    collection: AsyncCollection[Document], query: Mapping[str, Any], size: int = 1000
) -> AsyncIterator[list[Document]]:
    """Yield the documents that match, at most `size` at a time, in the order of `_id`.

    Each batch is read once the last one is done, and the lock is confirmed before. The progress
    shows on the terminal or in the log. A query that finds only what is left to do lets an
    interrupted migration go on where it was.

        async for users in batches(db.users, {"name_key": None}):
            await db.users.bulk_write([UpdateOne(...) for user in users])
    """
    running = RUNNING.get()
    total = await collection.count_documents(query) if running else 0
    done, last = 0, MinKey()
    while found := await _after(collection, query, last, size):
        if running:
            await running.lease.renew()
        yield found
        last = found[-1]["_id"]
        done += len(found)
        if running:
            running.progress.count(running.name, done, total)


async def _after(
    collection: AsyncCollection[Document], query: Mapping[str, Any], last: Any, size: int
) -> list[Document]:
    """Return the next documents after the id `last`, which may have another type than their ids.

    So `min` gives the place, because a comparison with `$gt` stays within one type.
    """
    cursor = collection.find(query).sort(_BY_ID).hint(_BY_ID).min([("_id", last)])
    found = await cursor.limit(size + 1).to_list()
    return [document for document in found if document["_id"] != last][:size]
