"""`Collection`: what helper modules call to read and write one collection."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from pymongo import IndexModel
from typing_extensions import Unpack

from .batched import UNBATCHED
from .declared_collection import DocumentId, T
from .documents import Part, decode, decode_found, encode, is_key
from .driver import Document, ObjectId
from .observation import observed
from .operation import to_api_error
from .readable_collection import Query, ReadableCollection
from .update import Operators, UpsertOperators, setting, update_of

__all__ = ["Collection", "Document", "DocumentId", "IndexModel", "Part"]


class Collection(ReadableCollection[T]):
    """The collection `name`, with the indexes it needs; `connect()` makes them at the start.

    `model` is the TypedDict of its documents. mypy knows by it what reads return and writes take,
    and MongoDB refuses other documents: see docs/data.md. Documents stay dicts.

    The setting `mongodb_timeout_seconds` limits every operation. An operation raises `Conflict`
    for a duplicate key, `Unavailable` while MongoDB can't answer, and `ServerError` otherwise.
    Concurrent inserts share round trips. So do updates by `_id` that only set fields, and finds by
    `_id` or another unique field: see docs/performance.md. All take part in the transaction that is
    open.

    `owner` is the field with the id of the person to whom a document belongs, if there is one.
    With `live` too, that person gets each change by /live and /events, as `live` returns it.

        class NoteDocument(TypedDict):
            _id: ObjectId
            user_id: ObjectId
            text: str

        NOTES = Collection("notes", NoteDocument, IndexModel("user_id"), owner="user_id")

        async def create(user_id, text):
            return await NOTES.insert({"_id": ObjectId(), "user_id": user_id, "text": text})
    """

    declared: ClassVar[list[Collection[Any]]] = []

    def __init__(
        self,
        name: str,
        model: type[T],
        *indexes: IndexModel,
        owner: str | None = None,
        live: Callable[[T], Any] | None = None,
    ) -> None:
        super().__init__(name, model, *indexes, owner=owner, live=live)
        Collection.declared.append(self)

    @observed
    async def insert(self, document: T) -> DocumentId:
        """Store `document`, and return its id: an ObjectId if it has no `_id`.

        `document` then holds what a read returns: its `_id`, and times in UTC with milliseconds.
        """
        stored: Any = document
        stored.setdefault("_id", ObjectId())
        encoded = encode(stored)
        if batched := self._batched(len(encoded)):
            await batched.insert(encoded)
        else:
            (error,) = await self._commands().insert([encoded])
            if error:
                raise to_api_error(error)
        stored.update(decode(encoded))
        inserted_id: DocumentId = stored["_id"]
        return inserted_id

    @observed
    async def update_by_id(
        self,
        id: DocumentId,
        set: Mapping[str, Any] | None = None,
        **operators: Unpack[Operators],
    ) -> T | None:
        """Update one document, and return it; None if there is none.

        The document may already hold a later change of another caller.
        """
        if operators:
            return await self._modify({"_id": id}, self._update(set, operators))
        self._check(set or ())
        encoded = encode(set or {})
        if is_key(id) and (batched := self._batched(len(encoded))):
            document: T | None = await batched.update(id, encoded)
            return await self._find_one({"_id": id}) if document is UNBATCHED else document
        return await self._modify({"_id": id}, setting(encoded))

    @observed
    async def update_one(
        self,
        query: Query,
        set: Mapping[str, Any] | None = None,
        **operators: Unpack[Operators],
    ) -> T | None:
        """Update one document that matches, and return it; None if there is none.

        The query, the change and the answer are one step: no other change comes between them.
        """
        return await self._modify(query, self._update(set, operators))

    @observed
    async def upsert(
        self,
        query: Query,
        set: Mapping[str, Any] | None = None,
        **operators: Unpack[UpsertOperators],
    ) -> T:
        """Update one document that matches, or insert one, and return it.

        A new document has the fields that `query` compares too. `set_on_insert` is for a new
        document only. If `query` is a value of a unique field, two callers make one document.
        """
        update = self._update(set, operators)
        modify = self._commands().find_and_modify
        document: T = await modify(encode(query), update, decode_found, upsert=True)
        return document

    @observed
    async def update(
        self,
        query: Query,
        set: Mapping[str, Any] | None = None,
        **operators: Unpack[Operators],
    ) -> int:
        """Update all documents that match, and return their number."""
        return await self._commands().update_many(encode(query), self._update(set, operators))

    @observed
    async def delete_by_id(self, id: DocumentId) -> bool:
        """Return whether there was such a document; of several callers, one gets True."""
        return await self._commands().delete(encode({"_id": id}), many=False) == 1

    @observed
    async def delete(self, query: Query) -> int:
        """Delete all documents that match, and return their number."""
        return await self._commands().delete(encode(query), many=True)

    def _update(self, set: Mapping[str, Any] | None, operators: Mapping[str, Any]) -> bytes:
        self._check(set or (), *operators.values())
        return update_of(set, operators)

    async def _modify(self, query: Query, update: bytes) -> T | None:
        modify = self._commands().find_and_modify
        document: T | None = await modify(encode(query), update, decode_found)
        return document
