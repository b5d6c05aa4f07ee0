"""`ReadableCollection`: the operations of a collection that change nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from .batched import UNBATCHED
from .change_stream import ChangeStream
from .declared_collection import DeclaredCollection, DocumentId, T
from .documents import Part, decode, encode, is_key, part_of
from .driver import Document
from .driver_commands import Find
from .observation import observed

Query = Mapping[str, Any]
Sort = Sequence[tuple[str, int]]

__all__ = ["Query", "ReadableCollection"]

_BEST_FIRST = [("score", {"$meta": "textScore"})]


class ReadableCollection(DeclaredCollection[T]):
    """The operations that change nothing."""

    @observed
    async def find_by_id(self, id: DocumentId) -> T | None:
        return await self._find_one({"_id": id})

    @observed
    async def find_one(self, query: Query) -> T | None:
        return await self._find_one(query)

    @observed
    async def find(self, query: Query, *, sort: Sort = (), limit: int = 0) -> list[T]:
        """Return all documents that match, or the first `limit` of them."""
        return await self._commands().find(Find(encode(query), limit, sort), _decoded)

    @observed
    async def find_part(self, query: Query, *, sort: Sort, limit: int, max_bytes: int) -> Part[T]:
        """Return the first documents that match: at most `limit`, and `max_bytes` in all.

        A larger document is a part by itself. MongoDB sends up to 16 MB of `limit` documents.
        """
        read = partial(part_of, max_bytes=max_bytes)
        return await self._commands().find(Find(encode(query), limit, sort, part=True), read)

    @observed
    async def find_ids(self, query: Query, limit: int) -> list[DocumentId]:
        """Return the `_id` of each of the first `limit` documents that match."""
        return await self._find_ids(query, limit)

    @observed
    async def search(self, text: str, query: Query | None = None, *, limit: int = 0) -> list[T]:
        """Return the documents that hold words of `text`, the best first.

        The collection needs a text index: `IndexModel([("title", "text"), ("text", "text")])`.
        """
        wanted = {**(query or {}), "$text": {"$search": text}}
        return await self._commands().find(Find(encode(wanted), limit, _BEST_FIRST), _decoded)

    @observed
    async def count(self, query: Query) -> int:
        """Return the number of documents that match."""
        return await self._commands().count(encode(query))

    @observed
    async def exists(self, query: Query) -> bool:
        """Return whether a document matches."""
        return bool(await self._find_ids(query, 1))

    @observed
    async def distinct(self, field: str, query: Query | None = None) -> list[Any]:
        """Return each value of `field` once; of an array, each of its values."""
        return await self._commands().distinct(field, encode(query or {}))

    @observed
    async def aggregate(self, pipeline: Sequence[Mapping[str, Any]]) -> list[Document]:
        """Return the documents that MongoDB's aggregation pipeline produces."""
        return await self._commands().aggregate(pipeline, _decoded)

    def watch(
        self, *pipeline: Mapping[str, Any], after: Mapping[str, Any] | None = None
    ) -> ChangeStream[T]:
        """Return the changes from now on, or those after the `position` of a change.

        The stages of `pipeline` choose among MongoDB's change events:

            async with NOTES.watch({"$match": {"fullDocument.user_id": user_id}}) as changes:
                async for change in changes:
                    send(change.document)
        """
        return ChangeStream(self.name, pipeline, after)

    async def _find_one(self, query: Query) -> T | None:
        if len(query) == 1 and (batched := self._batched()):
            ((field, value),) = query.items()
            if field in self._unique and is_key(value):
                found: T | None = await batched.find(field, value)
                if found is not UNBATCHED:
                    return found
        found = await self._commands().find(Find(encode(query), 1, part=True), _first)
        return found

    async def _find_ids(self, query: Query, limit: int) -> list[DocumentId]:
        wanted = Find(encode(query), limit, fields={"_id": 1})
        found = await self._commands().find(wanted, _decoded)
        return [document["_id"] for document in found]


def _decoded(found: list[bytes]) -> list[Any]:
    return [decode(document) for document in found]


def _first(found: list[bytes]) -> Any:
    return decode(found[0]) if found else None
