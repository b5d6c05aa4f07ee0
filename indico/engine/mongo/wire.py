"""MongoDB's wire protocol: commands as messages, and the messages in a stream of bytes.

A message is an OP_MSG: a header, flags, a section with the command's document, and then at most
one section with a sequence of documents. This module knows no connection.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from struct import Struct
from typing import Any

import bson
from pymongo.errors import ProtocolError

from .bson_types import OPTIONS

__all__ = [
    "Messages",
    "document",
    "element",
    "embedded",
    "int32",
    "message",
    "one_stage",
    "sequence",
]

_OP_MSG = 2013
# Length, number, number of the answered message, operation, flags, kind of section.
_HEADER = Struct("<iiiiIB")
_START = Struct("<iiiiIBi")  # the same, and the length of the command's document
_LENGTH = Struct("<i")
_MAX_BYTES = 48_000_000  # MongoDB's `maxMessageSizeBytes`, the same in all versions


def message(number: int, elements: bytes, sequence: bytes = b"") -> bytes:
    """Return the command with these `elements` as a message."""
    size = len(elements) + 5
    length = _HEADER.size + size + len(sequence)
    return _START.pack(length, number, 0, _OP_MSG, 0, 0, size) + elements + b"\0" + sequence


def document(elements: bytes) -> bytes:
    return _LENGTH.pack(len(elements) + 5) + elements + b"\0"


def element(name: str, value: Any) -> bytes:
    """Return `name` and `value` as they are inside a document."""
    return bson.encode({name: value}, codec_options=OPTIONS)[4:-1]


def embedded(name: bytes, document: bytes) -> bytes:
    """Return `document` as an element of another document."""
    return b"\x03" + name + b"\0" + document


def one_stage(name: bytes, stage: bytes) -> bytes:
    """Return a pipeline of one stage as an element of another document."""
    return b"\x04" + name + b"\0" + document(embedded(b"0", stage))


def int32(name: bytes, value: int) -> bytes:
    return b"\x10" + name + b"\0" + _LENGTH.pack(value)


def sequence(name: bytes, documents: Sequence[bytes]) -> bytes:
    """Return `documents` as a section; MongoDB reads them as the command's array `name`."""
    content = b"".join((name, b"\0", *documents))
    return b"\x01" + _LENGTH.pack(len(content) + 4) + content


class Messages:
    """The messages in a stream of bytes, of which the last one may be incomplete."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Yield the number of the message that each one answers, and its document.

        Raises `ProtocolError` for a message that a lane has not asked for.
        """
        if self._rest:
            self._rest += data
            data = self._rest  # type: ignore[assignment]
        start, end = 0, len(data)
        while end - start >= _HEADER.size:
            length, _, answered, operation, flags, kind = _HEADER.unpack_from(data, start)
            if (operation, flags, kind) != (_OP_MSG, 0, 0) or not 26 <= length <= _MAX_BYTES:
                raise ProtocolError("MongoDB sent a message that no command asks for")
            if end - start < length:
                break
            yield answered, bytes(data[start + _HEADER.size : start + length])
            start += length
        if data is self._rest:
            del self._rest[:start]
        else:
            self._rest += data[start:]
