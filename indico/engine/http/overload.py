"""The refusal of a request that is one too many, with as little work as possible.

Work for refusals is missing for the admitted requests. An HTTP server therefore offers
`Overload.refuse` the bytes of a request first: a refusal parses, routes and looks up nothing.
"""

from __future__ import annotations

import asyncio
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

from ..error import Overloaded
from ..telemetry import metrics
from .admission import ALWAYS_ADMITTED, Admission
from .headers import request_id
from .refusal import HEADERS, REASON, STATUS, VARYING, Refusal, refusal_of_simple
from .request_log import log_refused
from .retry_after import RetryAfter

if TYPE_CHECKING:
    from .cors import CORS
    from .error_pages import ErrorPages

_START_LINE = ResponseStartLine("HTTP/1.1", STATUS, REASON)


class Overload:
    """The refusal of requests while `admission` is full, and of bodies that it can't hold.

    A request is refused as early as its form allows, always with the same answer. `refuse` does so
    before it is parsed, and `discard` after its head. `admit` does so at the end of its body, if
    admission was not full before. `refuse_parsed` does so if its body is one too many.

    A body of up to `max_body_bytes` is read and discarded before the refusal, because a sending
    client reads no answer. No client has to send a longer one.
    """

    def __init__(
        self,
        admission: Admission,
        max_body_bytes: int,
        cors: CORS | None = None,
        pages: ErrorPages | None = None,
    ) -> None:
        self.admission = admission
        self._cors = cors
        self._pages = pages
        self.max_body_bytes = max_body_bytes
        self._refused: list[tuple[str, str, str]] = []  # in this turn of the loop
        self._retry_after = RetryAfter()

    def refuse(self, data: bytes) -> bytes | None:
        """Return the answer to `data` while admission is full, if that is one simple request.

        None leaves `data` to the parser.
        """
        if self._pages and b"text/html" in data:  # whose client may ask for a page
            return None
        if (found := refusal_of_simple(data)) is None:
            return None
        refusal, its_id = found
        self._count(refusal, its_id)
        lines = self._cors.lines(data) if self._cors else ""
        return refusal.serialize(its_id, self._retry_after.seconds, lines)

    def discard(
        self, connection: HTTPConnection, request: HTTPMessageDelegate
    ) -> HTTPMessageDelegate:
        """Return a delegate that refuses `request`, unless its path is `ALWAYS_ADMITTED`."""
        return _DiscardedRequest(self, connection, request)

    def admit(self, request: HTTPServerRequest) -> bool:
        """Admit a request whose body is complete to its handler, or answer and release it."""
        if self.admission.admit(request):
            return True
        self.refuse_parsed(request)
        return False

    def is_too_long(self, headers: HTTPHeaders) -> bool:
        """Return whether a client need not send its body before the request is refused."""
        if headers.get("Expect", "").lower() == "100-continue":
            return True
        length = headers.get("Content-Length", "")
        return length.isdecimal() and int(length) > self.max_body_bytes

    def refuse_parsed(self, request: HTTPServerRequest) -> None:
        """Answer and release a request whose body is complete."""
        refusal = Refusal(request.method or "", request.uri or "")
        connection = cast(HTTPConnection, request.connection)
        self.answer(connection, refusal, request.headers)
        self.admission.release(request)

    def answer(
        self,
        connection: HTTPConnection,
        refusal: Refusal,
        sent: HTTPHeaders,
        at_once: bool = False,
    ) -> None:
        """Write the refusal of a request with the headers `sent`, through Tornado's interface.

        `at_once`, before the end of the body, it is the last answer on its connection.
        """
        its_id = request_id(sent)
        values, body = refusal.render(its_id, self._retry_after.seconds)
        headers = HTTPHeaders(HEADERS | dict(zip(VARYING, values, strict=True)))
        if self._pages and self._pages.are_wanted(sent):
            body = self._pages.render(Overloaded(), its_id, sent, ())
            headers.update(self._pages.headers)
            headers["Content-Length"] = str(len(body))
        if self._cors is not None:
            headers.update(self._cors.fields(sent))
        if at_once:
            headers["Connection"] = "close"
        connection.write_headers(_START_LINE, headers, b"" if refusal.method == "HEAD" else body)
        connection.finish()
        self._count(refusal, its_id)

    def _count(self, refusal: Refusal, its_id: str) -> None:
        self._refused.append((refusal.method, refusal.path, its_id))
        if len(self._refused) == 1:
            asyncio.get_running_loop().call_soon(self._tell)

    def _tell(self) -> None:
        """Count and log the refusals of a turn of the loop together, which takes less time."""
        count, now = len(self._refused), asyncio.get_running_loop().time()
        self._retry_after.count(count, self.admission.admitted, now)
        metrics.REFUSED.inc(count)
        log_refused(STATUS, self._refused)
        self._refused = []


class _DiscardedRequest(HTTPMessageDelegate):
    """A request that came while admission was full: its body is discarded as it comes."""

    def __init__(
        self,
        overload: Overload,
        connection: HTTPConnection,
        request: HTTPMessageDelegate,
    ) -> None:
        self._overload = overload
        self._connection = connection
        self._request = request
        self._refused: tuple[Refusal, HTTPHeaders] | None = None
        self._bytes = 0

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        method, uri, _ = cast(RequestStartLine, start_line)
        if uri.partition("?")[0] in ALWAYS_ADMITTED:
            return self._request.headers_received(start_line, headers)
        self._refused = refused = Refusal(method, uri), headers
        if self._overload.is_too_long(headers):
            self._overload.answer(self._connection, *refused, at_once=True)
        return None

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        if not self._refused:
            return self._request.data_received(chunk)
        self._bytes += len(chunk)
        if self._bytes > self._overload.max_body_bytes:  # in chunks, without a length
            self._overload.answer(self._connection, *self._refused, at_once=True)
        return None

    def finish(self) -> None:
        if self._refused:
            self._overload.answer(self._connection, *self._refused)
        else:
            self._request.finish()

    def on_connection_close(self) -> None:
        if not self._refused:
            self._request.on_connection_close()
