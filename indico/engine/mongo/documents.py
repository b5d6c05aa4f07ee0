"""Keys and documents as BSON, for operations that go out in batches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import bson
from bson.int64 import Int64

from .batches import MAX_BYTES
from .driver import Document, ObjectId, mongodb

__all__ = ["Part", "decode", "documents_of", "encode", "is_key", "part_of"]

_KEY_TYPES = {ObjectId, bytes, str, int, Int64}


class Part(NamedTuple):
    """The first documents of a list; `cut` says that the next one did not fit."""

    documents: list[Document]
    size: int  # bytes
    cut: bool


def is_key(value: Any) -> bool:
    """Return whether `value` is equal to the same values in Python and in MongoDB."""
    if type(value) not in _KEY_TYPES:
        return False
    if isinstance(value, str):
        return value.isascii() or encode({"": value}) is not None
    return not isinstance(value, int) or -(2**63) <= value < 2**63


def encode(document: Mapping[str, Any]) -> bytes | None:
    """Return `document` as BSON; None if an operation outside a batch has to say what is wrong."""
    try:
        encoded = bson.encode(document, codec_options=mongodb.codec_options)
    except Exception:
        return None
    return encoded if len(encoded) <= MAX_BYTES else None


def decode(document: bytes) -> Document:
    return bson.decode(document, mongodb.codec_options)


def documents_of(replies: list[bytes]) -> Iterator[bytes]:
    """Yield each document of a cursor's replies; a document's first four bytes are its length."""
    for reply in replies:
        start = 0
        while start < len(reply):
            end = start + int.from_bytes(reply[start : start + 4], "little")
            yield reply[start:end]
            start = end


def part_of(replies: list[bytes], max_bytes: int) -> Part:
    """Return the first documents of a cursor's replies, up to `max_bytes`, but at least one."""
    documents: list[Document] = []
    size = 0
    for document in documents_of(replies):
        if documents and size + len(document) > max_bytes:
            return Part(documents, size, cut=True)
        size += len(document)
        documents.append(decode(document))
    return Part(documents, size, cut=False)
