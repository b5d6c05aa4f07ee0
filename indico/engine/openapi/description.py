"""The description of one operation: its parameters, its body, and each of its responses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import orjson

from ..error import UnknownField
from ..http.json_answer import dumps
from ..http.keyed_call import REASON as KEY_REASON
from .examples import example_of
from .failures import LIMIT_HEADERS, failure_responses
from .operations import Field, Operation
from .request_headers import request_headers
from .schemas import Schema, Wanted, reasons_of, resolved

_CLOSED = {"additionalProperties": False}


def wanted(operation: Operation) -> Iterator[Wanted]:
    """Yield each type of an operation that needs a schema."""
    for name, adapter in operation.parameters.items():
        yield Wanted(f"{operation.name} {name}", "validation", adapter)
    for field in operation.fields:
        yield Wanted(f"{operation.name} {field.name}", "validation", field.adapter)
    if operation.body is not None:
        yield Wanted(f"{operation.name} body", "validation", operation.body)
    if (answer := operation.answer) is not None:
        yield Wanted(operation.name, "serialization", answer)


class Description:
    """The part of the document on `operation`; `schemas` has each of its `wanted` types."""

    def __init__(
        self,
        operation: Operation,
        schemas: Mapping[tuple[str, str], Schema],
        components: Mapping[str, Schema],
    ) -> None:
        self._of = operation
        self._schemas = schemas
        self._components = components

    def render(self) -> Schema:
        """Return the description; its text is the docstring of the action."""
        summary, _, rest = self._of.text.partition("\n\n")
        described: Schema = {
            "operationId": self._of.name,
            "tags": [self._of.resource],
            "summary": " ".join(summary.split()),
        }
        if rest:
            described["description"] = rest
        described["x-effect"] = self._of.effect
        if self._of.record.deprecation:
            described["deprecated"] = True
        if self._of.record.look_up:
            described["security"] = [{"token": []}]
        described["parameters"] = list(self._parameters())
        if self._of.takes_body:
            described["requestBody"] = self._body()
        described["responses"] = self._responses()
        return described

    def _parameters(self) -> Iterator[Schema]:
        for name in self._of.parameters:
            schema = self._schemas[f"{self._of.name} {name}", "validation"]
            yield {"name": name, "in": "path", "required": True, "schema": schema}
        if not self._of.takes_body:
            for field in self._of.fields:
                schema = self._sent(field, in_query=True)
                where = {"name": field.name, "in": "query", "required": field.required}
                yield {**where, "schema": schema}
        yield from request_headers(self._of)

    def _body(self) -> Schema:
        schema = self._body_schema()
        required = bool(schema.get("required")) or self._of.is_rest
        example = example_of(schema, self._components)
        content = {"application/json": {"schema": schema, "example": example}}
        return {"required": required, "content": content}

    def _body_schema(self) -> Schema:
        if self._of.body is not None:
            schema = self._schemas[f"{self._of.name} body", "validation"]
            closed = self._of.record.known is not None
            return {**resolved(schema, self._components), **_CLOSED} if closed else schema
        fields = self._of.fields
        schema = {
            "type": "object",
            "properties": {field.name: self._sent(field) for field in fields},
            **(_CLOSED if self._of.record.known is not None else {}),
        }
        if required := [field.name for field in fields if field.required]:
            schema["required"] = required
        if reasons := self._of.own_reasons:
            schema["x-reasons"] = reasons
        return schema

    def _sent(self, field: Field, in_query: bool = False) -> Schema:
        """Return the schema of a field with its default; null stands for a default of None."""
        schema = self._schemas[f"{self._of.name} {field.name}", "validation"]
        if field.required:
            return schema
        if field.default is None:
            return schema if in_query else {"anyOf": [schema, {"type": "null"}], "default": None}
        return {**schema, "default": orjson.loads(dumps(field.default))}

    def _responses(self) -> Schema:
        answers = {}
        status, schema = self._of.record.status, self._answer()
        if schema is None:
            status = 204 if status == 200 else status
        answers[str(status)] = self._success(status, schema)
        if self._of.is_rest and self._of.method == "get":
            answers["304"] = {"description": "The client has this version already."}
        answers.update(failure_responses(self._of, self._reasons()))
        return answers

    def _success(self, status: int, schema: Schema | None) -> Schema:
        names = ["X-Request-Id", *(["ETag"] if self._of.is_rest else [])]
        names += ["Location"] if self._of.is_rest and status == 201 else []
        names += ["Idempotent-Replayed"] if self._of.takes_key else []
        names += LIMIT_HEADERS if self._of.record.limits else []
        if self._of.record.deprecation:
            names += self._of.record.deprecation.headers
        response: Schema = {
            "description": "The answer.",
            "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in names},
        }
        if schema is not None:
            kinds = self._of.handler.media_types
            shown = {"schema": schema, "example": example_of(schema, self._components)}
            response["content"] = dict.fromkeys(kinds, shown)
        return response

    def _answer(self) -> Schema | None:
        """Return the schema of what is answered; None for no body."""
        schema = self._schemas.get((self._of.name, "serialization"))
        if not self._of.in_envelope:
            return schema
        status = self._of.record.status
        return {
            "type": "object",
            "required": ["status", "data"],
            "properties": {"status": {"type": "integer", "const": status}, "data": schema},
        }

    def _reasons(self) -> set[str]:
        """Return the reasons of a problem with the fields, the body or the headers."""
        names = [field.name for field in self._of.fields] or ["body"]
        keys = [(f"{self._of.name} {name}", "validation") for name in names]
        schemas = [self._schemas[key] for key in keys if key in self._schemas]
        reasons = {r for schema in schemas for r in reasons_of(schema, self._components)}
        reasons.update(
            self._of.own_reasons, ["timeout"], [KEY_REASON] if self._of.takes_key else ()
        )
        if any(field.required for field in self._of.fields):
            reasons.add("missing")
        if self._of.takes_body:
            reasons.add("int_too_long")
            reasons.update(UnknownField.reasons if self._of.record.known is not None else ())
        return reasons
