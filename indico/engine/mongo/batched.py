"""The operations of one collection that go out in batches."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import bson
from bson.int64 import Int64
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
from .batches import MAX_BYTES, Batches, deadline
from .driver import Document, Key, ObjectId, mongodb

__all__ = ["UNBATCHED", "Batched", "decode", "documents_of", "encode", "is_key"]

# An answer: the operation has to be made unbatched.
UNBATCHED: Any = object()
# An answer to an update: it was made, and the document is still to be read.
_MATCHED: Any = object()

_KEY_TYPES = {ObjectId, bytes, str, int, Int64}
_DUPLICATE_KEY_CODES = {11000, 11001, 12582}
_WRITE_CONCERN_TIMEOUT = 64


class Batched:
    """The batches of the collection `name` in the database that is open.

    Keys are such as `is_key` takes, documents such as `encode` made.
    """

    def __init__(self, name: str) -> None:
        self._collection = mongodb[name]
        self._finds: dict[str, Batches[Key]] = {}
        self._inserts = Batches(self._insert)
        self._updates = Batches(self._update)
        self._document_bytes = 1000  # about: the mean of the batch that was found last

    async def find(self, field: str, key: Key, until: float | None = None) -> Document | None:
        """The document whose `field`, which is unique, is `key`; may be `UNBATCHED`."""
        finds = self._finds.get(field)
        if finds is None:
            finds = self._finds[field] = Batches(partial(self._find, field))
        size = self._document_bytes + (len(key) if isinstance(key, bytes | str) else 0)
        found: Document | None = await finds.call(key, size, until or deadline())
        return found

    async def insert(self, document: bytes) -> None:
        await self._inserts.call(document, len(document), deadline())

    async def update(self, id: Key, changes: bytes) -> Document | None:
        """The document after `changes`, as a read right after them finds it; may be `UNBATCHED`."""
        until = deadline()
        updated: Document | None = await self._updates.call((id, changes), len(changes), until)
        return await self.find("_id", id, until) if updated is _MATCHED else updated

    async def _find(self, field: str, keys: list[Key]) -> Sequence[Document | None]:
        if len(keys) == 1:
            return [await self._collection.find_one({field: keys[0]})]
        wanted = set(keys)
        cursor = self._collection.find_raw_batches({field: {"$in": list(wanted)}})
        replies = await cursor.to_list(None)
        found: dict[Any, tuple[bytes, Document]] = {}
        missing = None
        for raw in documents_of(replies):
            try:
                document = decode(raw)
            except Exception:  # a date beyond the year 9999, say
                missing = UNBATCHED
                continue
            key = document.get(field)
            if is_key(key) and key in wanted:
                found.setdefault(key, (raw, document))
            else:  # the same to MongoDB, not to Python: 1.0 for 1, or an array that holds it
                missing = UNBATCHED
        if found:
            self._document_bytes = sum(map(len, replies)) // len(found)
        if len(wanted) == len(keys):
            return [found[key][1] if key in found else missing for key in keys]
        # Nobody gets an object that another one has.
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
            return [await update(*updates[0], return_document=ReturnDocument.AFTER)]
        matched, errors = await self._write([UpdateOne(*update) for update in updates])
        if matched == 0:
            return errors
        if matched == errors.count(None):
            return [error or _MATCHED for error in errors]
        return await self._tell_apart(requests, errors, matched)

    async def _tell_apart(
        self, requests: list[tuple[Key, bytes]], errors: list[Exception | None], matched: int
    ) -> Sequence[Any]:
        """The documents of the updates that found one; MongoDB says only how many they were."""
        made = [request for request, error in zip(requests, errors, strict=True) if not error]
        documents: list[Any] = await asyncio.gather(*(self.find("_id", key) for key, _ in made))
        inserted = len(made) - matched - documents.count(None)
        if inserted > 0:  # since then; those are without the changes, unless others are as well
            pairs = zip(documents, made, strict=True)
            held = [self._holds(document, changes) for document, (_, changes) in pairs]
            late = None if held.count(False) == inserted else Unavailable()
            documents = [d if holds else late for d, holds in zip(documents, held, strict=True)]
        answers = iter(documents)
        return [error or next(answers) for error in errors]

    async def _write(self, operations: list[Any]) -> tuple[int, list[Exception | None]]:
        """How many updates found their document, and the error of each operation."""
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

    def _holds(self, document: Document | None, changes: bytes) -> bool:
        """Whether `document` is as it would be right after `changes`, or is none."""
        if document is None or document is UNBATCHED:
            return document is None
        return all(document.get(name) == value for name, value in decode(changes).items())


def is_key(value: Any) -> bool:
    """Whether Python and MongoDB mean the same by `value`, and MongoDB can hold it."""
    if type(value) not in _KEY_TYPES:
        return False
    if isinstance(value, str):
        return value.isascii() or encode({"": value}) is not None
    return not isinstance(value, int) or -(2**63) <= value < 2**63


def encode(document: Mapping[str, Any]) -> bytes | None:
    """`document` as BSON; None if the plain operation has to say what is wrong with it."""
    try:
        encoded = bson.encode(document, codec_options=mongodb.codec_options)
    except Exception:
        return None
    return encoded if len(encoded) <= MAX_BYTES else None


def decode(document: bytes) -> Document:
    return bson.decode(document, mongodb.codec_options)


def documents_of(replies: list[bytes]) -> Iterator[bytes]:
    """Each document of replies of a cursor; its first four bytes are its length."""
    for reply in replies:
        start = 0
        while start < len(reply):
            end = start + int.from_bytes(reply[start : start + 4], "little")
            yield reply[start:end]
            start = end


def _write_error(problem: Mapping[str, Any]) -> Exception:
    """What the operation would have raised alone."""
    kind = DuplicateKeyError if problem["code"] in _DUPLICATE_KEY_CODES else WriteError
    return kind(problem["errmsg"], problem["code"], problem)


def _write_concern_error(problem: Mapping[str, Any]) -> Exception:
    kind = WTimeoutError if problem["code"] == _WRITE_CONCERN_TIMEOUT else OperationFailure
    return kind(problem["errmsg"], problem["code"], problem)
