"""Keys and documents as BSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Generic, NamedTuple, TypeVar

import bson
from bson.int64 import Int64

from ..error import ServerError, short
from .bson_types import OPTIONS
from .driver import Document, ObjectId

__all__ = ["Part", "decode", "decode_found", "documents_of", "encode", "is_key", "part_of"]

_KEY_TYPES = {ObjectId, bytes, str, int, Int64}


T = TypeVar("T")


class Part(NamedTuple, Generic[T]):
    """The first documents of a list; `cut` says that the next one did not fit."""

    documents: list[T]
    size: int  # bytes
    cut: bool


def is_key(value: Any) -> bool:
    """Return whether `value` is equal to the same values in Python and in MongoDB."""
    if type(value) not in _KEY_TYPES:
        return False
    if isinstance(value, str):
        return value.isascii() or _fits(value)
    return not isinstance(value, int) or -(2**63) <= value < 2**63


def encode(document: Mapping[str, Any]) -> bytes:
    """Return `document` as BSON.

    Raises `ServerError` with the path and type of a value that BSON can't hold.
    """
    try:
        return bson.encode(document, codec_options=OPTIONS)
    except Exception:  # its message may hold the document, which the log must not show
        raise ServerError(f"MongoDB can't hold {_misfit(document)}.") from None


def decode(document: bytes | memoryview) -> Document:
    return bson.decode(document, OPTIONS)


def decode_found(found: bytes | None) -> Any:
    return None if found is None else decode(found)


def documents_of(replies: list[bytes]) -> Iterator[bytes]:
    """Yield each document of a cursor's replies; a document's first four bytes are its length."""
    for reply in replies:
        start = 0
        while start < len(reply):
            end = start + int.from_bytes(reply[start : start + 4], "little")
            yield reply[start:end]
            start = end


def part_of(found: list[bytes], max_bytes: int) -> Part[Any]:
    """Return the first documents of those that are found, up to `max_bytes`, but at least one."""
    documents: list[Document] = []
    size = 0
    for document in found:
        if documents and size + len(document) > max_bytes:
            return Part(documents, size, cut=True)
        size += len(document)
        documents.append(decode(document))
    return Part(documents, size, cut=False)


def _fits(value: Any) -> bool:
    try:
        bson.encode({"": value}, codec_options=OPTIONS)
    except Exception:
        return False
    return True


def _misfit(value: Any, path: str = "") -> str:
    """Return type and path of the value inside `value` that BSON can't hold."""
    if isinstance(value, Mapping):
        items, what = list(value.items()), "a key"
    else:
        items = list(enumerate(value)) if isinstance(value, list | tuple) else []
        what = f"the {type(value).__name__}"
    for key, inner in items:
        if not _fits(inner):
            return _misfit(inner, f"{path}.{key}" if path else str(key))
    return f"{what} in {short(path) or 'the document'}"
