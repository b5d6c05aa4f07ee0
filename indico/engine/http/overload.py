"""The refusal of a request that is one too many, with as little work as possible.

Work for refusals is missing for the admitted requests. An HTTP server therefore offers
`Overload.refuse` the bytes of a request first: a refusal parses, routes and looks up nothing.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable
from typing import TYPE_CHECKING, NamedTuple, cast

import orjson
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
from .errors import render_for_both
from .headers import date, new_id, request_id, sane_id
from .request_log import log_refused

if TYPE_CHECKING:
    from .cors import CORS

_ERROR = Overloaded()
_START_LINE = ResponseStartLine("HTTP/1.1", _ERROR.status, "Service Unavailable")
_HEADERS = {"Content-Type": "application/json", "Cache-Control": "no-store", **_ERROR.headers}
_VARYING = ("Date", "X-Request-Id", "Content-Length")
_HEAD = "".join(
    [
        f"HTTP/1.1 {_START_LINE.code} {_START_LINE.reason}\r\n",
        *(f"{name}: {value}\r\n" for name, value in _HEADERS.items()),
        *(f"{name}: %s\r\n" for name in _VARYING),
        "%s\r\n",
    ]
)
# The body with places for the JSON of an id, a method and a target, in this order.
_BODY = orjson.dumps(render_for_both(_ERROR, *["%b"] * 3)).replace(b'"%b"', b"%b")

# A whole request of the simplest kind. Its fields may give the length of the body and keep the
# connection, and nothing else about either. The expression never backtracks.
_FIELD = (
    rb"(?:(?!(?i:content-length|transfer-encoding|connection|expect|upgrade):)"
    rb"[!#$%&'*+.^_`|~0-9A-Za-z-]++:[\t -~]*+\r\n"
    rb"|(?i:connection: *keep-alive)\r\n)*+"
)
_SIMPLE = re.compile(
    rb"([A-Z]++) (/[!-~]*+) HTTP/1\.1\r\n"
    + _FIELD
    + rb"(?:(?i:content-length): *(\d{1,4})\r\n)?+"
    + _FIELD
    + rb"\r\n"
)
_ID = re.compile(rb"\r\n(?i:x-request-id):[\t ]*+([!-~]*+)[\t ]*+(?=\r\n)")


class Refused(NamedTuple):
    """The parts of a request that its refusal repeats."""

    method: str
    uri: str
    request_id: str


class Overload:
    """The refusal of requests while `admission` is full, and of bodies that it can't hold.

    A request is refused as early as its form allows, always with the same answer: `refuse` before
    it is parsed, `discard` after its head, `admit` if admission was not full until its body ended,
    `refuse_parsed` if its body is one too many.
    """

    def __init__(self, admission: Admission, cors: CORS | None = None) -> None:
        self.admission = admission
        self._cors = cors
        self._refused: list[Refused] = []  # in this turn of the loop

    def refuse(self, data: bytes) -> bytes | None:
        """Return the answer to `data`, if that is one simple request, and one too many.

        None leaves `data` to the parser.
        """
        if not self.admission.full or (request := parse_simple(data)) is None:
            return None
        self._count(request)
        return serialize(request, self._cors.lines(data) if self._cors else "")

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

    def refuse_parsed(self, request: HTTPServerRequest) -> None:
        """Answer and release a request whose body is complete."""
        refused = Refused(request.method or "", request.uri or "", request_id(request.headers))
        self.answer(cast(HTTPConnection, request.connection), refused, request.headers)
        self.admission.release(request)

    def answer(self, connection: HTTPConnection, request: Refused, sent: HTTPHeaders) -> None:
        """Write the same answer as `serialize`, through Tornado's interface."""
        values, body = _render(request)
        headers = HTTPHeaders(_HEADERS)
        for name, value in zip(_VARYING, values, strict=True):
            headers[name] = value
        if self._cors is not None:
            headers.update(self._cors.fields(sent))
        connection.write_headers(_START_LINE, headers, body)
        connection.finish()
        self._count(request)

    def _count(self, request: Refused) -> None:
        self._refused.append(request)
        if len(self._refused) == 1:
            asyncio.get_running_loop().call_soon(self._tell)

    def _tell(self) -> None:
        """Count and log the refusals of a turn of the loop together, which takes less time."""
        metrics.REFUSED.inc(len(self._refused))
        log_refused(_ERROR.status, self._refused)
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
        self._refused: tuple[Refused, HTTPHeaders] | None = None

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        method, uri, _ = cast(RequestStartLine, start_line)
        if uri.partition("?")[0] in ALWAYS_ADMITTED:
            return self._request.headers_received(start_line, headers)
        self._refused = Refused(method, uri, request_id(headers)), headers
        return None

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        return None if self._refused else self._request.data_received(chunk)

    def finish(self) -> None:
        if self._refused:
            self._overload.answer(self._connection, *self._refused)
        else:
            self._request.finish()

    def on_connection_close(self) -> None:
        if not self._refused:
            self._request.on_connection_close()


def parse_simple(data: bytes) -> Refused | None:
    """Return the request in `data`; None unless `data` is one simple request, as most are."""
    head = _SIMPLE.match(data)
    if head is None or head.end() + int(head[3] or 0) != len(data):
        return None
    uri = head[2].decode("ascii")
    if uri.partition("?")[0] in ALWAYS_ADMITTED:
        return None
    ids = _ID.findall(data, 0, head.end())
    its_id = sane_id(b",".join(ids).decode("ascii")) if ids else new_id()
    return Refused(head[1].decode("ascii"), uri, its_id)


def serialize(request: Refused, lines: str = "") -> bytes:
    """Return the answer to `request`, head and body, with more `lines` in its head."""
    values, body = _render(request)
    return (_HEAD % (*values, lines)).encode("ascii") + body


def _render(request: Refused) -> tuple[tuple[str, ...], bytes]:
    """Return the values of the `_VARYING` fields, and the body."""
    method, uri, its_id = request
    body = _BODY % (orjson.dumps(its_id), orjson.dumps(method), orjson.dumps(uri))
    return (date(), its_id, str(len(body))), b"" if method == "HEAD" else body
