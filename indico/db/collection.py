"""What the helper modules are made of: operations on one collection, with our errors."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, ClassVar, TypeVar

from bson.errors import BSONError
from pymongo import IndexModel, ReturnDocument
from pymongo.errors import (
    ConnectionFailure,
    DuplicateKeyError,
    ExecutionTimeout,
    OperationFailure,
    PyMongoError,
    WTimeoutError,
)

from indico.db.driver import Database, ObjectId, mongodb
from indico.error import Conflict, IndicoError, ServerError, Unavailable

Document = dict[str, Any]
DocumentId = ObjectId | bytes | str | int
T = TypeVar("T")

# What the driver has beyond its own timeout to say what went wrong, before we give up.
GRACE_SECONDS = 0.5

__all__ = ["Collection", "Document", "DocumentId", "IndexModel", "guard"]


class Collection:
    """The collection `name`, with the indexes it needs; `connect()` makes them at the start.

    Every operation is bounded by the setting `mongodb_timeout_seconds`, and raises `Conflict`
    for a duplicate key, `Unavailable` while MongoDB can't answer, `ServerError` for the rest.

        NOTES = Collection("notes", IndexModel("user_id"))

        async def create(user_id, text):
            return await NOTES.insert({"user_id": user_id, "text": text})
    """

    declared: ClassVar[list[Collection]] = []

    def __init__(self, name: str, *indexes: IndexModel) -> None:
        self.name = name
        self.indexes = indexes
        Collection.declared.append(self)

    async def make_indexes(self, database: Database = mongodb) -> None:
        """Makes the indexes that don't exist yet."""
        if self.indexes:
            make = database[self.name].create_indexes
            await guard(lambda: make(list(self.indexes)), database.timeout_seconds)

    async def find_by_id(self, id: DocumentId) -> Document | None:
        return await self.find_one({"_id": id})

    async def find_one(self, query: Mapping[str, Any]) -> Document | None:
        found: Document | None = await guard(lambda: mongodb[self.name].find_one(query))
        return found

    async def find(
        self, query: Mapping[str, Any], *, sort: Sequence[tuple[str, int]] = (), limit: int = 0
    ) -> list[Document]:
        """All documents that match, or the first `limit` of them."""

        def find() -> Awaitable[list[Document]]:
            cursor = mongodb[self.name].find(query, sort=list(sort) or None, limit=limit)
            documents: Awaitable[list[Document]] = cursor.to_list(None)
            return documents

        return await guard(find)

    async def insert(self, document: Document) -> DocumentId:
        """The id of `document`, which gets an ObjectId as its `_id` if it has none."""
        result = await guard(lambda: mongodb[self.name].insert_one(document))
        inserted_id: DocumentId = result.inserted_id
        return inserted_id

    async def update_by_id(self, id: DocumentId, changes: Mapping[str, Any]) -> Document | None:
        """Sets the fields in `changes`; the document after it, None if there is none."""
        return await self.update_one({"_id": id}, changes)

    async def update_one(
        self, query: Mapping[str, Any], changes: Mapping[str, Any]
    ) -> Document | None:
        """Sets the fields in `changes` on one document that matches; the document after it."""
        updated: Document | None = await guard(
            lambda: mongodb[self.name].find_one_and_update(
                query, {"$set": changes}, return_document=ReturnDocument.AFTER
            )
        )
        return updated

    async def delete_by_id(self, id: DocumentId) -> bool:
        """True if there was such a document."""
        return await self.delete({"_id": id}) == 1

    async def delete(self, query: Mapping[str, Any]) -> int:
        """Deletes all documents that match; how many they were."""
        result = await guard(lambda: mongodb[self.name].delete_many(query))
        count: int = result.deleted_count
        return count


async def guard(operation: Callable[[], Awaitable[T]], timeout_seconds: float | None = None) -> T:
    """Runs one operation of the driver: bounded in time, its errors turned into ours.

    The driver's own timeout (`timeoutMS`) begins when the operation gets its turn; under load
    Motor's operations wait for a thread first, so the time is bounded here too. An operation
    that is given up is cancelled, but not waited for: PyMongo 4.20 hangs for good when one is
    cancelled at the moment at which its wait for a connection times out.
    """
    seconds = mongodb.timeout_seconds if timeout_seconds is None else timeout_seconds
    task = asyncio.ensure_future(operation())
    try:
        await asyncio.wait([task], timeout=seconds + GRACE_SECONDS)
        if not task.done():
            raise TimeoutError
        return task.result()
    except (PyMongoError, BSONError, TimeoutError) as error:
        ours = _ours(error)
        # What MongoDB says of an operation that it refuses may hold the document itself.
        raise ours from (error if isinstance(ours, Unavailable) else None)
    finally:
        if not task.done():
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
            task.cancel()


def _ours(error: Exception) -> IndicoError:
    if isinstance(error, DuplicateKeyError):
        return Conflict()
    if _is_transient(error):
        return Unavailable("The database is not available right now: try again later.")
    return ServerError(f"MongoDB refused an operation: {_without_documents(error)}.")


def _without_documents(error: Exception) -> str:
    """What the log may hold of `error`."""
    if isinstance(error, OperationFailure):
        details = error.details or {}
        return f"{details.get('codeName', error.code)}, {details.get('errmsg', 'no reason given')}"
    return type(error).__name__


def _is_transient(error: Exception) -> bool:
    """Whether the same operation may succeed later: no server, no primary, no time, no place."""
    if isinstance(error, TimeoutError | ConnectionFailure | ExecutionTimeout | WTimeoutError):
        return True
    return (isinstance(error, PyMongoError) and error.timeout) or (
        isinstance(error, OperationFailure) and error.has_error_label("RetryableWriteError")
    )
