"""`Refusal`: the answer to a request line while there is too much load, made once for its id."""

from __future__ import annotations

import functools
import re

import orjson

from ..error import Overloaded
from .admission import ALWAYS_ADMITTED
from .error_answers import render_for_both
from .headers import date, new_id, sane_id
from .request_log import MAX_PATH

STATUS = Overloaded.status
REASON = "Service Unavailable"
HEADERS = {"Content-Type": "application/json", "Cache-Control": "no-store"}
VARYING = ("Retry-After", "Date", "X-Request-Id", "Content-Length")
_HEAD = "".join(
    [
        f"HTTP/1.1 {STATUS} {REASON}\r\n",
        *(f"{name}: {value}\r\n" for name, value in HEADERS.items()),
        *(f"{name}: %s\r\n" for name in VARYING),
        "%s\r\n",
    ]
)

# A client that repeats a line finds its refusal made. Long lines would take megabytes.
_REMEMBERED_LINES = 1000
_REMEMBERED_LENGTH = 200

# A whole request of the simplest kind. Its fields may give the length of the body and keep the
# connection, and nothing else about either. The expressions never backtrack.
_LINE = re.compile(rb"(?!HEAD )([A-Z]++) (/[!-~]*+) HTTP/1\.1")
_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]"
_FIELD = (
    # Nearly all fields begin with another letter than the special ones.
    rb"(?:(?![CTEUcteu])" + _TOKEN + rb"++:[\t -~]*+\r\n"
    rb"|(?!(?i:content-length|transfer-encoding|connection|expect|upgrade):)"
    + _TOKEN
    + rb"++:[\t -~]*+\r\n"
    rb"|(?i:connection: *keep-alive)\r\n)*+"
)
_FIELDS = re.compile(_FIELD + rb"(?:(?i:content-length): *(\d{1,4})\r\n)?+" + _FIELD + rb"\r\n")
_ID = re.compile(rb"\r\n(?i:x-request-id):[\t ]*+([!-~]*+)[\t ]*+(?=\r\n)")


class Refusal:
    """The answer to all requests with one method and target; `path` is for the log.

    `seconds` are those of `Retry-After`.
    """

    __slots__ = ("_asked", "_made_for", "_template", "method", "path")

    def __init__(self, method: str, uri: str) -> None:
        self.method, self.path = method, uri.partition("?")[0][:MAX_PATH]
        self._asked = [orjson.dumps(text).replace(b"%", b"%%") for text in (method, uri)]
        self._made_for = (0, "", 0)  # what `_template` has no places for

    def render(self, request_id: str, seconds: int) -> tuple[tuple[str, ...], bytes]:
        """Return the values of the `VARYING` fields, and the body."""
        body = (self._body(seconds) % request_id).encode()
        return (str(seconds), date(), request_id, str(len(body))), body

    def serialize(self, request_id: str, seconds: int, lines: str = "") -> bytes:
        """Return the answer, head and body, with more `lines` in its head."""
        if self._made_for != (made_for := (seconds, date(), len(request_id))):
            (*first, _, length), _ = self.render(request_id, seconds)
            head = _HEAD % (*first, "%s", length, "%s")
            self._made_for, self._template = made_for, head + self._body(seconds)
        return (self._template % (request_id, lines, request_id)).encode("ascii")

    def _body(self, seconds: int) -> str:
        """Return the body with a place for the id."""
        return (_body(seconds) % (b'"%s"', *self._asked)).decode()


@functools.cache
def _body(seconds: int) -> bytes:
    """Return the body with places for the JSON of an id, a method and a target, in this order."""
    body = render_for_both(Overloaded(retry_after=seconds), *["%b"] * 3)
    return orjson.dumps(body).replace(b'"%b"', b"%b")


def refusal_of_simple(data: bytes) -> tuple[Refusal, str] | None:
    """Return the refusal of the request in `data`, and its id.

    Returns None unless `data` is one simple request, as most are.
    """
    end = data.find(b"\r\n")
    refusal = (_remembered if end <= _REMEMBERED_LENGTH else _refusal_of)(data[:end])
    if refusal is None:
        return None
    head = _FIELDS.match(data, end + 2)
    if head is None or head.end() + int(head[1] or 0) != len(data):
        return None
    ids = _ID.findall(data, end, head.end())
    return refusal, sane_id(b",".join(ids).decode("ascii")) if ids else new_id()


def _refusal_of(line: bytes) -> Refusal | None:
    parts = _LINE.fullmatch(line)
    if parts is None:
        return None
    method, uri = parts[1].decode("ascii"), parts[2].decode("ascii")
    return None if uri.partition("?")[0] in ALWAYS_ADMITTED else Refusal(method, uri)


_remembered = functools.lru_cache(_REMEMBERED_LINES)(_refusal_of)
