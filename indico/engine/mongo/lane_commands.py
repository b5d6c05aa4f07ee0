"""The operations of a collection as commands on lanes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from bson.raw_bson import RawBSONDocument

from .command import Command
from .documents import decode
from .driver import Key
from .driver_commands import DriverCommands, Errors, Find
from .lanes import Lanes
from .operation import until
from .replies import changed, first_batch, only, plain, values, written
from .update import setting
from .wire import document, element, embedded, int32

T = TypeVar("T")

__all__ = ["LaneCommands"]

_MAX_LIMIT = 2**31 - 1  # a larger one, none and a negative one are the driver's business
_ONE = int32(b"limit", 1) + element("singleBatch", True)
_UNORDERED = element("ordered", False)
_NEW = element("new", True)
_COUNT = {"$group": {"_id": None, "n": {"$sum": 1}}}
_UPSERT = element("upsert", True)


class _More(Exception):
    """A `find` whose documents do not fit into one reply; `cursor` has the others."""

    def __init__(self, cursor: int) -> None:
        self.cursor = cursor


class LaneCommands:
    """The commands of the collection `name`; what does not fit into one goes by the driver."""

    def __init__(self, name: str, lanes: Lanes) -> None:
        self._name = name
        self._lanes = lanes
        self._driver = DriverCommands(name)
        self._find, self._insert, self._update, self._modify, self._delete = (
            element(command, name)
            for command in ("find", "insert", "update", "findAndModify", "delete")
        )
        self._aggregate, self._distinct = element("aggregate", name), element("distinct", name)

    def find_keys(
        self, field: str, keys: Sequence[Key], read: Callable[[list[bytes], bool], T]
    ) -> Awaitable[T]:
        """Return what `read` makes of the documents; it learns, too, whether these are all."""
        one = len(keys) == 1
        query = {field: keys[0] if one else {"$in": keys}}
        bounds = _ONE if one else int32(b"batchSize", len(keys) + 1)
        elements = self._find + element("filter", query) + bounds + self._lanes.read

        def found(reply: bytes) -> T:
            documents, cursor = first_batch(reply)
            if cursor:
                self._leave(cursor)
            return read(documents, not cursor)

        retry = self._lanes.retry_reads
        return self._lanes.reads.run(Command(elements, found, until(), retry=retry))

    async def find(self, wanted: Find, read: Callable[[list[bytes]], T]) -> T:
        """Return what `read` makes of the documents."""
        if not 0 < wanted.limit <= _MAX_LIMIT:
            return await self._driver.find(wanted, read)
        elements = self._find + embedded(b"filter", wanted.query)
        elements += int32(b"limit", wanted.limit) + int32(b"batchSize", wanted.limit)
        elements += element("singleBatch", wanted.part)
        if wanted.sort:
            elements += element("sort", dict(wanted.sort))
        if wanted.fields:
            elements += element("projection", wanted.fields)

        def found(reply: bytes) -> T:
            documents, cursor = first_batch(reply)
            if cursor:
                raise _More(cursor)
            return read(documents)

        try:
            return await self._read(elements, found)
        except _More as more:
            self._leave(more.cursor)
            return await self._driver.find(wanted, read)

    def count(self, query: bytes) -> Awaitable[int]:
        """Return the number of documents that match."""
        pipeline = [{"$match": RawBSONDocument(query)}, _COUNT]
        elements = self._aggregate + element("pipeline", pipeline) + element("cursor", {})

        def counted(reply: bytes) -> int:
            found = first_batch(reply).documents
            count: int = decode(found[0])["n"] if found else 0
            return count

        return self._read(elements, counted)

    def distinct(self, field: str, query: bytes) -> Awaitable[list[Any]]:
        """Return each value that `field` has in the documents that match."""
        elements = self._distinct + element("key", field) + embedded(b"query", query)
        return self._read(elements, values)

    def aggregate(
        self, pipeline: Sequence[Mapping[str, Any]], read: Callable[[list[bytes]], T]
    ) -> Awaitable[T]:
        return self._driver.aggregate(pipeline, read)

    def insert(self, documents: Sequence[bytes]) -> Awaitable[Errors]:
        """Return the error of each document, or None."""
        elements, arguments = self._insert + _UNORDERED, (b"documents", documents)
        return self._write(elements, lambda r: written(r).errors(len(documents)), arguments)

    def update(self, updates: Sequence[tuple[Key, bytes]]) -> Awaitable[tuple[int, Errors]]:
        """Set fields of documents by `_id`; return how many are there, and the error of each."""

        statements = [
            document(element("q", {"_id": key}) + embedded(b"u", setting(changes)))
            for key, changes in updates
        ]

        def updated(reply: bytes) -> tuple[int, Errors]:
            done = written(reply)
            return done.number, done.errors(len(updates))

        return self._write(self._update + _UNORDERED, updated, (b"updates", statements))

    def find_and_modify(
        self, query: bytes, update: bytes, read: Callable[[bytes | None], T], upsert: bool = False
    ) -> Awaitable[T]:
        """Update one document; return what `read` makes of the document, or of None."""
        elements = self._modify + embedded(b"query", query) + embedded(b"update", update) + _NEW
        elements += _UPSERT if upsert else b""
        return self._write(elements, lambda reply: read(changed(reply)))

    def update_many(self, query: bytes, update: bytes) -> Awaitable[int]:
        """Update all documents that match, and return their number."""
        statement = embedded(b"q", query) + embedded(b"u", update) + element("multi", True)
        arguments = (b"updates", [document(statement)])
        return self._write(self._update, only, arguments, repeatable=False)

    def delete(self, query: bytes, many: bool) -> Awaitable[int]:
        """Delete one or all documents that match, and return their number."""
        statement = document(embedded(b"q", query) + int32(b"limit", 0 if many else 1))
        return self._write(self._delete, only, (b"deletes", [statement]), repeatable=not many)

    def _read(self, elements: bytes, read: Callable[[bytes], T]) -> Awaitable[T]:
        retry = self._lanes.retry_reads
        command = Command(elements + self._lanes.read, read, until(), retry=retry)
        return self._lanes.others.run(command)

    def _write(
        self,
        elements: bytes,
        read: Callable[[bytes], T],
        arguments: tuple[bytes, Sequence[bytes]] | None = None,
        *,
        repeatable: bool = True,
    ) -> Awaitable[T]:
        retry = repeatable and self._lanes.retry_writes
        command = Command(
            elements + self._lanes.write,
            read,
            until(),
            arguments=arguments,
            retry=retry,
            session=self._lanes.sessions.take() if retry else None,
        )
        return self._lanes.others.run(command)

    def _leave(self, cursor: int) -> None:
        """End a cursor in MongoDB, whatever comes of it."""
        elements = element("killCursors", self._name) + element("cursors", [cursor])
        ending = self._lanes.others.run(Command(elements + self._lanes.plain, plain, until()))
        ending.add_done_callback(lambda ended: ended.exception())
