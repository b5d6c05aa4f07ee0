"""`SharedVersion`: the version of something that many callers change at the same time."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Awaitable, Callable
from typing import TypeVar

from typing_extensions import TypedDict

from .collection import Collection
from .transactions import transaction
from .turns import turn

T = TypeVar("T")

__all__ = ["SharedVersion"]

_DOCUMENTS = 16


class VersionDocument(TypedDict):
    _id: int
    version: str


class SharedVersion:
    """A version that each change renews, in the collection `name`.

    The version is spread over a few documents, each with a `version` of its own. A change replaces
    one of these. So changes at the same time need not wait for one another. Of two
    transactions that write the same document, MongoDB has one run again.

        BOOK = SharedVersion("book")

        await BOOK.change(lambda: PAGES.insert(page))
        tag = await BOOK.get()
    """

    def __init__(self, name: str) -> None:
        self.collection = Collection(name, VersionDocument)
        self._unused = list(range(_DOCUMENTS))  # the `_id` of each document that no change holds

    async def get(self) -> str:
        """Return the version, a new one after each change."""
        found = await self.collection.find({}, sort=[("_id", 1)])
        text = "".join(document["version"] for document in found)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    async def change(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do `work` and renew the version together, unless `work` returns a false value."""
        async with turn(self.collection.name, places=_DOCUMENTS):
            document_id = self._unused.pop()
            try:
                return await self._change(work, document_id)
            finally:
                self._unused.append(document_id)

    @transaction
    async def _change(self, work: Callable[[], Awaitable[T]], document_id: int) -> T:
        if done := await work():
            await self.collection.upsert({"_id": document_id}, {"version": secrets.token_hex(8)})
        return done
