"""The operations of a collection by the driver."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from bson.raw_bson import RawBSONDocument
from pymongo import InsertOne, ReturnDocument, UpdateOne
from pymongo.errors import BulkWriteError

from .attempt import Attempt, awaited
from .bson_types import OPTIONS
from .documents import documents_of
from .driver import Key, mongodb
from .operation import guard
from .replies import concern_error, write_error

T = TypeVar("T")
Errors = list[Exception | None]  # of the statements of a write, in their order

__all__ = ["DriverCommands", "Errors", "Find", "write_all"]


class Find(NamedTuple):
    """A find with a `query` in BSON; `limit` 0 is for all documents.

    `fields` are those that the documents have. A `part` is what fits into one reply.
    """

    query: bytes
    limit: int = 0
    sort: Sequence[tuple[str, Any]] = ()
    fields: Mapping[str, Any] | None = None
    part: bool = False


class DriverCommands:
    """The commands of the collection `name`, as `LaneCommands` has them, also in a transaction."""

    def __init__(self, name: str, attempt: Attempt | None = None) -> None:
        self._name = name
        self._run = attempt.run if attempt else guard
        self._session = attempt and attempt.session

    def find_keys(
        self, field: str, keys: Sequence[Key], read: Callable[[list[bytes], bool], T]
    ) -> Awaitable[T]:
        async def found() -> T:
            if len(keys) == 1:
                one = await self._collection.find_one({field: keys[0]})
                return read([] if one is None else [one.raw], True)
            cursor = self._collection.find_raw_batches({field: {"$in": keys}})
            return read(list(documents_of(await cursor.to_list(None))), True)

        return self._run(found)

    def find(self, wanted: Find, read: Callable[[list[bytes]], T]) -> Awaitable[T]:
        options: dict[str, Any] = {"sort": list(wanted.sort) or None, "limit": wanted.limit}
        if wanted.part:  # a negative limit leaves no cursor open
            options |= {"limit": -wanted.limit, "batch_size": wanted.limit}

        async def found() -> T:
            query = RawBSONDocument(wanted.query)
            cursor = self._collection.find_raw_batches(
                query, wanted.fields, session=self._session, **options
            )
            return read(list(documents_of(await cursor.to_list(None))))

        return self._run(found)

    def count(self, query: bytes) -> Awaitable[int]:
        return self._run(
            lambda: self._collection.count_documents(RawBSONDocument(query), session=self._session)
        )

    def distinct(self, field: str, query: bytes) -> Awaitable[list[Any]]:
        async def found() -> list[Any]:
            collection = self._collection.with_options(codec_options=OPTIONS)
            values: list[Any] = await collection.distinct(
                field, RawBSONDocument(query), session=self._session
            )
            return values

        return self._run(found)

    def aggregate(
        self, pipeline: Sequence[Mapping[str, Any]], read: Callable[[list[bytes]], T]
    ) -> Awaitable[T]:
        async def found() -> T:
            cursor = self._collection.aggregate(pipeline, session=self._session)
            opened = await awaited(cursor)
            return read([document.raw for document in await opened.to_list(None)])

        return self._run(found)

    def insert(self, documents: Sequence[bytes]) -> Awaitable[Errors]:
        async def inserted() -> Errors:
            if len(documents) == 1:
                await self._collection.insert_one(
                    RawBSONDocument(documents[0]), session=self._session
                )
                return [None]
            inserts = [InsertOne(RawBSONDocument(document)) for document in documents]
            return (await write_all(self._collection, inserts))[1]

        return self._run(inserted)

    def update(self, updates: Sequence[tuple[Key, bytes]]) -> Awaitable[tuple[int, Errors]]:
        statements = [
            UpdateOne({"_id": key}, {"$set": RawBSONDocument(changes)}) for key, changes in updates
        ]
        return self._run(lambda: write_all(self._collection, statements))

    def find_and_modify(
        self, query: bytes, update: bytes, read: Callable[[bytes | None], T], upsert: bool = False
    ) -> Awaitable[T]:
        async def modified() -> T:
            found = await self._collection.find_one_and_update(
                RawBSONDocument(query),
                RawBSONDocument(update),
                upsert=upsert,
                return_document=ReturnDocument.AFTER,
                session=self._session,
            )
            return read(None if found is None else found.raw)

        return self._run(modified)

    def update_many(self, query: bytes, update: bytes) -> Awaitable[int]:
        async def updated() -> int:
            write = self._collection.update_many
            result = await write(
                RawBSONDocument(query), RawBSONDocument(update), session=self._session
            )
            count: int = result.matched_count
            return count

        return self._run(updated)

    def delete(self, query: bytes, many: bool) -> Awaitable[int]:
        async def deleted() -> int:
            delete = self._collection.delete_many if many else self._collection.delete_one
            count: int = (await delete(RawBSONDocument(query), session=self._session)).deleted_count
            return count

        return self._run(deleted)

    @property
    def _collection(self) -> Any:
        return mongodb.raw(self._name)


async def write_all(collection: Any, statements: list[Any]) -> tuple[int, Errors]:
    """Return how many updates found their document, and the error of each statement."""
    errors: Errors = [None] * len(statements)
    try:
        result = await collection.bulk_write(statements, ordered=False)
    except BulkWriteError as error:
        details: Mapping[str, Any] = error.details
        if concerns := details["writeConcernErrors"]:
            errors = [concern_error(concerns[0])] * len(statements)
        for problem in details["writeErrors"]:
            errors[problem["index"]] = write_error(problem)
        return details["nMatched"], errors
    return result.matched_count, errors
