"""A request's body: read up to a limit, and decompressed."""

from __future__ import annotations

import zlib
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, cast

from tornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPMessageDelegate,
    HTTPServerRequest,
    RequestStartLine,
    ResponseStartLine,
)

from ..error import APIError, InvalidJSON, TooLarge, UnsupportedMediaType
from .overload import Overload

if TYPE_CHECKING:
    from .application import Application

# An attribute of the request. A `__dict__` here would take half a kilobyte of each call in flight.
_BODY_ERROR = "body_error"
_NO_HANDLER = HTTPMessageDelegate()


class LimitedBody(HTTPMessageDelegate):
    """A request on its way to its handler, which gets no body that is too large or unreadable.

    Such a body is read to its end and discarded piece by piece, because a client that still sends
    reads no answer. The handler raises the error that `body_error` returns. At the end of the body
    `overload` admits the request, or answers it in the handler's place.
    """

    _request: HTTPServerRequest
    _handler = _NO_HANDLER
    _size = 0
    _gzip: Any = None

    def __init__(self, app: Application, connection: HTTPConnection, overload: Overload) -> None:
        self._app = app
        self._connection = connection
        self._overload = overload
        self._usual_limit = _limit_of(connection)

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        self._request = HTTPServerRequest(
            connection=self._connection,
            start_line=cast(RequestStartLine, start_line),
            headers=headers,
        )
        self._handler = self._app.find_handler(self._request)
        encoding = "identity"
        if headers.get_list("Content-Encoding"):
            encoding = headers.pop("Content-Encoding").lower() or encoding
        kind = headers.get("Content-Type", "").lower()
        if encoding in ("gzip", "x-gzip"):
            self._gzip = _gunzip()
        elif encoding != "identity":
            self._refuse(UnsupportedMediaType())
        if _streams(self._handler):
            return self._handler.headers_received(start_line, headers)
        if kind.startswith("multipart/"):
            self._refuse(UnsupportedMediaType())
        # A body is JSON whatever its type (curl -d sends the type of a form). Tornado would parse
        # a form, and refuse a compressed form.
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
        if self._size > self._limit:
            self._refuse(TooLarge(self._limit))
            return None
        return self._handler.data_received(chunk)

    def finish(self) -> None:
        # The handler begins in the loop's next turn, after all requests that came in this turn.
        if not self._overload.admit(self._request):
            return
        if self._gzip and not self._gzip.eof and body_error(self._request) is None:
            self._refuse(InvalidJSON("The gzip body ends too early."))
        error = body_error(self._request)
        try:
            if error and _streams(self._handler):  # it has begun, and waits for the body's end
                self._request._body_future.set_exception(error)
            else:
                self._handler.finish()
        except BaseException:
            self._overload.admission.release(self._request)
            raise

    def on_connection_close(self) -> None:
        if self._handler is not _NO_HANDLER:  # its head was malformed
            self._overload.admission.release(self._request)
            self._handler.on_connection_close()

    @property
    def _limit(self) -> int:
        """The limit of the settings, unless a streaming handler has set its own.

        A compressed body keeps the limit of the settings, because few bytes may become many.
        """
        limit = _limit_of(self._connection)
        usual = self._gzip is not None or limit == self._usual_limit
        return self._app.max_body_bytes if usual else limit

    def _refuse(self, error: APIError) -> None:
        setattr(self._request, _BODY_ERROR, error)

    def _decompress(self, chunk: bytes) -> bytes:
        """Return at most one byte over the limit, however small the compressed chunk is."""
        parts = []
        room = self._limit + 1 - self._size
        while chunk and room > 0:
            if self._gzip.eof:  # RFC 1952, section 2.2: a gzip file is a series of members
                self._gzip = _gunzip()
            parts.append(self._gzip.decompress(chunk, room))
            room -= len(parts[-1])
            chunk = self._gzip.unused_data or self._gzip.unconsumed_tail
        return b"".join(parts)


def body_error(request: HTTPServerRequest) -> APIError | None:
    """Return the error in the body's bytes, whatever they mean; None for a readable body."""
    error: APIError | None = getattr(request, _BODY_ERROR, None)
    return error


def _streams(handler: HTTPMessageDelegate) -> bool:
    """Return whether a handler reads its body as it comes: `@stream_request_body`."""
    return getattr(handler, "stream_request_body", False)


def _limit_of(connection: HTTPConnection) -> int:
    """Return what `set_max_body_size` has set; Tornado has no other name for it."""
    limit: int = getattr(connection, "_max_body_size")  # noqa: B009
    return limit


def _gunzip() -> Any:
    return zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
