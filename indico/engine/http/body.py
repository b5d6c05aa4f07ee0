"""A request's body: read up to a limit, and unpacked once it is whole."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, cast

from tornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPMessageDelegate,
    HTTPServerRequest,
    RequestStartLine,
    ResponseStartLine,
)

from ..error import APIError, Overloaded, TooLarge, UnsupportedMediaType
from ..tasks import start
from .compressed import gunzip
from .overload import Overload

if TYPE_CHECKING:
    from .application import Application

# An attribute of the request. A `__dict__` here would take half a kilobyte of each call in flight.
_BODY_ERROR = "body_error"
_NO_HANDLER = HTTPMessageDelegate()

# A body up to this size is taken even while large bodies take all the memory that they may.
SMALL_BYTES = 16 << 10


class LimitedBody(HTTPMessageDelegate):
    """A request on its way to its handler, which gets no body that is too large or unreadable.

    Such a body is read to its end and discarded piece by piece, because a client that still sends
    reads no answer. The handler raises the error that `body_error` returns. At the end of the body
    `overload` admits the request, or answers it in the handler's place. A handler that streams its
    body begins with the head, so it is admitted then.
    """

    _request: HTTPServerRequest
    _handler = _NO_HANDLER
    _size = 0
    _packed: bytearray | None = None
    _refused = False
    _discarded: HTTPMessageDelegate | None = None

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
        if encoding in ("gzip", "x-gzip"):
            self._packed = bytearray()
        elif encoding != "identity":
            self._fail(UnsupportedMediaType())
        if _streams(self._handler):
            return self._begin(start_line, headers)
        if headers.get("Content-Type", "").lower().startswith("multipart/"):
            self._fail(UnsupportedMediaType())
        # A body is JSON whatever its type (curl -d sends the type of a form). Tornado would parse
        # a form, and refuse a compressed form.
        headers["Content-Type"] = "application/json"
        return self._handler.headers_received(start_line, headers)

    def _begin(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        """Admit a request to a handler that streams its body, which begins now, or refuse it."""
        if self._overload.admission.admit(self._request):
            return self._handler.headers_received(start_line, headers)
        self._overload.admission.release(self._request)
        self._handler = _NO_HANDLER
        self._discarded = self._overload.discard(self._connection, _NO_HANDLER)
        return self._discarded.headers_received(start_line, headers)

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        if self._discarded:
            return self._discarded.data_received(chunk)
        if self._refused or body_error(self._request):
            return None
        self._size += len(chunk)
        if self._size > self._limit:
            self._fail(TooLarge(self._limit))
        elif not self._hold(self._size):
            self._refuse()
        elif self._packed is None:
            return self._handler.data_received(chunk)
        else:
            self._packed += chunk
        return None

    def finish(self) -> None:
        if self._discarded:
            self._discarded.finish()
            return
        # The handler begins in the loop's next turn, after all requests that came in this turn.
        begun = self._refused or _streams(self._handler)
        if not begun and not self._overload.admit(self._request):
            return
        taken = None
        if self._packed is not None and body_error(self._request) is None:
            taken = self._unpack(self._packed)
        if self._refused:
            self._overload.refuse_parsed(self._request)
        elif taken is None:
            self._end()
        else:
            start(self._end_after(taken))

    def on_connection_close(self) -> None:
        if self._handler is not _NO_HANDLER:  # its head was malformed
            self._overload.admission.release(self._request)
            self._handler.on_connection_close()

    def _end(self) -> None:
        error = body_error(self._request)
        try:
            if error and _streams(self._handler):  # it has begun, and waits for the body's end
                self._request._body_future.set_exception(error)
            else:
                self._handler.finish()
        except BaseException:
            self._overload.admission.release(self._request)
            raise

    async def _end_after(self, taken: Awaitable[None]) -> None:
        """End the body once a handler that streams it has taken it."""
        try:
            await taken
        finally:
            self._end()

    @property
    def _limit(self) -> int:
        """The limit of the settings, unless a streaming handler has set its own.

        A compressed body keeps the limit of the settings, because few bytes may become many.
        """
        limit = _limit_of(self._connection)
        usual = limit == self._usual_limit or self._packed is not None
        return self._app.max_body_bytes if usual else limit

    def _fail(self, error: APIError) -> None:
        setattr(self._request, _BODY_ERROR, error)

    def _hold(self, size: int) -> bool:
        # A handler that reads its body as a stream decides what it keeps of a plain one.
        streamed = self._packed is None and _streams(self._handler)
        return size <= SMALL_BYTES or streamed or self._overload.admission.hold(self._request, size)

    def _refuse(self) -> None:
        """Forget the body. The request is answered at its end."""
        if _streams(self._handler):  # it has begun, and answers by itself
            self._fail(Overloaded())
            return
        self._refused, self._packed = True, None
        self._handler.on_connection_close()

    def _unpack(self, packed: bytearray) -> Awaitable[None] | None:
        try:
            body = gunzip(packed, self._limit)
        except APIError as error:
            self._fail(error)
        else:
            if self._hold(len(body)):
                return self._handler.data_received(body)
            self._refuse()
        return None


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
