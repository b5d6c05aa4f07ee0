"""`Conformance`: a test fails if the app answers what its OpenAPI document doesn't allow."""

from __future__ import annotations

import re
from typing import Any

from ..http.application import Application
from ..openapi.failures import OPEN_ENUM
from ..openapi.pages import api_of
from ..openapi.schemas import Schema


def conformance(app: Application) -> Conformance:
    """Return the rules of the document that `app` serves; they are made once for equal routes."""
    api = api_of(app)
    key = tuple(route[:2] for route in api.routes)
    if key not in _made:
        _made[key] = Conformance(api.document())
    return _made[key]


class Conformance:
    """The statuses, codes and reasons that a document allows for each of its operations."""

    def __init__(self, document: Schema) -> None:
        self._document = document
        self._paths = [
            (re.compile(re.sub(r"\{\w+\}", "[^/]+", path) + "/?"), methods)
            for path, methods in self._document["paths"].items()
        ]

    def problem(self, method: str, path: str, status: int, body: Any) -> str:
        """Return what an answer has that the document doesn't allow; "" if it allows the answer.

        A path or a method that is not in the document has no rules.
        """
        operation = self._find(method.lower(), path.partition("?")[0])
        if operation is None:
            return ""
        response = operation["responses"].get(str(status))
        where = f"{operation['operationId']} answered {status}"
        if response is None:
            return f"{where}, which the document doesn't name: does its action need a @raises?"
        error = body.get("error") if status >= 400 and isinstance(body, dict) else None
        return f"{where}{wrong}" if error and (wrong := self._wrong(response, error)) else ""

    def _find(self, method: str, path: str) -> Schema | None:
        for pattern, methods in self._paths:
            if pattern.fullmatch(path):
                found: Schema | None = methods.get("get" if method == "head" else method)
                return found
        return None

    def _wrong(self, response: Schema, error: Schema) -> str:
        if "$ref" in response:
            response = self._component(response)
        schema = response["content"]["application/json"]["schema"]
        about = self._component(schema)["properties"]["error"]["properties"]
        if error["code"] not in about["code"]["enum"]:
            return f" {error['code']}, which the document doesn't name: add it to @raises."
        allowed = about["details"]["items"]["properties"]["reason"].get(OPEN_ENUM)
        reasons = {detail["reason"] for detail in error["details"]}
        unknown = reasons - set(allowed) if allowed is not None else set()
        return f" for {unknown}: add @raises or Reasons." if unknown else ""

    def _component(self, schema: Schema) -> Schema:
        for name in schema.get("$ref", "#").split("/")[1:]:
            schema = self._document if name == "components" else schema
            schema = schema[name]
        return schema


_made: dict[tuple[Any, ...], Conformance] = {}
