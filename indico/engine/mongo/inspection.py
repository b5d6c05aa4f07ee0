"""Facts about a MongoDB, for the doctor; nothing is made or changed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from .collection import Collection
from .connection import closed_on_error, opened
from .driver import APPLICATION_NAME, Database, Document, Driver
from .invalid_documents import InvalidDocuments, invalid_documents
from .operation import guard

# A server's name would keep another server, when it stops, from stopping the embedded MongoDB.
_APPLICATION_NAME = f"{APPLICATION_NAME}-doctor"
# Indexes on the same keys may coexist if one of these options differs.
_DISTINGUISH = ("unique", "sparse", "partialFilterExpression", "wildcardProjection")

_NO_COLLECTION = (26,)  # codes of refusals
_NOT_TOLD = (13, 51300)  # the user lacks the right; the server is standalone
# The defaults of every locale.
_COLLATION = {"strength": 3, "caseLevel": False, "numericOrdering": False}


@dataclass(frozen=True)
class Facts:
    """Facts about a MongoDB, and about the indexes and documents of the declared collections.

    `clock_ahead_seconds` is a lower bound, negative if MongoDB's clock is behind.
    `default_write_concern` is None where MongoDB does not tell. `missing` and `conflicting` are
    names of indexes; a conflicting one keeps a server from starting.
    """

    version: str
    hello: Document
    clock_ahead_seconds: float
    write_concern: Document
    read_preference: str
    default_write_concern: Document | None
    missing: tuple[str, ...]
    conflicting: tuple[str, ...]
    invalid: tuple[InvalidDocuments, ...]


async def inspect(uri: str, database: str, driver: Driver, timeout_seconds: float) -> Facts:
    """Return the facts. Raises `StartError` if MongoDB does not answer or refuses."""
    asked = opened(uri, database, driver, timeout_seconds, 0, _APPLICATION_NAME)
    try:
        async with closed_on_error(asked):
            return await _facts(asked)
    finally:
        await asked.close()


async def _facts(asked: Database) -> Facts:
    await _ask(asked, "ping")  # the connection is made before the clocks are compared
    before = datetime.now(UTC)
    hello = await _ask(asked, "hello")
    after = datetime.now(UTC)
    made = Collection.declared
    build, default, *lists = await asyncio.gather(
        _ask(asked, "buildInfo"),
        _ask(asked, "getDefaultRWConcern", of=asked.client.admin, allowed=_NOT_TOLD),
        *(
            _ask(asked, "listIndexes", made.name, allowed=_NO_COLLECTION)
            for made in Collection.declared
        ),
    )
    existing = [reply.get("cursor", {}).get("firstBatch", []) for reply in lists]
    missing, conflicting = compare(list(zip(made, existing, strict=True)))
    return Facts(
        version=build["version"],
        hello=hello,
        clock_ahead_seconds=ahead(hello["localTime"].replace(tzinfo=UTC), before, after),
        write_concern=asked.write_concern.document,
        read_preference=asked.read_preference.mongos_mode,
        default_write_concern=default.get("defaultWriteConcern"),
        missing=missing,
        conflicting=conflicting,
        invalid=await invalid_documents(made, asked),
    )


async def _ask(
    asked: Database,
    command: str,
    value: Any = 1,
    of: Any = None,
    allowed: Sequence[str | int] = (),
) -> Document:
    """Return the reply; a refusal with an `allowed` code is returned too."""
    ask = (asked if of is None else of).command
    return await guard(lambda: ask(command, value, allowable_errors=allowed), asked.timeout_seconds)


def ahead(remote: datetime, before: datetime, after: datetime) -> float:
    """Return the least seconds by which a clock is ahead that told `remote` in [before, after]."""
    if remote > after:
        return (remote - after).total_seconds()
    return min((remote - before).total_seconds(), 0)


def compare(
    indexes: Sequence[tuple[Collection[Any], Sequence[Document]]],
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names of the declared indexes that are missing, and of those that conflict.

    `indexes` has the existing ones of each collection. MongoDB refuses to make a conflicting one.
    """
    missing, conflicting = [], []
    for collection, existing in indexes:
        for declared in (index.document for index in collection.indexes):
            others = [found for found in existing if _collide(declared, found)]
            if not others:
                missing.append(f"{collection.name}.{declared['name']}")
            elif not any(_same(declared, found) for found in others):
                conflicting.append(f"{collection.name}.{declared['name']}")
    return tuple(missing), tuple(conflicting)


def _collide(declared: Document, found: Document) -> bool:
    """Return whether MongoDB keeps only one of both."""
    return declared["name"] == found["name"] or _alike(declared, found)


def _same(declared: Document, found: Document) -> bool:
    options = [(index["name"], index.get("expireAfterSeconds")) for index in (declared, found)]
    return _alike(declared, found) and options[0] == options[1]


def _alike(declared: Document, found: Document) -> bool:
    """Return whether both are one index to MongoDB. A collection has at most one text index."""
    if "text" in declared["key"].values():
        return "_fts" in found["key"]
    return (
        list(declared["key"].items()) == list(found["key"].items())
        and all((declared.get(name) or None) == found.get(name) for name in _DISTINGUISH)
        and _alike_collations(declared.get("collation", {}), found.get("collation"))
    )


def _alike_collations(declared: Document, found: Document | None) -> bool:
    """Compare what MongoDB stores: all defaults, and nothing for the simple collation."""
    if found is None:
        return bool(declared.get("locale", "simple") == "simple")
    wanted = _COLLATION | declared
    return bool(declared) and all(found.get(name) == wanted[name] for name in wanted)
