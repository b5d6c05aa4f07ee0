"""The validators of the declared collections: they are put on at the start."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from typing_extensions import is_typeddict

from .collection import Collection
from .collection_options import put_options
from .document_schema import document_schema
from .driver import Database, Document
from .pre_images import pre_images

Validation = Literal["error", "warn", "off"]

__all__ = ["Validation", "put_validators", "validator_of"]

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
    await put_options(wanted, _NONE, database, _NO_RIGHT, pre_images(collections))


def _options(validator: Document, validation: Validation) -> Document:
    if validation == "off":
        return _NONE
    # `moderate` lets code change a document that was wrong before, so that a login still works.
    return {"validator": validator, "validationLevel": "moderate", "validationAction": validation}
