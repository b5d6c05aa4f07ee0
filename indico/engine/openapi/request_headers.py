"""The headers of a request that the document describes, beside the token."""

from __future__ import annotations

from collections.abc import Iterator

from ..error import PreconditionFailed
from ..http import keyed_call
from ..http.client_timeout import HEADER, MOST_MILLISECONDS
from .operations import Operation
from .schemas import Schema

_TIMEOUT = {
    "name": HEADER,
    "in": "header",
    "description": "The milliseconds that the client gives to the call. The server's own limit "
    "holds too.",
    "schema": {"type": "integer", "minimum": 1, "maximum": MOST_MILLISECONDS},
}
_KEY = {
    "name": keyed_call.HEADER,
    "in": "header",
    "description": "A key of this call: it happens once, however often it is sent with the key.",
    "schema": {"type": "string", "pattern": keyed_call.KEY},
}
_MATCH = {
    "name": "If-Match",
    "in": "header",
    "description": "The ETags of the versions that the call is meant for; otherwise it is a 412.",
    "schema": {"type": "string"},
}
_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "description": "The ETags of the versions that the client has: a GET of one of these is a 304.",
    "schema": {"type": "string"},
}
REQUEST_HEADERS: dict[str, Schema] = {
    str(header["name"]): header for header in (_TIMEOUT, _KEY, _MATCH, _NONE_MATCH)
}


def request_headers(operation: Operation) -> Iterator[Schema]:
    """Yield a reference to each header that the operation reads."""
    names = [HEADER, *([keyed_call.HEADER] if operation.takes_key else [])]
    if operation.is_rest and PreconditionFailed in operation.record.raises:
        names += ["If-Match", "If-None-Match"]
    elif operation.is_rest and operation.method == "get":
        names += ["If-None-Match"]
    for name in names:
        yield {"$ref": f"#/components/parameters/{name}"}
