"""What the helper modules are made of: operations on one collection, with our errors."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, ClassVar

from pymongo import IndexModel, ReturnDocument

from .batched import UNBATCHED, Batched, decode, documents_of, encode, is_key
from .driver import Database, Document, Key, ObjectId, mongodb
from .operation import guard, observed

DocumentId = Key

_PART_BYTES = 2_000_000

__all__ = ["Collection", "Document", "DocumentId", "IndexModel"]


class Collection:
    """The collection `name`, with the indexes it needs; `connect()` makes them at the start.

    Every operation is bounded by the setting `mongodb_timeout_seconds`, and raises `Conflict`
    for a duplicate key, `Unavailable` while MongoDB can't answer, `ServerError` for the rest.
    Inserts, and what goes by `_id` or (to find) by another unique field, share round trips with
    others of their kind that run at the same time: see docs/performance.md.

        NOTES = Collection("notes", IndexModel("user_id"))

        async def create(user_id, text):
            return await NOTES.insert({"user_id": user_id, "text": text})
    """

    declared: ClassVar[list[Collection]] = []

    def __init__(self, name: str, *indexes: IndexModel) -> None:
        self.name = name
        self.indexes = indexes
        self._unique = {"_id"}.union(*map(_unique_field, indexes))
        Collection.declared.append(self)

    async def make_indexes(self, database: Database = mongodb) -> None:
        """Makes the indexes that don't exist yet."""
        if self.indexes:
            make = database[self.name].create_indexes
            await guard(lambda: make(list(self.indexes)), database.timeout_seconds)

    @observed
    async def find_by_id(self, id: DocumentId) -> Document | None:
        return await self._find_one({"_id": id})

    @observed
    async def find_one(self, query: Mapping[str, Any]) -> Document | None:
        return await self._find_one(query)

    async def _find_one(self, query: Mapping[str, Any]) -> Document | None:
        if len(query) == 1 and (batched := self._batched()):
            ((field, value),) = query.items()
            if field in self._unique and is_key(value):
                found = await batched.find(field, value)
                if found is not UNBATCHED:
                    return found
        document: Document | None = await guard(lambda: mongodb[self.name].find_one(query))
        return document

    @observed
    async def find(
        self, query: Mapping[str, Any], *, sort: Sequence[tuple[str, int]] = (), limit: int = 0
    ) -> list[Document]:
        """All documents that match, or the first `limit` of them."""

        def find() -> Awaitable[list[Document]]:
            cursor = mongodb[self.name].find(query, sort=list(sort) or None, limit=limit)
            documents: Awaitable[list[Document]] = cursor.to_list(None)
            return documents

        return await guard(find)

    @observed
    async def find_part(
        self, query: Mapping[str, Any], *, sort: Sequence[tuple[str, int]], limit: int
    ) -> list[Document]:
        """The first documents that match: at most `limit`, and of about 2 MB in all.

        One at least, if there is one. For lists that are read piece by piece.
        """

        def find() -> Awaitable[list[bytes]]:
            # Negative: what fits into one reply, and no cursor is left open.
            options = {"sort": list(sort), "limit": -limit, "batch_size": limit}
            replies: Awaitable[list[bytes]] = (
                mongodb[self.name].find_raw_batches(query, **options).to_list(None)
            )
            return replies

        found: list[Document] = []
        size = 0
        for document in documents_of(await guard(find)):
            size += len(document)
            if found and size > _PART_BYTES:
                break
            found.append(decode(document))
        return found

    @observed
    async def find_ids(self, query: Mapping[str, Any], limit: int) -> list[DocumentId]:
        """The `_id` of each of the first `limit` documents that match."""

        def find() -> Awaitable[list[Document]]:
            cursor = mongodb[self.name].find(query, {"_id": 1}, limit=limit)
            documents: Awaitable[list[Document]] = cursor.to_list(None)
            return documents

        return [document["_id"] for document in await guard(find)]

    @observed
    async def aggregate(self, pipeline: Sequence[Mapping[str, Any]]) -> list[Document]:
        """What comes out of MongoDB's aggregation pipeline."""
        return await guard(lambda: mongodb.aggregate(self.name, pipeline))

    @observed
    async def insert(self, document: Document) -> DocumentId:
        """The id of `document`, which gets an ObjectId as its `_id` if it has none."""
        document.setdefault("_id", ObjectId())
        batched = self._batched()
        if batched and (encoded := encode(document)):
            await batched.insert(encoded)
        else:
            await guard(lambda: mongodb[self.name].insert_one(document))
        inserted_id: DocumentId = document["_id"]
        return inserted_id

    @observed
    async def update_by_id(self, id: DocumentId, changes: Mapping[str, Any]) -> Document | None:
        """Sets the fields in `changes`; the document after it, None if there is none."""
        batched = self._batched()
        if batched and is_key(id) and (encoded := encode(changes)):
            document = await batched.update(id, encoded)
            return await self._find_one({"_id": id}) if document is UNBATCHED else document
        return await self._update_one({"_id": id}, changes)

    @observed
    async def update_one(
        self, query: Mapping[str, Any], changes: Mapping[str, Any]
    ) -> Document | None:
        """Sets the fields in `changes` on one document that matches; the document after it.

        Nobody's change comes between: neither between `query` and the change, nor between the
        change and the answer.
        """
        return await self._update_one(query, changes)

    async def _update_one(
        self, query: Mapping[str, Any], changes: Mapping[str, Any]
    ) -> Document | None:
        updated: Document | None = await guard(
            lambda: mongodb[self.name].find_one_and_update(
                query, {"$set": changes}, return_document=ReturnDocument.AFTER
            )
        )
        return updated

    @observed
    async def delete_by_id(self, id: DocumentId) -> bool:
        """Return whether there was such a document; of several callers, one gets True."""
        result = await guard(lambda: mongodb[self.name].delete_one({"_id": id}))
        return bool(result.deleted_count)

    @observed
    async def delete(self, query: Mapping[str, Any]) -> int:
        """Delete all documents that match, and return their number."""
        result = await guard(lambda: mongodb[self.name].delete_many(query))
        count: int = result.deleted_count
        return count

    def _batched(self) -> Batched | None:
        """None where each operation is to go out alone."""
        batched = mongodb.batched.get(self.name)
        if batched is None and mongodb.max_batches_in_flight:
            batched = mongodb.batched[self.name] = Batched(self.name)
        return batched


def _unique_field(index: IndexModel) -> set[str]:
    """The field of a unique index of one field, as whose value one document at most is found."""
    made = index.document
    fields = [field for field in made["key"] if "." not in field]
    if made.get("unique") and len(made["key"]) == 1 and "partialFilterExpression" not in made:
        return set(fields)
    return set()
