"""The operations of one collection that go out in batches."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from bson.raw_bson import RawBSONDocument
from pymongo import InsertOne, ReturnDocument, UpdateOne
from pymongo.errors import (
    BulkWriteError,
    DuplicateKeyError,
    OperationFailure,
    WriteError,
    WTimeoutError,
)

from ..error import Unavailable
from .batches import Batches, deadline
from .documents import decode, decode_found, documents_of, is_key
from .driver import Document, Key, mongodb

__all__ = ["UNBATCHED", "Batched"]

# An answer to a find: only a find outside a batch can tell.
UNBATCHED: Any = object()
# An answer to an update: it is made, and the document is still to be read.
_MATCHED: Any = object()

_DUPLICATE_KEY_CODES = {11000, 11001, 12582}
_WRITE_CONCERN_TIMEOUT = 64


class Batched:
    """The batches of the collection `name` in the open database.

    Every key must pass `documents.is_key`, and documents are encoded by `documents.encode`.
    """

    def __init__(self, name: str) -> None:
        self._collection = mongodb.raw(name)
        self._finds: dict[str, Batches[Key]] = {}
        self._inserts = Batches(self._insert)
        self._updates = Batches(self._update)
        self._document_bytes = 1000  # an estimate: the mean of the last batch that was found

    async def find(self, field: str, key: Key, until: float | None = None) -> Document | None:
        """Return the document whose unique `field` is `key`, None or `UNBATCHED`."""
        finds = self._finds.get(field)
        if finds is None:
            finds = self._finds[field] = Batches(partial(self._find, field))
        size = self._document_bytes + (len(key) if isinstance(key, bytes | str) else 0)
        found: Document | None = await finds.call(key, size, until or deadline())
        return found

    async def insert(self, document: bytes) -> None:
        await self._inserts.call(document, len(document), deadline())

    async def update(self, id: Key, changes: bytes) -> Document | None:
        """Return the document as a read right after `changes` finds it, None or `UNBATCHED`."""
        until = deadline()
        updated: Document | None = await self._updates.call((id, changes), len(changes), until)
        return await self.find("_id", id, until) if updated is _MATCHED else updated

    def delay(self, now: float) -> float:
        """Return the longest delay of all kinds of batches."""
        kinds: list[Batches[Any]] = [self._inserts, self._updates, *self._finds.values()]
        return max(batches.delay(now) for batches in kinds)

    async def _find(self, field: str, keys: list[Key]) -> Sequence[Document | None]:
        if len(keys) == 1:
            return [decode_found(await self._collection.find_one({field: keys[0]}))]
        wanted = set(keys)
        cursor = self._collection.find_raw_batches({field: {"$in": list(wanted)}})
        replies = await cursor.to_list(None)
        found: dict[Any, tuple[bytes, Document]] = {}
        missing = None
        for raw in documents_of(replies):
            try:
                document = decode(raw)
            except Exception:  # a date beyond the year 9999, for example
                missing = UNBATCHED
                continue
            key = document.get(field)
            if is_key(key) and key in wanted:
                found.setdefault(key, (raw, document))
            else:  # MongoDB finds 1.0 for 1, and an array that holds the key; Python does not
                missing = UNBATCHED
        if found:
            self._document_bytes = sum(map(len, replies)) // len(found)
        if len(wanted) == len(keys):
            return [found[key][1] if key in found else missing for key in keys]
        # Some callers want the same document: each gets an object of its own.
        return [decode(found[key][0]) if key in found else missing for key in keys]

    async def _insert(self, documents: list[bytes]) -> Sequence[Exception | None]:
        if len(documents) == 1:
            await self._collection.insert_one(RawBSONDocument(documents[0]))
            return [None]
        inserts = [InsertOne(RawBSONDocument(document)) for document in documents]
        return (await self._write(inserts))[1]

    async def _update(self, requests: list[tuple[Key, bytes]]) -> Sequence[Any]:
        updates = [({"_id": key}, {"$set": RawBSONDocument(changes)}) for key, changes in requests]
        if len(updates) == 1:
            update = self._collection.find_one_and_update
            updated = await update(*updates[0], return_document=ReturnDocument.AFTER)
            return [decode_found(updated)]
        matched, errors = await self._write([UpdateOne(*update) for update in updates])
        if matched == 0:
            return errors
        if matched == errors.count(None):
            return [error or _MATCHED for error in errors]
        return await self._tell_apart(requests, errors, matched)

    async def _tell_apart(
        self, requests: list[tuple[Key, bytes]], errors: list[Exception | None], matched: int
    ) -> Sequence[Any]:
        """Return what each update answers, when MongoDB only says how many found their document.

        A document that another process inserts after the update is found by the read, but does
        not hold the changes. If other documents lack their changes too, nothing is certain.
        """
        made = [request for request, error in zip(requests, errors, strict=True) if not error]
        documents: list[Any] = await asyncio.gather(*(self.find("_id", key) for key, _ in made))
        inserted = len(made) - matched - documents.count(None)
        if inserted > 0:
            pairs = zip(documents, made, strict=True)
            held = [_holds(document, changes) for document, (_, changes) in pairs]
            late = None if held.count(False) == inserted else Unavailable()
            documents = [d if holds else late for d, holds in zip(documents, held, strict=True)]
        answers = iter(documents)
        return [error or next(answers) for error in errors]

    async def _write(self, operations: list[Any]) -> tuple[int, list[Exception | None]]:
        """Return how many updates found their document, and the error of each operation."""
        errors: list[Exception | None] = [None] * len(operations)
        try:
            result = await self._collection.bulk_write(operations, ordered=False)
        except BulkWriteError as error:
            details: Mapping[str, Any] = error.details
            if concerns := details["writeConcernErrors"]:
                errors = [_write_concern_error(concerns[0])] * len(operations)
            for problem in details["writeErrors"]:
                errors[problem["index"]] = _write_error(problem)
            return details["nMatched"], errors
        return result.matched_count, errors


def _holds(document: Document | None, changes: bytes) -> bool:
    """Return whether `document` is None, or is as it would be right after `changes`."""
    if document is None or document is UNBATCHED:
        return document is None
    return all(document.get(name) == value for name, value in decode(changes).items())


def _write_error(problem: Mapping[str, Any]) -> Exception:
    """Return the error that the operation would have raised outside a batch."""
    kind = DuplicateKeyError if problem["code"] in _DUPLICATE_KEY_CODES else WriteError
    return kind(problem["errmsg"], problem["code"], problem)


def _write_concern_error(problem: Mapping[str, Any]) -> Exception:
    kind = WTimeoutError if problem["code"] == _WRITE_CONCERN_TIMEOUT else OperationFailure
    return kind(problem["errmsg"], problem["code"], problem)
