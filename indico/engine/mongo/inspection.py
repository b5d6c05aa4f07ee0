"""What a MongoDB says of itself, for the doctor; nothing is made or changed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from .collection import Collection
from .connection import explained, opened
from .driver import APPLICATION_NAME, Database, Document, Driver
from .operation import guard

# Not that of a server: one that stops takes the embedded MongoDB down only if no other is there.
_APPLICATION_NAME = f"{APPLICATION_NAME}-doctor"
# With different ones of these, indexes on the same keys stand side by side.
_DISTINGUISH = ("unique", "sparse", "partialFilterExpression", "wildcardProjection")

# Refusals: there is no such collection yet; a user without the right, a standalone server.
_ABSENT = (26,)
_UNTOLD = (13, 51300)
# What holds for any locale.
_COLLATION = {"strength": 3, "caseLevel": False, "numericOrdering": False}


@dataclass(frozen=True)
class Facts:
    """`clock_ahead_seconds`: by how much MongoDB's clock is ahead of ours, at least.

    `default_write_concern` is None where MongoDB does not tell. `missing` and `conflicting` name
    indexes; the latter are those that keep a server from starting.
    """

    version: str
    hello: Document
    clock_ahead_seconds: float
    write_concern: Document
    read_preference: str
    default_write_concern: Document | None
    missing: tuple[str, ...]
    conflicting: tuple[str, ...]


async def inspect(uri: str, database: str, driver: Driver, timeout_seconds: float) -> Facts:
    """Raises `StartError` if MongoDB can't be reached or refuses us."""
    asked = opened(uri, database, driver, timeout_seconds, 0, _APPLICATION_NAME)
    try:
        async with explained(asked):
            return await _facts(asked)
    finally:
        await asked.close()


async def _facts(asked: Database) -> Facts:
    await _ask(asked, "ping")  # the connection is made before the clocks are compared
    before = datetime.now(UTC)
    hello = await _ask(asked, "hello")
    after = datetime.now(UTC)
    build, default, *lists = await asyncio.gather(
        _ask(asked, "buildInfo"),
        _ask(asked, "getDefaultRWConcern", of=asked.client.admin, allowed=_UNTOLD),
        *(_ask(asked, "listIndexes", made.name, allowed=_ABSENT) for made in Collection.declared),
    )
    existing = [reply.get("cursor", {}).get("firstBatch", []) for reply in lists]
    missing, conflicting = compare(list(zip(Collection.declared, existing, strict=True)))
    return Facts(
        version=build["version"],
        hello=hello,
        clock_ahead_seconds=ahead(hello["localTime"].replace(tzinfo=UTC), before, after),
        write_concern=asked.write_concern.document,
        read_preference=asked.read_preference.mongos_mode,
        default_write_concern=default.get("defaultWriteConcern"),
        missing=missing,
        conflicting=conflicting,
    )


async def _ask(
    asked: Database,
    command: str,
    value: Any = 1,
    of: Any = None,
    allowed: Sequence[str | int] = (),
) -> Document:
    """The reply; one with a code that is `allowed` is a refusal."""
    ask = (asked if of is None else of).command
    return await guard(lambda: ask(command, value, allowable_errors=allowed), asked.timeout_seconds)


def ahead(theirs: datetime, before: datetime, after: datetime) -> float:
    """Seconds from [before, after], between which `theirs` was read, to `theirs`."""
    if theirs > after:
        return (theirs - after).total_seconds()
    return min((theirs - before).total_seconds(), 0)


def compare(
    indexes: Sequence[tuple[Collection, Sequence[Document]]],
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Of each collection's declared indexes: those that its existing ones lack, and conflict with.

    A conflict is what makes MongoDB refuse to make the declared one.
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
    """Whether MongoDB keeps one of both only."""
    return declared["name"] == found["name"] or _alike(declared, found)


def _same(declared: Document, found: Document) -> bool:
    said = [(index["name"], index.get("expireAfterSeconds")) for index in (declared, found)]
    return _alike(declared, found) and said[0] == said[1]


def _alike(declared: Document, found: Document) -> bool:
    """Whether they are one index to MongoDB: a collection has one of text at most."""
    if "text" in declared["key"].values():
        return "_fts" in found["key"]
    return (
        list(declared["key"].items()) == list(found["key"].items())
        and all((declared.get(name) or None) == found.get(name) for name in _DISTINGUISH)
        and _alike_collations(declared.get("collation", {}), found.get("collation"))
    )


def _alike_collations(declared: Document, found: Document | None) -> bool:
    """MongoDB fills in what is not declared, and stores none for the simple one."""
    if found is None:
        return bool(declared.get("locale", "simple") == "simple")
    wanted = _COLLATION | declared
    return bool(declared) and all(found.get(name) == wanted[name] for name in wanted)
