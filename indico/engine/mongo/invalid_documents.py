"""The stored documents that are unlike their model, for the doctor."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..error import Unavailable
from .collection import Collection
from .driver import Database
from .operation import guard
from .validators import validator_of

__all__ = ["InvalidDocuments", "invalid_documents"]

_SHOWN = 3


@dataclass(frozen=True)
class InvalidDocuments:
    """Documents of `collection` that its validator would refuse, with the first of their `ids`.

    `count` is None if MongoDB took too long to look at all documents.
    """

    collection: str
    count: int | None
    ids: Sequence[Any] = ()


async def invalid_documents(
    collections: Sequence[Collection[Any]], database: Database
) -> tuple[InvalidDocuments, ...]:
    """Return what is wrong in each collection that has a model; nothing for one that is right."""
    looks = [
        _look(collection.name, {"$nor": [validator]}, database)
        for collection in collections
        if (validator := validator_of(collection))
    ]
    return tuple(found for found in await asyncio.gather(*looks) if found.count != 0)


async def _look(name: str, query: Mapping[str, Any], database: Database) -> InvalidDocuments:
    collection = database.own[name]

    async def look() -> InvalidDocuments:
        first = await collection.find(query, {"_id": 1}, limit=_SHOWN).to_list(None)
        if not first:
            return InvalidDocuments(name, 0)
        count = await collection.count_documents(query)
        return InvalidDocuments(name, count, [found["_id"] for found in first])

    try:
        return await guard(look, database.timeout_seconds)
    except Unavailable:
        return InvalidDocuments(name, None)
