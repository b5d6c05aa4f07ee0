"""CORS: pages of other origins may call the API. The setting `cors_origins` lists the origins."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from tornado.httputil import HTTPHeaders, HTTPServerRequest

from .json_handler import JSONHandler

_EXPOSED = (
    "X-Request-Id, Retry-After, RateLimit, RateLimit-Policy, ETag, Location, Deprecation, Sunset, "
    "Link, Idempotent-Replayed"
)
_ORIGIN = re.compile(rb"\r\n(?i:origin):[\t ]*+([!-~]*+)[\t ]*+(?=\r\n)")
_PREFLIGHT_SECONDS = "7200"  # the most that Chrome keeps the answer to a preflight


class CORS:
    """The fields that let a page of an allowed origin read an answer."""

    def __init__(self, origins: Sequence[str]) -> None:
        self._allowed = {origin: _allowing(origin) for origin in origins}
        # The answer for `*` is the same for all origins, and caches may keep one for all of them.
        self._others = self._allowed.get("*", {"Vary": "Origin"})

    def fields(self, headers: HTTPHeaders) -> Mapping[str, str]:
        """Return the fields of the answer to a request with these headers."""
        return self._fields_for(",".join(headers.get_list("Origin")))

    def lines(self, request: bytes) -> str:
        """Return the same fields as lines, for a request that is not parsed."""
        origins = _ORIGIN.findall(request, 0, request.index(b"\r\n\r\n") + 2)
        fields = self._fields_for(b",".join(origins).decode("ascii"))
        return "".join(f"{name}: {value}\r\n" for name, value in fields.items())

    def _fields_for(self, origin: str) -> Mapping[str, str]:
        return self._allowed.get(origin, self._others)


class PreflightHandler(JSONHandler):
    """The answer to a browser that asks whether it may send a request; `methods` are the path's."""

    SUPPORTED_METHODS = ("OPTIONS",)

    def initialize(self, methods: Sequence[str]) -> None:
        self._methods = methods

    async def options(self, *path: str, **names: str) -> None:
        asked = ",".join(self.request.headers.get_list("Access-Control-Request-Headers"))
        self.set_header("Access-Control-Allow-Methods", ", ".join(self._methods))
        self.set_header("Access-Control-Allow-Headers", asked)
        self.set_header("Access-Control-Max-Age", _PREFLIGHT_SECONDS)
        self.clear_header("Content-Type")
        self.set_status(204)
        self.finish()


def is_preflight(request: HTTPServerRequest) -> bool:
    asked = request.headers.get_list("Access-Control-Request-Method")
    return request.method == "OPTIONS" and bool(asked)


def _allowing(origin: str) -> Mapping[str, str]:
    fields = {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Expose-Headers": _EXPOSED,
    }
    if origin == "*":
        return fields
    return {**fields, "Access-Control-Allow-Credentials": "true", "Vary": "Origin"}
