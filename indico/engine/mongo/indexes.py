"""The indexes that a collection declares: they are made at the start."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from pymongo.errors import DuplicateKeyError, PyMongoError

from ..error import APIError, StartError, short
from .collection import Collection
from .driver import Database, Document
from .operation import guard

_SHOWN = 3  # values in a message

__all__ = ["make_indexes"]


async def make_indexes(collection: Collection[Any], database: Database) -> None:
    """Make the indexes that don't exist yet.

    Raises `StartError` if stored documents contradict a unique index, or if it takes too long.
    """

    async def make() -> Mapping[str, Any] | None:
        try:
            await database.own[collection.name].create_indexes(list(collection.indexes))
        except DuplicateKeyError as error:
            return error.details
        except PyMongoError as error:
            if not error.timeout:
                raise
            raise StartError(
                f"The indexes of {collection.name} can't be made in mongodb_timeout_seconds, "
                f"{database.timeout_seconds:g} s. Let a migration make those of a large "
                "collection: docs/data.md."
            ) from None
        return None

    if collection.indexes and (refusal := await guard(make, database.timeout_seconds)):
        keys = [index.document["key"] for index in collection.indexes]
        index = collection.indexes[keys.index(refusal["keyPattern"])].document
        values = await _duplicates(collection, database, index)
        raise StartError(_message(collection, index, values or [[*refusal["keyValue"].values()]]))


async def _duplicates(
    collection: Collection[Any], database: Database, index: Document
) -> list[list[Any]]:
    """Return the first values of a unique index that several documents have; none if it fails."""
    fields = [f"${field}" for field in index["key"]]
    group = {"_id": fields, "first": {"$min": "$_id"}, "last": {"$max": "$_id"}}
    present = [{field: {"$exists": True}} for field in index["key"]]
    everything: Document = {"$or": present} if index.get("sparse") else {}
    pipeline = [
        {"$match": index.get("partialFilterExpression", everything)},
        *({"$unwind": {"path": path, "preserveNullAndEmptyArrays": True}} for path in fields),
        {"$group": group},
        {"$match": {"$expr": {"$ne": ["$first", "$last"]}}},
        {"$sort": {"_id": 1}},
        {"$limit": _SHOWN},
    ]
    options = {"collation": index.get("collation")}
    with suppress(APIError):  # such as a timeout
        work = database.aggregate(collection.name, pipeline, **options)
        return [found["_id"] for found in await guard(lambda: work, database.timeout_seconds)]
    return []


def _message(collection: Collection[Any], index: Document, values: list[list[Any]]) -> str:
    fields = ", ".join(index["key"])
    shown = "; ".join(short(", ".join(map(repr, value))) for value in values)
    return (
        f"The unique index {index['name']} of {collection.name} can't be made, because several "
        f"documents have the same {fields}: {shown}. Change or delete such documents, or declare "
        "the index without unique=True."
    )
