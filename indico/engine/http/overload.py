"""A request that is one too many, refused with as little work as possible.

The work for it is taken from the requests that are admitted. So an HTTP server that can asks
`Overload.refuse` first, with the bytes as they came: nothing is parsed, routed or looked up.
"""

from __future__ import annotations

import asyncio
import re
from typing import NamedTuple, cast

import orjson
from tornado.httputil import HTTPConnection, HTTPHeaders, HTTPServerRequest, ResponseStartLine

from ..error import Overloaded
from ..telemetry import metrics
from .admission import ALWAYS_ADMITTED, Admission
from .errors import render_for_both
from .headers import date, new_id, request_id, sane_id
from .request_log import log_refused

_ERROR = Overloaded()
_START_LINE = ResponseStartLine("HTTP/1.1", _ERROR.status, "Service Unavailable")
_HEADERS = {"Content-Type": "application/json", "Cache-Control": "no-store", **_ERROR.headers}
_FIELDS = "".join(f"{name}: {value}\r\n" for name, value in _HEADERS.items()).encode()
_HEAD = f"HTTP/1.1 {_START_LINE.code} {_START_LINE.reason}\r\n".encode() + _FIELDS

# A whole request of the simplest kind: its fields may say how long its body is, and that the
# connection is kept, and nothing else about either. No part of the text is tried twice.
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
    """What a refusal tells of its request."""

    method: str
    uri: str
    request_id: str


class Overload:
    """Refuses requests while `admission` is full."""

    def __init__(self, admission: Admission) -> None:
        self.admission = admission
        self._refused: list[Refused] = []  # in this turn of the loop

    def refuse(self, data: bytes) -> bytes | None:
        """Return the answer to `data`, if that is one simple request, and one too many.

        None leaves `data` to the parser; the request is refused when its body is complete.
        """
        if not self.admission.full or (request := parse_simple(data)) is None:
            return None
        self._count(request)
        return _HEAD + b"".join(_render(request))

    def admit(self, request: HTTPServerRequest) -> bool:
        """Admit a request whose body is complete to its handler, or answer and release it."""
        if self.admission.admit(request):
            return True
        refused = Refused(request.method or "", request.uri or "", request_id(request.headers))
        head, body = _render(refused)
        headers = HTTPHeaders.parse((_FIELDS + head).decode("ascii"))
        connection = cast(HTTPConnection, request.connection)
        connection.write_headers(_START_LINE, headers, body)
        connection.finish()
        self._count(refused)
        self.admission.release(request)
        return False

    def _count(self, request: Refused) -> None:
        self._refused.append(request)
        if len(self._refused) == 1:
            asyncio.get_running_loop().call_soon(self._tell)

    def _tell(self) -> None:
        """Count and log the refusals of a turn of the loop together, which takes less time."""
        metrics.REFUSED.inc(len(self._refused))
        for request in self._refused:
            log_refused(request.method, request.uri, _ERROR.status, request.request_id)
        self._refused.clear()


def parse_simple(data: bytes) -> Refused | None:
    """Return the one request that `data` is, if it is as simple as nearly all are."""
    head = _SIMPLE.match(data)
    if head is None or head.end() + int(head[3] or 0) != len(data):
        return None
    uri = head[2].decode("ascii")
    if uri.partition("?")[0] in ALWAYS_ADMITTED:
        return None
    ids = _ID.findall(data, 0, head.end())
    its_id = sane_id(b",".join(ids).decode("ascii")) if ids else new_id()
    return Refused(head[1].decode("ascii"), uri, its_id)


def _render(request: Refused) -> tuple[bytes, bytes]:
    """Return the fields that differ from one answer to the next, and the body."""
    method, uri, its_id = request
    body = orjson.dumps(render_for_both(_ERROR, its_id, method, uri))
    fields = f"Date: {date()}\r\nX-Request-Id: {its_id}\r\nContent-Length: {len(body)}\r\n\r\n"
    return fields.encode("ascii"), b"" if method == "HEAD" else body
