"""The journal: one document with the migrations that are applied, and with the lock.

One document holds all, so one find reads it. A write of the journal checks the lock in the same
step. MongoDB's clock alone decides when a lock expires.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Self

import pymongo

from ..mongo.driver import Database, Document
from ..mongo.operation import guard
from .folder import Migration

COLLECTION = "migrations"
_ID = {"_id": "journal"}
_FREE = {"$or": [{"lock": None}, {"$expr": {"$lte": ["$lock.expires_at", "$$NOW"]}}]}
_SECONDS = 10


class Applied(NamedTuple):
    """An entry: a migration, when it was applied, and how many seconds that took."""

    number: int
    name: str
    checksum: str
    applied_at: datetime
    seconds: float


class State(NamedTuple):
    """The entries by number, and the process that holds the lock now, "" if there is none."""

    applied: dict[int, Applied]
    holder: str

    @classmethod
    def of(cls, document: Document | None) -> Self:
        found = document or {}
        applied = found.get("applied", ())
        entries = [Applied(*(entry[name] for name in Applied._fields)) for entry in applied]
        lock = found.get("lock") or {}
        return cls({entry.number: entry for entry in entries}, lock.get("holder", ""))


async def read_state(database: Database) -> State:
    """Return the state by a single find."""
    return State.of(await _done(lambda: database.own[COLLECTION].find_one(_ID)))


class Journal:
    """The journal of a database, for the process with this `token`; `holder` names the process.

    Each write but `lock` changes nothing, and returns False, once another process has the lock.
    """

    def __init__(self, database: Database, token: str, holder: str) -> None:
        self._database = database
        self._token = token
        self._holder = holder

    async def lock(self, seconds: float) -> State | None:
        """Take the lock if it is free or expired, and return the state; else None."""
        collection = self._database.own[COLLECTION]
        exists: Document = {"$setOnInsert": {"applied": [], "lock": None}}
        await _done(lambda: collection.update_one(_ID, exists, upsert=True))
        lock = {"token": self._token, "holder": self._holder}
        change = {"lock": {"$literal": lock}}, {"lock.expires_at": _after(seconds)}
        update = collection.find_one_and_update
        taken = await _done(lambda: update({**_ID, **_FREE}, _sets(*change)))
        return State.of(taken) if taken else None

    async def renew(self, seconds: float) -> bool:
        return await self._write(_sets({"lock.expires_at": _after(seconds)}))

    async def release(self) -> bool:
        return await self._write({"$set": {"lock": None}})

    async def add(self, migration: Migration, seconds: float) -> bool:
        entry = {**migration._asdict(), "seconds": round(seconds, 3)}
        added = {"$mergeObjects": [{"$literal": entry}, {"applied_at": "$$NOW"}]}
        return await self._write(_sets({"applied": {"$concatArrays": ["$applied", [added]]}}))

    async def remove(self, migration: Migration) -> bool:
        return await self._write({"$pull": {"applied": {"number": migration.number}}})

    async def _write(self, change: Document | list[Document]) -> bool:
        query = {**_ID, "lock.token": self._token}
        write = self._database.own[COLLECTION].update_one
        result = await _done(lambda: write(query, change))
        return bool(result.matched_count)


async def _done(operation: Callable[[], Awaitable[Any]]) -> Any:
    """Return what an operation gives. Raises the errors of `guard` after some seconds."""
    with pymongo.timeout(_SECONDS):
        return await guard(operation, _SECONDS)


def _sets(*changes: Document) -> list[Document]:
    return [{"$set": change} for change in changes]


def _after(seconds: float) -> dict[str, Sequence[Any]]:
    return {"$add": ["$$NOW", int(seconds * 1000)]}
