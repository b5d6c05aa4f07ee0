"""`Collection`: what helper modules call to read and write one collection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

from pymongo import IndexModel

from .attempt import current
from .batched import UNBATCHED, Batched, Commands
from .batches import MAX_BYTES
from .documents import Part, decode, decode_found, encode, is_key, part_of
from .driver import Document, Key, ObjectId, mongodb
from .driver_commands import DriverCommands, Find
from .observation import observed
from .operation import to_api_error

DocumentId = Key

__all__ = ["Collection", "Document", "DocumentId", "IndexModel", "Part"]


class Collection:
    """The collection `name`, with the indexes it needs; `connect()` makes them at the start.

    The setting `mongodb_timeout_seconds` limits every operation. An operation raises `Conflict`
    for a duplicate key, `Unavailable` while MongoDB can't answer, and `ServerError` otherwise.
    Concurrent inserts share round trips. So do updates by `_id`, and finds by `_id` or another
    unique field: see docs/performance.md. All take part in the transaction that is open.

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
        return await self._commands().find(Find(encode(query), limit, sort), _decoded)

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
        read = partial(part_of, max_bytes=max_bytes)
        return await self._commands().find(Find(encode(query), limit, sort, part=True), read)

    @observed
    async def find_ids(self, query: Mapping[str, Any], limit: int) -> list[DocumentId]:
        """Return the `_id` of each of the first `limit` documents that match."""
        wanted = Find(encode(query), limit, fields={"_id": 1})
        found = await self._commands().find(wanted, _decoded)
        return [document["_id"] for document in found]

    @observed
    async def aggregate(self, pipeline: Sequence[Mapping[str, Any]]) -> list[Document]:
        """Return the documents that MongoDB's aggregation pipeline produces."""
        return await DriverCommands(self.name, current()).aggregate(pipeline)

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
            (error,) = await self._commands().insert([encoded])
            if error:
                raise to_api_error(error)
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
        return await self._commands().delete(encode({"_id": id}), many=False) == 1

    @observed
    async def delete(self, query: Mapping[str, Any]) -> int:
        """Delete all documents that match, and return their number."""
        return await self._commands().delete(encode(query), many=True)

    async def _find_one(self, query: Mapping[str, Any]) -> Document | None:
        if len(query) == 1 and (batched := self._batched()):
            ((field, value),) = query.items()
            if field in self._unique and is_key(value):
                found = await batched.find(field, value)
                if found is not UNBATCHED:
                    return found
        return await self._commands().find(Find(encode(query), 1, part=True), _first)

    async def _update_one(self, query: Mapping[str, Any], changes: bytes) -> Document | None:
        return await self._commands().find_and_set(encode(query), changes, decode_found)

    def _batched(self, size: int = 0) -> Batched | None:
        """Return the batches of the open database; None where `size` bytes go out alone.

        In a transaction all operations do.
        """
        if not mongodb.max_batches_in_flight or size > MAX_BYTES or current():
            return None
        return self._opened()

    def _commands(self) -> Commands:
        if attempt := current():
            return DriverCommands(self.name, attempt)
        return self._opened().commands

    def _opened(self) -> Batched:
        """Return what the open database has for this collection. Raises `Unavailable`."""
        opened: Batched | None = mongodb.opened.get(self.name)
        if opened is None:
            opened = mongodb.opened[self.name] = Batched(self.name)
        return opened


def _decoded(found: list[bytes]) -> list[Document]:
    return [decode(document) for document in found]


def _first(found: list[bytes]) -> Document | None:
    return decode(found[0]) if found else None


def _unique_field(index: IndexModel) -> set[str]:
    """Return the field of `index` if a value of that field finds at most one document."""
    made = index.document
    fields = [field for field in made["key"] if "." not in field]
    if made.get("unique") and len(made["key"]) == 1 and "partialFilterExpression" not in made:
        return set(fields)
    return set()
