"""The errors of an operation as responses: each code of a status, with its reasons."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from typing import Any

from ..error import (
    APIError,
    AuthError,
    Conflict,
    DeadlineExceeded,
    Gone,
    IdempotencyKeyReused,
    InvalidArgument,
    InvalidJSON,
    PermissionDenied,
    RateLimited,
    ServerError,
    TooLarge,
    Unavailable,
    UnsupportedMediaType,
)
from .operations import Operation
from .schemas import Schema

# The status of each code, and when an answer has the code, for a person.
_CODES = {
    "malformed": (400, "The body is not a JSON object."),
    "invalid_argument": (400, "A field is missing or wrong."),
    "unauthenticated": (401, "The token is missing, unknown, revoked or expired."),
    "permission_denied": (403, "This caller, or a page of another origin, may not do this."),
    "not_found": (404, "The action or the document does not exist."),
    "method_not_allowed": (405, "The answer's `Allow` lists the right methods."),
    "conflict": (409, "The value exists already, or another call that changes it is under way."),
    "gone": (410, "The action was withdrawn, as its `Sunset` said."),
    "precondition_failed": (412, "The document has changed since the client read it."),
    "too_large": (413, "The body is over `max_body_bytes` or `max_body_values`."),
    "unsupported_media_type": (
        415,
        "A multipart body, an unknown encoding, or a cookie without JSON.",
    ),
    "idempotency_key_reused": (422, "The `Idempotency-Key` was sent with another call."),
    "rate_limited": (429, "Too many calls, as `RateLimit` says: wait `Retry-After` seconds."),
    "internal": (500, "A fault of the server: the log has the reason under the `request_id`."),
    "unavailable": (503, "MongoDB does not answer, or the load is too high: wait `Retry-After`."),
    "deadline_exceeded": (504, "The action took too long, and was cancelled."),
}
STATUSES = {code: status for code, (status, _) in _CODES.items()}
WHEN = {code: text for code, (_, text) in _CODES.items()}
_ANYTIME = (ServerError, Unavailable, DeadlineExceeded)
_OF_A_BODY = (InvalidJSON, TooLarge, UnsupportedMediaType)
# The keyword for known values to which a new version of the server may add others.
OPEN_ENUM = "x-extensible-enum"
_TEXT = {"type": "string"}
_DETAIL = {
    "type": "object",
    "required": ["path", "reason", "message"],
    "properties": {
        "path": _TEXT,
        "reason": _TEXT,
        "message": _TEXT,
    },
}
_ABOUT = {
    "type": "object",
    "required": ["code", "request_id", "details", "retryable"],
    "properties": {
        "code": {**_TEXT, "enum": list(WHEN)},
        "request_id": _TEXT,
        "details": {"type": "array", "items": _DETAIL},
        "retryable": {"type": "boolean"},
        "retry_after": {"type": "integer"},
    },
}
_ENVELOPE = {
    "type": "object",
    "description": "The answer to a call that failed.",
    "required": ["status", "data", "error"],
    "properties": {
        "status": {"type": "integer"},
        "data": _TEXT,
        "error": _ABOUT,
    },
}
_REST = {
    "type": "object",
    "description": "The answer to a request by REST that failed.",
    "required": ["method", "uri", "code", "message", "error"],
    "properties": {
        "method": _TEXT,
        "uri": _TEXT,
        "code": {"type": "integer"},
        "message": _TEXT,
        "error": _ABOUT,
    },
}
SHAPES = {"Failure": _ENVELOPE, "RestFailure": _REST}
# Headers of an answer to a call whose tokens a limit counts.
LIMIT_HEADERS = ("RateLimit-Policy", "RateLimit")
_HEADERS: dict[int, tuple[str, ...]] = {
    401: ("WWW-Authenticate",),
    405: ("Allow",),
    409: ("Retry-After",),
    429: ("Retry-After", *LIMIT_HEADERS),
    503: ("Retry-After",),
}


def failures(operation: Operation, reasons: Iterable[str]) -> dict[int, dict[str, set[str]]]:
    """Return the codes of each status, and the reasons of each code.

    `reasons` are those of the fields' types.
    """
    found: dict[int, dict[str, set[str]]] = {}
    for kind in _kinds(operation):
        own = set(reasons) if kind is InvalidArgument else set(kind.reasons)
        found.setdefault(kind.status, {}).setdefault(kind.code, set()).update(own)
    return {status: {c: found[status][c] for c in _CODES if c in found[status]} for status in found}


def failure_responses(operation: Operation, reasons: Iterable[str]) -> Iterator[tuple[str, Schema]]:
    """Yield the status and the response of each; a response without reasons is a component."""
    shape = "RestFailure" if operation.is_rest else "Failure"
    for status, codes in sorted(failures(operation, reasons).items()):
        if len(codes) == 1 and not any(codes.values()):
            yield str(status), {"$ref": f"#/components/responses/{_name(shape, *codes)}"}
        else:
            yield str(status), _response(_narrowed(shape, status, codes), status, codes)


def shared_responses(used: str) -> Schema:
    """Return the components that are `used` in the text of a document."""
    found = {}
    for shape in SHAPES:
        for code, status in STATUSES.items():
            name = _name(shape, code)
            if f'"#/components/responses/{name}"' in used:
                found[name] = _response({"$ref": f"#/components/schemas/{shape}"}, status, [code])
    return found


def _kinds(operation: Operation) -> Iterator[type[APIError]]:
    record = operation.record
    yield from _ANYTIME
    yield from operation.handler.own_errors
    yield from record.raises
    if operation.takes_body:
        yield from _OF_A_BODY
    yield InvalidArgument
    if operation.takes_key:
        yield from (Conflict, IdempotencyKeyReused)
    if record.limits or record.look_up:
        yield RateLimited  # by the setting `rate_limit`
    if record.look_up:
        yield AuthError
        yield PermissionDenied  # for the cookie of a browser
    if record.deprecation:
        yield Gone


def _response(schema: Schema, status: int, codes: Iterable[str]) -> Schema:
    headers = {"X-Request-Id": {"$ref": "#/components/headers/X-Request-Id"}}
    for name in _HEADERS.get(status, ()):
        headers[name] = {"$ref": f"#/components/headers/{name}"}
    return {
        "description": " ".join(f"`{code}`: {WHEN[code]}" for code in codes),
        "headers": headers,
        "content": {"application/json": {"schema": schema}},
    }


def _narrowed(shape: str, status: int, codes: dict[str, set[str]]) -> Schema:
    """Return the schema of an error that has this status, one of these codes and its reasons."""
    schema = copy.deepcopy(SHAPES[shape])
    del schema["description"]
    properties: Any = schema["properties"]
    rest = shape == "RestFailure"
    properties["code" if rest else "status"]["const"] = status
    about = properties["error"]["properties"]
    about["code"] = {**_TEXT, "enum": list(codes)}
    reasons = sorted(set().union(*codes.values(), {"malformed"} & codes.keys() if rest else ()))
    about["details"]["items"]["properties"]["reason"] = {**_TEXT, OPEN_ENUM: reasons}
    return schema


def _name(shape: str, code: str) -> str:
    return shape.removesuffix("Failure") + code.title().replace("_", "")
