"""The operators of an update by name, and the update in BSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from typing_extensions import TypedDict

from .documents import encode
from .wire import document, embedded

__all__ = ["Operators", "UpsertOperators", "setting", "update_of"]

Fields = Mapping[str, Any]


class Operators(TypedDict, total=False):
    """The operators of an update beside `$set`. Each names fields of the document.

    `push` and `add_to_set` take one value for an array. `pull` takes the value that leaves an
    array, or a condition for the values that do.
    """

    unset: Sequence[str]
    inc: Fields
    push: Fields
    pull: Fields
    add_to_set: Fields


class UpsertOperators(Operators, total=False):
    """The operators of an upsert: `set_on_insert` is for a new document only."""

    set_on_insert: Fields


def setting(changes: bytes) -> bytes:
    """Return the update that sets the fields of `changes`."""
    return document(embedded(b"$set", changes))


def update_of(changes: Fields | None, operators: Fields) -> bytes:
    """Return the update in BSON. Raises `ServerError` for a value that BSON can't hold."""
    fields = {
        b"$set": changes,
        b"$unset": dict.fromkeys(operators.get("unset", ()), ""),
        b"$inc": operators.get("inc"),
        b"$push": operators.get("push"),
        b"$pull": operators.get("pull"),
        b"$addToSet": operators.get("add_to_set"),
        b"$setOnInsert": operators.get("set_on_insert"),
    }
    elements = [embedded(name, encode(values)) for name, values in fields.items() if values]
    # MongoDB takes an update without an operator for a document that replaces the stored one.
    return document(b"".join(elements)) if elements else setting(encode({}))
