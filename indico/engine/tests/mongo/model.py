"""A model of MongoDB: a small collection with a unique index on `key`, as functions."""

from __future__ import annotations

import functools
import re
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import bson
from bson import CodecOptions
from bson.binary import UuidRepresentation
from bson.errors import BSONError

from ...mongo.bson_types import TYPES
from ...mongo.collection import Document

OPTIONS: CodecOptions[Document] = CodecOptions(
    uuid_representation=UuidRepresentation.STANDARD, type_registry=TYPES
)
MAX_DOCUMENT_BYTES = 16 << 20

State = frozenset[bytes]  # the documents, as BSON


@dataclass(frozen=True)
class Call:
    """A method of `Collection` and the arguments for it."""

    method: str
    arguments: tuple[Any, ...]

    @property
    def query(self) -> Document:
        first: Any = self.arguments[0]
        return {"_id": first} if self.method.endswith("_by_id") else first

    @property
    def document(self) -> Document:
        """The document to insert, or the fields to set."""
        takes_one = self.method.startswith(("insert", "update"))
        return self.arguments[-1] if takes_one else {}


def encode(document: Document) -> bytes:
    return bson.encode(document, codec_options=OPTIONS)


def outcome(result: object) -> str | bytes | State:
    """Return a result or an error in a form that compares types and the order of fields too."""
    if isinstance(result, BaseException):
        return type(result).__name__
    if isinstance(result, list):
        return frozenset(map(encode, result))
    return encode(result if isinstance(result, dict) else {"": result})


def effects(call: Call, state: State) -> Iterator[tuple[Hashable, State]]:
    """Yield what `call` may answer, and the documents after it; several where MongoDB chooses."""
    if refusal := _refusal(call):
        yield refusal, state
    elif call.method == "insert":
        yield _insert(call.document, state)
    elif call.method.startswith("update"):
        yield from _update(call, state)
    else:
        matching: list[Any] = [raw for raw in state if _matches(raw, call.query)]
        if call.method.startswith("delete"):
            count = len(matching)
            answer = bool(count) if call.method == "delete_by_id" else count
            yield outcome(answer), state.difference(matching)
        elif call.method == "find":
            yield frozenset(matching), state
        else:
            yield from ((answer, state) for answer in matching or [outcome(None)])


def _refusal(call: Call) -> str | None:
    """Return the error of a call that fails for every state."""
    try:
        sizes = [len(encode({"": argument})) for argument in call.arguments]
    except (BSONError, OverflowError, UnicodeEncodeError):
        return "ServerError"
    inserts = call.method == "insert"
    its_id = call.document["_id"] if inserts else call.query.get("_id")
    wrong_id = isinstance(its_id, list | re.Pattern) and inserts
    wrong_id |= isinstance(its_id, dict) and "$wrong" in its_id
    if wrong_id or "" in call.document or max(sizes) > MAX_DOCUMENT_BYTES:
        return "ServerError"
    return None


def _insert(document: Document, state: State) -> tuple[Hashable, State]:
    new = encode({"_id": document["_id"], **document})
    if _clashes(new, state):
        return "Duplicate", state
    return outcome(document["_id"]), state | {new}


def _update(call: Call, state: State) -> Iterator[tuple[Hashable, State]]:
    matching = [raw for raw in state if _matches(raw, call.query)]
    if not matching:
        yield outcome(None), state
    for old in matching:
        fields, changes, others = decode(old), call.document, state - {old}
        added = sorted(changes.keys() - fields.keys())
        new = encode({**fields, **dict.fromkeys(added), **changes})
        if "by.x" in changes or stored_id(new) != stored_id(old):
            yield "ServerError", state
        elif _clashes(new, others):
            yield "Duplicate", state
        else:
            yield new, others | {new}


def _clashes(raw: bytes, others: State) -> bool:
    return any(stored_id(raw) == stored_id(other) or _keys(raw) & _keys(other) for other in others)


@functools.lru_cache(1 << 14)
def decode(raw: bytes) -> Document:
    return bson.decode(raw, OPTIONS)


@functools.lru_cache(1 << 14)
def stored_id(raw: bytes) -> Hashable:
    return canonical(decode(raw)["_id"])


@functools.lru_cache(1 << 14)
def _keys(raw: bytes) -> frozenset[Hashable]:
    """Return the entries of a document in the unique index."""
    key = decode(raw).get("key")
    entries = key if isinstance(key, list) else [key]
    return frozenset(map(canonical, entries)) or frozenset({"empty"})


def _matches(raw: bytes, query: Document) -> bool:
    fields = decode(raw)
    return all(_field_matches(fields.get(name), wanted) for name, wanted in query.items())


def _field_matches(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, dict) and "$in" in wanted:
        return any(_field_matches(value, one) for one in wanted["$in"])
    values = [value, *(value if isinstance(value, list) else ())]
    if isinstance(wanted, re.Pattern):
        return any(isinstance(one, str) and wanted.search(one) for one in values)
    return canonical(wanted) in map(canonical, values)


def canonical(value: Any) -> Hashable:
    """Map values that MongoDB finds equal to one value: 1 and 1.0, but not 1 and True."""
    ((_, value),) = bson.decode(encode({"": value}), OPTIONS).items()
    if isinstance(value, dict):
        return "document", tuple((name, canonical(field)) for name, field in value.items())
    if isinstance(value, list):
        return "array", tuple(map(canonical, value))
    if isinstance(value, bool):
        return "boolean", value
    if isinstance(value, int | float | Decimal):
        return "number", value if value == value else None
    if isinstance(value, bytes):
        return "binary", getattr(value, "subtype", 0), bytes(value)
    return type(value).__name__, value
