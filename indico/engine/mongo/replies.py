"""The documents with which MongoDB answers a command, and the errors in them."""

from __future__ import annotations

from collections.abc import Mapping
from struct import Struct
from typing import Any, NamedTuple

import bson
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.raw_bson import RawBSONDocument
from pymongo.errors import (
    ConnectionFailure,
    DuplicateKeyError,
    ExecutionTimeout,
    NotPrimaryError,
    OperationFailure,
    PyMongoError,
    WriteConcernError,
    WriteError,
    WTimeoutError,
)

from .bson_types import OPTIONS, RAW

__all__ = [
    "FirstBatch",
    "Written",
    "changed",
    "concern_error",
    "first_batch",
    "only",
    "plain",
    "retryable",
    "state_changed",
    "values",
    "write_error",
    "written",
]

_DUPLICATE_KEY_CODES = {11000, 11001, 12582}
_TIMEOUT = 50
_WRITE_CONCERN_TIMEOUT = 64
# Codes of a server that is not the primary any more, or shuts down: "Server Discovery and
# Monitoring", and "Retryable Reads", in MongoDB's specifications for drivers.
_STATE_CHANGES = {91, 189, 10058, 10107, 11600, 11602, 13435, 13436}
_RETRYABLE_READS = {*_STATE_CHANGES, 6, 7, 89, 134, 262, 9001}

# A reply that tells of an error may hold any value, so nothing in it may be undecodable.
_LENIENT: CodecOptions[dict[str, Any]] = CodecOptions(
    datetime_conversion=DatetimeConversion.DATETIME_AUTO, unicode_decode_error_handler="replace"
)
_OK = b"\x01ok\0" + Struct("<d").pack(1)
_length = Struct("<i").unpack_from
_id = Struct("<q").unpack_from


class FirstBatch(NamedTuple):
    """The first documents that a command found; `cursor` is 0 if there are no others."""

    documents: list[bytes]
    cursor: int


class Written(NamedTuple):
    """The outcome of a write: the `number` of documents, and the error of each refused one."""

    number: int
    refused: dict[int, PyMongoError]
    concern: PyMongoError | None

    def errors(self, count: int) -> list[Exception | None]:
        """Return the error of each of `count` statements, or None."""
        return [self.refused.get(n, self.concern) for n in range(count)]


def first_batch(reply: bytes) -> FirstBatch:
    """Return what a `find` found. Raises PyMongo's error if the reply is one."""
    # Looking at the bytes costs a tenth of decoding the reply.
    if reply.startswith(b"\x03cursor\0", 4) and reply.startswith(b"\x04firstBatch\0", 16):
        end = 28 + _length(reply, 28)[0]
        if reply.startswith(_OK, 12 + _length(reply, 12)[0]) and reply.startswith(b"\x12id\0", end):
            return FirstBatch(_array(reply, 32, end - 1), _id(reply, end + 4)[0])
    plain(reply)
    cursor = RawBSONDocument(reply, RAW)["cursor"]
    return FirstBatch([found.raw for found in cursor["firstBatch"]], cursor["id"])


def _array(reply: bytes, start: int, end: int) -> list[bytes]:
    """Return the documents of an array; before each stand its type and its index as text."""
    documents = []
    while start < end:
        start = reply.index(0, start + 1) + 1
        following = start + _length(reply, start)[0]
        documents.append(reply[start:following])
        start = following
    return documents


def plain(reply: bytes) -> dict[str, Any]:
    """Return the reply's fields. Raises PyMongo's error if the reply is one."""
    fields = bson.decode(reply, _LENIENT)
    if not fields.get("ok"):
        raise _error(fields)
    return fields


def written(reply: bytes) -> Written:
    """Return what a write did. Raises PyMongo's error for all of it, or if it may be retried."""
    if reply.startswith(b"\x10n\0", 4) and _OK in reply and b"write" not in reply:
        return Written(_length(reply, 7)[0], {}, None)
    fields = plain(reply)
    concern = _concern_error(fields)
    if concern and retryable(concern, write=True):
        raise concern
    refused = {each["index"]: write_error(each) for each in fields.get("writeErrors", ())}
    return Written(fields["n"], refused, concern)


def only(reply: bytes) -> int:
    """Return how many documents the only statement of a write has found. Raises its error."""
    done = written(reply)
    if error := done.refused.get(0, done.concern):
        raise error
    return done.number


def changed(reply: bytes) -> bytes | None:
    """Return the document that a `findAndModify` changed. Raises PyMongo's error."""
    if reply.startswith(b"\x03lastErrorObject\0", 4) and b"writeConcernError" not in reply:
        start = 21 + _length(reply, 21)[0]
        if reply.startswith(b"\x03value\0", start):
            end = start + 7 + _length(reply, start + 7)[0]
            if reply.startswith(_OK, end):
                return reply[start + 7 : end]
    fields = RawBSONDocument(reply, RAW)
    if fields.get("ok") != 1:
        plain(reply)
    if error := _concern_error(fields):
        raise error
    found = fields["value"]
    return None if found is None else bytes(found.raw)


def values(reply: bytes) -> list[Any]:
    """Return the values that a `distinct` found. Raises PyMongo's error if the reply is one."""
    plain(reply)
    found: list[Any] = bson.decode(reply, OPTIONS)["values"]
    return found


def retryable(error: Exception, write: bool) -> bool:
    """Return whether the same command may be sent again, by MongoDB's specifications."""
    if not isinstance(error, PyMongoError):
        return False
    if isinstance(error, ConnectionFailure) and not isinstance(error, NotPrimaryError):
        return True
    if write:
        return error.has_error_label("RetryableWriteError")
    return isinstance(error, NotPrimaryError) or _code(error) in _RETRYABLE_READS


def state_changed(error: Exception) -> bool:
    """Return whether the server is not the primary any more, or shuts down."""
    return isinstance(error, NotPrimaryError) or _code(error) in _STATE_CHANGES


def _code(error: Exception) -> int | None:
    return error.code if isinstance(error, OperationFailure) else None


def _error(fields: Mapping[str, Any]) -> PyMongoError:
    reason, code = fields.get("errmsg", "no reason given"), fields.get("code")
    if code in _STATE_CHANGES:
        return NotPrimaryError(reason, fields)
    if code in _DUPLICATE_KEY_CODES:
        return DuplicateKeyError(reason, code, fields)
    kind = ExecutionTimeout if code == _TIMEOUT else OperationFailure
    return kind(reason, code, fields)


def write_error(problem: Mapping[str, Any]) -> PyMongoError:
    """Return the error that the write would have raised alone."""
    kind = DuplicateKeyError if problem["code"] in _DUPLICATE_KEY_CODES else WriteError
    return kind(problem.get("errmsg", ""), problem["code"], problem)


def concern_error(problem: Mapping[str, Any]) -> PyMongoError:
    code = problem.get("code")
    kind = WTimeoutError if code == _WRITE_CONCERN_TIMEOUT else WriteConcernError
    return kind(problem.get("errmsg", ""), code, problem)


def _concern_error(fields: Mapping[str, Any]) -> PyMongoError | None:
    if (problem := fields.get("writeConcernError")) is None:
        return None
    # MongoDB tells at the top whether the write may be retried.
    return concern_error({**problem, "errorLabels": fields.get("errorLabels", [])})
