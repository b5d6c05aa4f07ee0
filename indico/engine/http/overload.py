"""The answer to a request that is one too many, made with as little work as can be.

What an overloaded server does for it is taken from those that it has accepted: so nothing is
routed or looked up, and the answer has the envelope as well as what REST clients look for.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import NamedTuple, cast

import orjson
from tornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPMessageDelegate,
    RequestStartLine,
    ResponseStartLine,
)

from ..error import Overloaded
from .headers import date, new_id, request_id, sane_id

# What is asked of a server to learn whether it has too much to do.
ALWAYS_ACCEPTED = frozenset({"/healthz", "/readyz", "/metrics"})

_ERROR = Overloaded()
_START_LINE = ResponseStartLine("HTTP/1.1", _ERROR.status, "Service Unavailable")
_HEADERS = {"Content-Type": "application/json", "Cache-Control": "no-store", **_ERROR.headers}
_HEAD = "".join(
    [
        f"HTTP/1.1 {_START_LINE.code} {_START_LINE.reason}\r\n",
        *(f"{name}: {value}\r\n" for name, value in _HEADERS.items()),
    ]
)

# A request that a glance can tell from all others: what it says of its body and its connection,
# if anything, is how long the one is, and that the other is kept. No part of it is tried twice.
_FIELD = (
    rb"(?:(?!(?i:content-length|transfer-encoding|connection|expect|upgrade):)"
    rb"[!#$%&'*+.^_`|~0-9A-Za-z-]++:[\t -~]*+\r\n"
    rb"|(?i:connection: *keep-alive)\r\n)*+"
)
_PLAIN = re.compile(
    rb"([A-Z]++) (/[!-~]*+) HTTP/1\.1\r\n"
    + _FIELD
    + rb"(?:(?i:content-length): *(\d{1,4})\r\n)?+"
    + _FIELD
    + rb"\r\n"
)
_ID = re.compile(rb"\r\n(?i:x-request-id):[\t ]*+([!-~]*+)[\t ]*+(?=\r\n)")


class Refused(NamedTuple):
    """What a refusal says of its request."""

    method: str
    uri: str
    request_id: str


def plain(data: bytes) -> Refused | None:
    """The one request that `data` is, if it is as simple as nearly all are."""
    head = _PLAIN.match(data)
    if head is None or head.end() + int(head[3] or 0) != len(data):
        return None
    path = head[2].decode("ascii")
    if path.partition("?")[0] in ALWAYS_ACCEPTED:
        return None
    ids = _ID.findall(data, 0, head.end())
    request_id = sane_id(b",".join(ids).decode("ascii")) if ids else new_id()
    return Refused(head[1].decode("ascii"), path, request_id)


def answer(request: Refused) -> bytes:
    """The refusal of it, head and body."""
    method, uri, request_id = request
    body = _body(method, uri, request_id)
    about = f"Date: {date()}\r\nX-Request-Id: {request_id}\r\nContent-Length: {len(body)}\r\n\r\n"
    return (_HEAD + about).encode("ascii") + (b"" if method == "HEAD" else body)


def _body(method: str, uri: str, request_id: str) -> bytes:
    return orjson.dumps(
        {
            "status": _ERROR.status,
            "data": _ERROR.message,
            "error": {"code": _ERROR.code, "request_id": request_id, "details": []},
            "method": method,
            "uri": uri,
            "code": _ERROR.status,
            "message": _ERROR.message,
        }
    )


class Refusal(HTTPMessageDelegate):
    """Reads a request to its end and refuses it, unless it is one of `ALWAYS_ACCEPTED`.

    `accept` makes the delegate of those; `refused` is told of others.
    """

    def __init__(
        self,
        connection: HTTPConnection,
        accept: Callable[[], HTTPMessageDelegate],
        refused: Callable[[Refused], None],
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
        body = _body(method, uri, self._id)
        headers = HTTPHeaders(_HEADERS)
        headers["Date"] = date()
        headers["X-Request-Id"] = self._id
        headers["Content-Length"] = str(len(body))
        self._connection.write_headers(_START_LINE, headers, b"" if method == "HEAD" else body)
        self._connection.finish()
        self._refused(Refused(method, uri, self._id))
