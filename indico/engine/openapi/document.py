"""The OpenAPI document of an API, made of the recorded facts of its operations."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, NamedTuple

from ..http.json_answer import dumps
from .description import Description, wanted
from .failures import SHAPES, shared_responses
from .operations import operations
from .preface import preface
from .request_headers import REQUEST_HEADERS
from .schemas import Schema, make_schemas

_HEADERS = {
    "X-Request-Id": "The id of the request, which its log line has too.",
    "Retry-After": "The seconds after which the client may try again.",
    "RateLimit-Policy": "Each limit of the call: its calls (`q`) in so many seconds (`w`).",
    "RateLimit": "What is left of each limit: calls (`r`), and the seconds until one more (`t`).",
    "WWW-Authenticate": "The scheme of a token that would be accepted.",
    "Allow": "The methods that the path answers.",
    "Deprecation": "The time since which the action is deprecated (RFC 9745).",
    "Sunset": "The time from which on the action answers 410 (RFC 8594).",
    "Link": "The path to call in its place.",
    "ETag": "The version of the answer, or of what the request made.",
    "Idempotent-Replayed": "`true` if the call was made before, and this is its first answer.",
    "Location": "The path of what the request made.",
}
_TOKEN = {"type": "http", "scheme": "bearer", "description": "The token of a login."}


class API(NamedTuple):
    """An API by its title, its version and its routes: pattern and handler class of each."""

    title: str
    version: str
    routes: Sequence[Sequence[Any]]

    def document(self) -> Schema:
        """Return the OpenAPI document.

        Raises `TypeError` for an operation that can't be described: without a docstring, without
        the type of its answer, or with `Any` in it.
        """
        found = list(operations(self.routes))
        for operation in found:
            operation.refuse_incomplete()
        schemas, components = make_schemas(each for one in found for each in wanted(one))
        paths: dict[str, Schema] = {}
        for one in found:
            description = Description(one, schemas, components).render()
            paths.setdefault(one.path, {})[one.method] = description
        tags = {one.resource: one.handler for one in reversed(found)}
        return {
            "openapi": "3.1.1",
            "info": {
                "title": self.title,
                "version": self.version,
                "description": preface(any(one.is_rest for one in found)),
            },
            "tags": [
                {"name": tag, "description": inspect.getdoc(kind) or ""}
                for tag, kind in reversed(tags.items())
            ],
            "paths": paths,
            "components": _shared(components, dumps(paths).decode()),
        }


def _shared(schemas: Schema, used: str) -> Schema:
    """Return the components; `used` is the text that refers to responses."""
    return {
        "schemas": {**SHAPES, **schemas},
        "responses": shared_responses(used),
        "headers": {
            name: {"description": text, "schema": {"type": "string"}}
            for name, text in _HEADERS.items()
        },
        "parameters": REQUEST_HEADERS,
        "securitySchemes": {"token": _TOKEN},
    }
