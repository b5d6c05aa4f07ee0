"""The answer to a request that is one too many, made with as little work as can be.

What an overloaded server does for it is taken from those that it has accepted: so nothing is
routed or looked up, and the answer has the envelope as well as what REST clients look for.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import cast

import orjson
from tornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPMessageDelegate,
    RequestStartLine,
    ResponseStartLine,
)

from indico.error import Overloaded
from indico.routes.headers import date, request_id

# What is asked of a server to learn whether it has too much to do.
ALWAYS_ACCEPTED = frozenset({"/healthz", "/readyz", "/metrics"})

_ERROR = Overloaded()
_START_LINE = ResponseStartLine("HTTP/1.1", _ERROR.status, "Service Unavailable")
_HEADERS = HTTPHeaders({"Content-Type": "application/json", "Cache-Control": "no-store"})
_HEADERS.update(_ERROR.headers)


class Refusal(HTTPMessageDelegate):
    """Reads a request to its end and refuses it, unless it is one of `ALWAYS_ACCEPTED`.

    `accept` makes the delegate of those; `refused` is told a request's first line and id.
    """

    def __init__(
        self,
        connection: HTTPConnection,
        accept: Callable[[], HTTPMessageDelegate],
        refused: Callable[[RequestStartLine, str], None],
    ) -> None:
        self._connection = connection
        self._accept = accept
        self._refused = refused
        self._accepted: HTTPMessageDelegate | None = None

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        self._request = cast(RequestStartLine, start_line)
        if self._request.path.partition("?")[0] in ALWAYS_ACCEPTED:
            self._accepted = self._accept()
            return self._accepted.headers_received(start_line, headers)
        self._id = request_id(headers)
        return None

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        return self._accepted.data_received(chunk) if self._accepted else None

    def finish(self) -> None:
        if self._accepted:
            self._accepted.finish()
        else:
            self._refuse()

    def on_connection_close(self) -> None:
        if self._accepted:
            self._accepted.on_connection_close()

    def _refuse(self) -> None:
        method, uri, _ = self._request
        body = orjson.dumps(
            {
                "status": _ERROR.status,
                "data": _ERROR.message,
                "error": {"code": _ERROR.code, "request_id": self._id, "details": []},
                "method": method,
                "uri": uri,
                "code": _ERROR.status,
                "message": _ERROR.message,
            }
        )
        headers = _HEADERS  # one for all: nobody keeps it
        headers.pop("Connection", None)
        headers["Date"] = date()
        headers["X-Request-Id"] = self._id
        headers["Content-Length"] = str(len(body))
        self._connection.write_headers(_START_LINE, headers, b"" if method == "HEAD" else body)
        self._connection.finish()
        self._refused(self._request, self._id)
