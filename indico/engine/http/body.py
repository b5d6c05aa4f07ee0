"""A request's body: read up to a limit, decompressed, and parsed as one JSON object."""

from __future__ import annotations

import itertools
import json
import re
import zlib
from collections.abc import Awaitable, Iterator
from typing import Any

import orjson
from tornado.httputil import (
    HTTPHeaders,
    HTTPMessageDelegate,
    HTTPServerRequest,
    RequestStartLine,
    ResponseStartLine,
)

from ..error import (
    MAX_DETAILS,
    APIError,
    InvalidArgument,
    InvalidJSON,
    TooLarge,
    UnsupportedMediaType,
    WrongFieldType,
    short,
)
from .overload import Overload

MAX_DEPTH = 64
# An attribute of the request. Its `__dict__` would be half a kilobyte of each call that is held.
_BODY_ERROR = "body_error"
_LONG_NUMBER = re.compile(rb"\d{19}")


class LimitedBody(HTTPMessageDelegate):
    """Stands before a handler and keeps a body that is too large, or not ours to read, from it.

    Such a body is read to its end and thrown away as it comes, so that the client, which sends
    before it listens, gets its answer. What was wrong with it is `request.body_error`, which
    the handler raises. `overload` is asked as the body ends, and answers a request that it does not
    admit.
    """

    def __init__(
        self,
        handler: HTTPMessageDelegate,
        request: HTTPServerRequest,
        max_bytes: int,
        overload: Overload,
    ) -> None:
        self._handler = handler
        self._request = request
        self._max_bytes = max_bytes
        self._size = 0
        self._overload = overload
        self._gzip: Any = None

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        encoding = "identity"
        if headers.get_list("Content-Encoding"):
            encoding = headers.pop("Content-Encoding").lower() or encoding
        kind = headers.get("Content-Type", "").lower()
        if encoding in ("gzip", "x-gzip"):
            self._gzip = _gunzip()
        elif encoding != "identity":
            self._refuse(UnsupportedMediaType())
        if kind.startswith("multipart/"):
            self._refuse(UnsupportedMediaType())
        # A body is JSON whatever its type says (curl -d says it is a form); Tornado would parse
        # a form, and refuse one that is compressed.
        headers["Content-Type"] = "application/json"
        return self._handler.headers_received(start_line, headers)

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        if body_error(self._request):
            return None
        try:
            chunk = self._decompress(chunk) if self._gzip else chunk
        except zlib.error:
            self._refuse(InvalidJSON("The body is not valid gzip."))
            return None
        self._size += len(chunk)
        if self._size > self._max_bytes:
            self._refuse(TooLarge(self._max_bytes))
            return None
        return self._handler.data_received(chunk)

    def finish(self) -> None:
        if body_error(self._request) is None and self._gzip and not self._gzip.eof:
            self._refuse(InvalidJSON("The gzip body ends too early."))
        # The handler begins in the loop's next turn, after all that has come in this one.
        if body_error(self._request) is None and not self._overload.admit(self._request):
            return
        try:
            self._handler.finish()
        except BaseException:
            self._overload.admission.release(self._request)
            raise

    def on_connection_close(self) -> None:
        self._overload.admission.release(self._request)
        self._handler.on_connection_close()

    def _refuse(self, error: APIError) -> None:
        setattr(self._request, _BODY_ERROR, error)

    def _decompress(self, chunk: bytes) -> bytes:
        """At most one byte over the limit comes out, however small the chunk that holds it."""
        parts = []
        room = self._max_bytes + 1 - self._size
        while chunk and room > 0:
            if self._gzip.eof:  # RFC 1952, section 2.2: a gzip file is a series of members
                self._gzip = _gunzip()
            parts.append(self._gzip.decompress(chunk, room))
            room -= len(parts[-1])
            chunk = self._gzip.unused_data or self._gzip.unconsumed_tail
        return b"".join(parts)


def body_error(request: HTTPServerRequest) -> APIError | None:
    """What is wrong with the body that `request` came with, as far as one can tell by its bytes."""
    error: APIError | None = getattr(request, _BODY_ERROR, None)
    return error


def parse_object(body: bytes) -> dict[str, Any]:
    """The JSON object in `body`; an empty body is an empty object.

    Raises `InvalidJSON`, and `WrongFieldType` for an integer beyond 64 bits, which neither
    MongoDB nor most clients can hold.
    """
    try:
        value = orjson.loads(body or b"{}")
    except orjson.JSONDecodeError as error:
        raise InvalidJSON(f"The body is not JSON: {error}.") from None
    if not isinstance(value, dict):
        raise InvalidJSON("The body must be a JSON object: {...}.")
    if body.count(b"[") + body.count(b"{") > MAX_DEPTH and _too_deep(value):
        raise InvalidJSON(f"The body is nested deeper than {MAX_DEPTH}.")
    if _LONG_NUMBER.search(body):
        _refuse_long_integers(body)
    return value


def _too_deep(value: Any) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for parent in level
            for child in (parent.values() if isinstance(parent, dict) else parent)
            if isinstance(child, dict | list)
        ]
    return bool(level)


class _LongInteger:
    """Stands for an integer that is beyond 64 bits."""


def _refuse_long_integers(body: bytes) -> None:
    # orjson makes a float of such an integer, without a word.
    try:
        value = json.loads(body, parse_int=_bounded_integer)
    except RecursionError:  # orjson left out what is nested so deep: a later field has its name
        raise InvalidJSON(f"The body is nested deeper than {MAX_DEPTH}.") from None
    problems = [
        WrongFieldType(path, "an integer must fit in 64 bits", "int_too_long")
        for path in itertools.islice(_paths_of_long_integers(value, ""), MAX_DETAILS)
    ]
    if problems:
        raise InvalidArgument.join(problems)


def _bounded_integer(digits: str) -> int | _LongInteger:
    if len(digits) > 20 or not -(2**63) <= int(digits) < 2**63:
        return _LongInteger()
    return int(digits)


def _paths_of_long_integers(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, _LongInteger):
        yield path
    elif isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, child in items:
            inner = f"{path}.{key}" if path else str(key)
            yield from _paths_of_long_integers(child, short(inner))


def _gunzip() -> Any:
    return zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
