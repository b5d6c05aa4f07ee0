"""`Collection`: what helper modules call to read and write one collection."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, ClassVar

from bson.raw_bson import RawBSONDocument
from pymongo import IndexModel, ReturnDocument

from .batched import UNBATCHED, Batched
from .batches import MAX_BYTES
from .documents import Part, decode, decode_found, encode, is_key, part_of
from .driver import Document, Key, ObjectId, mongodb
from .operation import guard, observed

DocumentId = Key

__all__ = ["Collection", "Document", "DocumentId", "IndexModel", "Part"]


class Collection:
    """The collection `name`, with the indexes it needs; `connect()` makes them at the start.

    The setting `mongodb_timeout_seconds` limits every operation. An operation raises `Conflict`
    for a duplicate key, `Unavailable` while MongoDB can't answer, and `ServerError` otherwise.
    Concurrent inserts share round trips. So do updates by `_id`, and finds by `_id` or another
    unique field: see docs/performance.md.

    `owner` is the field with the id of the person to whom a document belongs, if there is one.

        NOTES = Collection("notes", IndexModel("user_id"), owner="user_id")

        async def create(user_id, text):
            return await NOTES.insert({"user_id": user_id, "text": text})
    """

    declared: ClassVar[list[Collection]] = []

    def __init__(self, name: str, *indexes: IndexModel, owner: str | None = None) -> None:
        self.name = name
        self.indexes = indexes
        self.owner = owner
        self._unique = {"_id"}.union(*map(_unique_field, indexes))
        Collection.declared.append(self)

    @observed
    async def find_by_id(self, id: DocumentId) -> Document | None:
        return await self._find_one({"_id": id})

    @observed
    async def find_one(self, query: Mapping[str, Any]) -> Document | None:
        return await self._find_one(query)

    @observed
    async def find(
        self, query: Mapping[str, Any], *, sort: Sequence[tuple[str, int]] = (), limit: int = 0
    ) -> list[Document]:
        """Return all documents that match, or the first `limit` of them."""
        options = {"sort": list(sort) or None, "limit": limit}

        async def found() -> list[Document]:
            cursor = mongodb.raw(self.name).find(_raw(query), **options)
            return [decode(each.raw) for each in await cursor.to_list(None)]

        return await guard(found)

    @observed
    async def find_part(
        self,
        query: Mapping[str, Any],
        *,
        sort: Sequence[tuple[str, int]],
        limit: int,
        max_bytes: int,
    ) -> Part:
        """Return the first documents that match: at most `limit`, and `max_bytes` in all.

        A larger document is a part by itself. MongoDB sends up to 16 MB of `limit` documents.
        """
        # A negative limit returns what fits into one reply, and leaves no cursor open.
        options = {"sort": list(sort), "limit": -limit, "batch_size": limit}
        replies: list[bytes] = await guard(
            lambda: mongodb[self.name].find_raw_batches(_raw(query), **options).to_list(None)
        )
        return part_of(replies, max_bytes)

    @observed
    async def find_ids(self, query: Mapping[str, Any], limit: int) -> list[DocumentId]:
        """Return the `_id` of each of the first `limit` documents that match."""
        found: list[Document] = await guard(
            lambda: mongodb[self.name].find(_raw(query), {"_id": 1}, limit=limit).to_list(None)
        )
        return [document["_id"] for document in found]

    @observed
    async def aggregate(self, pipeline: Sequence[Mapping[str, Any]]) -> list[Document]:
        """Return the documents that MongoDB's aggregation pipeline produces."""
        return await guard(lambda: mongodb.aggregate(self.name, pipeline))

    @observed
    async def insert(self, document: Document) -> DocumentId:
        """Store `document`, and return its id: an ObjectId if it has no `_id`.

        `document` then holds what a read returns: its `_id`, and times in UTC with milliseconds.
        """
        document.setdefault("_id", ObjectId())
        encoded = encode(document)
        if batched := self._batched(len(encoded)):
            await batched.insert(encoded)
        else:
            await guard(lambda: mongodb[self.name].insert_one(RawBSONDocument(encoded)))
        document.update(decode(encoded))
        inserted_id: DocumentId = document["_id"]
        return inserted_id

    @observed
    async def update_by_id(self, id: DocumentId, changes: Mapping[str, Any]) -> Document | None:
        """Set the fields in `changes`, and return the document; None if there is none.

        The document may already hold a later change of another caller.
        """
        encoded = encode(changes)
        if is_key(id) and (batched := self._batched(len(encoded))):
            document = await batched.update(id, encoded)
            return await self._find_one({"_id": id}) if document is UNBATCHED else document
        return await self._update_one({"_id": id}, encoded)

    @observed
    async def update_one(
        self, query: Mapping[str, Any], changes: Mapping[str, Any]
    ) -> Document | None:
        """Set the fields in `changes` on one document that matches, and return the document.

        The query, the change and the answer are one step: no other change comes between them.
        """
        return await self._update_one(query, encode(changes))

    @observed
    async def delete_by_id(self, id: DocumentId) -> bool:
        """Return whether there was such a document; of several callers, one gets True."""
        result = await guard(lambda: mongodb[self.name].delete_one(_raw({"_id": id})))
        return bool(result.deleted_count)

    @observed
    async def delete(self, query: Mapping[str, Any]) -> int:
        """Delete all documents that match, and return their number."""
        result = await guard(lambda: mongodb[self.name].delete_many(_raw(query)))
        count: int = result.deleted_count
        return count

    async def _find_one(self, query: Mapping[str, Any]) -> Document | None:
        if len(query) == 1 and (batched := self._batched()):
            ((field, value),) = query.items()
            if field in self._unique and is_key(value):
                found = await batched.find(field, value)
                if found is not UNBATCHED:
                    return found
        return await self._one(lambda collection: collection.find_one(_raw(query)))

    async def _update_one(self, query: Mapping[str, Any], changes: bytes) -> Document | None:
        update = {"$set": RawBSONDocument(changes)}
        return await self._one(
            lambda collection: collection.find_one_and_update(
                _raw(query), update, return_document=ReturnDocument.AFTER
            )
        )

    async def _one(self, ask: Callable[[Any], Awaitable[Any]]) -> Document | None:
        """Return the document that `ask` gets from the driver's collection, or None."""

        async def found() -> Document | None:
            return decode_found(await ask(mongodb.raw(self.name)))

        return await guard(found)

    def _batched(self, size: int = 0) -> Batched | None:
        """Return the batches of the open database; None where `size` bytes go out alone."""
        batched = mongodb.batched.get(self.name)
        if batched is None and mongodb.max_batches_in_flight:
            batched = mongodb.batched[self.name] = Batched(self.name)
        return batched if size <= MAX_BYTES else None


def _raw(query: Mapping[str, Any]) -> RawBSONDocument:
    """Return `query` as `encode` writes it, so that a wrong value is named."""
    return RawBSONDocument(encode(query))


def _unique_field(index: IndexModel) -> set[str]:
    """Return the field of `index` if a value of that field finds at most one document."""
    made = index.document
    fields = [field for field in made["key"] if "." not in field]
    if made.get("unique") and len(made["key"]) == 1 and "partialFilterExpression" not in made:
        return set(fields)
    return set()
