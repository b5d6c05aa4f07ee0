"""A request's body: read up to a limit, and unpacked once it is whole."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING

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
from .target import RoutedRequest

if TYPE_CHECKING:
    from .application import Application

# An attribute of the request. A `__dict__` here would take half a kilobyte of each call in flight.
_BODY_ERROR = "body_error"
_JSON = ["application/json"]

# A body up to this size is taken even while large bodies take all the memory that they may.
SMALL_BYTES = 16 << 10


class LimitedBody(RoutedRequest):
    """A request on its way to its handler, which gets no body that is too large or unreadable.

    Such a body is read to its end and discarded piece by piece, because a sending client reads no
    answer. The handler raises the error that `body_error` returns. At the end of the body
    `overload` admits the request, or answers it in the handler's place. A handler that streams its
    body begins with the head, so it is admitted then.
    """

    _size = 0
    _packed = False
    _refused = False
    _usual_limit = 0
    _discarded: HTTPMessageDelegate | None = None

    def __init__(self, app: Application, connection: HTTPConnection, overload: Overload) -> None:
        super().__init__(app, connection)
        self._overload = overload

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        self.route(start_line, headers)
        if headers.get_list("Content-Encoding"):
            self._unpack_later(headers.pop("Content-Encoding").lower() or "identity")
        if self.stream_request_body:
            self._usual_limit = _limit_of(self.connection)
            return self._begin(start_line, headers)
        kinds = headers.get_list("Content-Type")
        if kinds != _JSON and ",".join(kinds).lower().startswith("multipart/"):
            self._fail(UnsupportedMediaType())
        return None

    def _unpack_later(self, encoding: str) -> None:
        self._packed = encoding in ("gzip", "x-gzip")
        if not self._packed and encoding != "identity":
            self._fail(UnsupportedMediaType())

    def _begin(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        """Admit a request to a handler that streams its body, which begins now, or refuse it."""
        admission = self._overload.admission
        if admission.admit(self.request):
            return super().headers_received(start_line, headers)
        admission.release(self.request)
        self._discarded = self._overload.discard(self.connection, HTTPMessageDelegate())
        return self._discarded.headers_received(start_line, headers)

    def data_received(self, data: bytes) -> Awaitable[None] | None:
        if self._discarded:
            return self._discarded.data_received(data)
        if self._refused or body_error(self.request):
            return None
        self._size += len(data)
        if self._size > self._limit:
            self._fail(TooLarge(self._limit))
        elif not self._hold(self._size):
            self._refuse()
        elif self._packed:
            self.chunks += data
        else:
            return super().data_received(data)
        return None

    def finish(self) -> None:
        if self._discarded:
            self._discarded.finish()
            return
        # The handler begins in the loop's next turn, after all requests that came in this turn.
        begun = self._refused or self.stream_request_body
        if not begun and not self._overload.admit(self.request):
            return
        taken = None
        if self._packed and not self._refused and body_error(self.request) is None:
            taken = self._unpack()
        if self._refused:
            self._overload.refuse_parsed(self.request)
        elif taken is None:
            self._end()
        else:
            start(self._end_after(taken))

    def on_connection_close(self) -> None:
        if self.routed and not self._discarded:
            self._overload.admission.release(self.request)
            super().on_connection_close()

    def _end(self) -> None:
        error = body_error(self.request)
        try:
            if error and self.stream_request_body:  # it has begun, and waits for the body's end
                self.request._body_future.set_exception(error)
            else:
                super().finish()
        except BaseException:
            self._overload.admission.release(self.request)
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
        if self.stream_request_body and not self._packed:
            limit = _limit_of(self.connection)
            if limit != self._usual_limit:
                return limit
        return self.application.max_body_bytes

    def _fail(self, error: APIError) -> None:
        setattr(self.request, _BODY_ERROR, error)

    def _hold(self, size: int) -> bool:
        if size <= SMALL_BYTES:
            return True
        # A handler that reads its body as a stream decides what it keeps of a plain one.
        streamed = self.stream_request_body and not self._packed
        return streamed or self._overload.admission.hold(self.request, size)

    def _refuse(self) -> None:
        """Forget the body. The request is answered at its end."""
        if self.stream_request_body:  # it has begun, and answers by itself
            self._fail(Overloaded())
        else:
            self._refused = True
            self.chunks.clear()

    def _unpack(self) -> Awaitable[None] | None:
        packed, self.chunks = self.chunks, bytearray()
        try:
            body = gunzip(packed, self._limit)
        except APIError as error:
            self._fail(error)
        else:
            if self._hold(len(body)):
                return super().data_received(body)
            self._refuse()
        return None


def body_error(request: HTTPServerRequest) -> APIError | None:
    """Return the error in the body's bytes, whatever they mean; None for a readable body."""
    error: APIError | None = getattr(request, _BODY_ERROR, None)
    return error


def _limit_of(connection: HTTPConnection) -> int:
    """Return what `set_max_body_size` has set; Tornado has no other name for it."""
    limit: int = getattr(connection, "_max_body_size")  # noqa: B009
    return limit
