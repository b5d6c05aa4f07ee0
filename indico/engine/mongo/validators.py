"""The validators of the declared collections: they are put on at the start."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from typing_extensions import is_typeddict

from ..error import ServerError
from ..log import LOGGER
from .bson_types import OPTIONS
from .collection import Collection
from .document_schema import document_schema
from .driver import Database, Document
from .operation import guard

Validation = Literal["error", "warn", "off"]

__all__ = ["Validation", "put_validators", "validator_of"]

_EXISTS = 48  # the code of a refusal: another process has made the collection
_NO_RIGHT = (
    "document_validation has no effect on %s, because the user in mongodb_uri may not change its "
    "validator: grant the user the role dbAdmin of this database."
)
_NONE = {"validator": {}, "validationLevel": "strict", "validationAction": "error"}


def validator_of(collection: Collection[Any]) -> Document | None:
    """Return the validator of a collection with a model. Raises `TypeError` for a wrong model."""
    if not is_typeddict(collection.model):
        return None
    return {"$jsonSchema": document_schema(collection.name, collection.model)}


async def put_validators(
    collections: Sequence[Collection[Any]], database: Database, validation: Validation
) -> None:
    """Give each collection with a model its validator, unless it has the same one already.

    A user with MongoDB's role `readWrite` may give one to a new collection only. So without the
    right, servers that ran before there were validators still start, with a warning in the log.
    """
    wanted = {
        collection.name: _options(validator, validation)
        for collection in collections
        if (validator := validator_of(collection))
    }
    present = await _present(list(wanted), database)
    for name, options in wanted.items():  # together they would need a connection each
        if _NONE | present.get(name, {}) != options:
            await _put(name, options, name in present, database)


def _options(validator: Document, validation: Validation) -> Document:
    if validation == "off":
        return _NONE
    # `moderate` lets code change a document that was wrong before, so that a login still works.
    return {"validator": validator, "validationLevel": "moderate", "validationAction": validation}


async def _present(names: list[str], database: Database) -> dict[str, Document]:
    """Return the options of each collection that exists."""
    command = {
        "listCollections": 1,
        "filter": {"name": {"$in": names}},
        "cursor": {"batchSize": len(names) + 1},
    }

    async def ask() -> Document:
        reply: Document = await database.own.command(command, codec_options=OPTIONS)
        return reply

    reply = await guard(ask, database.timeout_seconds)
    return {
        found["name"]: {name: found["options"][name] for name in _NONE if name in found["options"]}
        for found in reply["cursor"]["firstBatch"]
    }


async def _put(name: str, options: Document, exists: bool, database: Database) -> None:
    async def run(command: str, **arguments: Any) -> Document:
        ask = database.own.command
        reply: Document = await guard(
            lambda: ask(command, name, **arguments, **options), database.timeout_seconds
        )
        return reply

    if not exists:
        reply = await run("create", allowable_errors=[_EXISTS])
        exists = not reply["ok"]
    if exists:
        try:
            await run("collMod")
        except ServerError as error:
            if "Unauthorized" not in error.message:
                raise
            LOGGER.warning(_NO_RIGHT, name)
