"""Upserts by a stage of a pipeline, which MongoDB evaluates: for counts that may be a little wrong.

The primary alone acknowledges them, and waits for no disk. After a network fault a command is sent
again without a session, so an upsert may be made twice. No transaction contains them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from typing import Any

from bson.raw_bson import RawBSONDocument
from pymongo import ReturnDocument, UpdateOne, WriteConcern
from pymongo.errors import OperationFailure

from .command import Command
from .driver import mongodb
from .driver_commands import Errors, write_all
from .lanes import Lanes
from .operation import guard, until
from .replies import changed, written
from .wire import document, element, one_stage

__all__ = ["Upserts", "open_upserts"]

_UPSERT = element("upsert", True)
_NEW = element("new", True)


class LaneUpserts:
    """The upserts of the collection `name` as commands on lanes."""

    def __init__(self, name: str, lanes: Lanes) -> None:
        self._lanes = lanes
        self._update = element("update", name) + element("ordered", False)
        self._modify = element("findAndModify", name)

    def each(self, upserts: Sequence[tuple[str, bytes]]) -> Awaitable[Errors]:
        """Upsert documents by `_id`, with a stage each; return the error of each."""
        statements = [
            document(element("q", {"_id": key}) + one_stage(b"u", stage) + _UPSERT)
            for key, stage in upserts
        ]
        return self._lanes.others.run(
            Command(
                self._update + self._lanes.hasty,
                lambda reply: written(reply).errors(len(upserts)),
                until(),
                arguments=(b"updates", statements),
                retry=self._lanes.retry_writes,
            )
        )

    def one(
        self, key: str, stage: bytes, fields: Mapping[str, Any], refused: int
    ) -> Awaitable[bytes | None]:
        """Upsert a document; return `fields` of it. Return None if MongoDB's error is `refused`."""

        def read(reply: bytes) -> bytes | None:
            try:
                return changed(reply)
            except OperationFailure as error:
                if error.code == refused:
                    return None
                raise

        elements = self._modify + element("query", {"_id": key}) + one_stage(b"update", stage)
        elements += _NEW + _UPSERT + element("fields", fields) + self._lanes.hasty
        command = Command(elements, read, until(), retry=self._lanes.retry_writes)
        return self._lanes.others.run(command)


class DriverUpserts:
    """The same upserts by the driver."""

    def __init__(self, name: str) -> None:
        self._name = name

    def each(self, upserts: Sequence[tuple[str, bytes]]) -> Awaitable[Errors]:
        statements = [
            UpdateOne({"_id": key}, [RawBSONDocument(stage)], upsert=True) for key, stage in upserts
        ]

        async def upserted() -> Errors:
            return (await write_all(self._collection, statements))[1]

        return guard(upserted)

    def one(
        self, key: str, stage: bytes, fields: Mapping[str, Any], refused: int
    ) -> Awaitable[bytes | None]:
        async def upserted() -> bytes | None:
            try:
                found = await self._collection.find_one_and_update(
                    {"_id": key},
                    [RawBSONDocument(stage)],
                    fields,
                    upsert=True,
                    return_document=ReturnDocument.AFTER,
                )
            except OperationFailure as error:
                if error.code == refused:
                    return None
                raise
            raw: bytes = found.raw
            return raw

        return guard(upserted)

    @property
    def _collection(self) -> Any:
        return mongodb.raw(self._name).with_options(write_concern=WriteConcern(1))


Upserts = LaneUpserts | DriverUpserts


def open_upserts(name: str) -> Upserts:
    """Return the upserts of a collection in the open database. Raises `Unavailable`."""
    mongodb.raw(name)  # raises if no database is open
    return LaneUpserts(name, mongodb.lanes) if mongodb.lanes else DriverUpserts(name)
