"""Errors as answers: which error stands for what was raised, and what its body holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tornado.web import HTTPError

from ..error import (
    APIError,
    AuthError,
    Conflict,
    DeadlineExceeded,
    Gone,
    InvalidArgument,
    InvalidJSON,
    MethodNotAllowed,
    PermissionDenied,
    PreconditionFailed,
    RateLimited,
    RouteNotFound,
    ServerError,
    Unavailable,
    UnsupportedMediaType,
    detail,
)

Body = dict[str, Any]


def as_api_error(status: int, raised: BaseException | None, methods: Sequence[str]) -> APIError:
    """Return the error that the client is told, for what was raised or refused by Tornado.

    `methods` are those that the path answers.
    """
    if isinstance(raised, APIError):
        return raised
    status = raised.status_code if isinstance(raised, HTTPError) else status
    return MethodNotAllowed(methods) if status == 405 else error_for_status(status)


def render_error(
    error: APIError, request_id: str, trace: Sequence[str] = (), repeatable: bool = False
) -> Body:
    """Return the envelope of an error; `trace` has lines with `debug` only.

    `repeatable` says whether it does no harm to make the same call twice.
    """
    about = _about(error, request_id, repeatable)
    if error.status == 500 and trace:
        about["trace"] = list(trace)
    return {"status": error.status, "data": _message(error), "error": about}


def render_rest_error(
    error: APIError,
    request_id: str,
    method: str,
    uri: str,
    trace: Sequence[str] = (),
    repeatable: bool = False,
) -> tuple[str | None, Body]:
    """Return the reason phrase, None for the usual one, and the body that REST clients expect."""
    about, message, reason = _about(error, request_id, repeatable), _message(error), None
    if isinstance(error, InvalidJSON):
        about["details"] = [detail("", error.code, message)]
        message = reason = "Invalid JSON body"
    elif isinstance(error, RouteNotFound):
        message = reason = "Unknown Endpoint"
    body = {"method": method, "uri": uri, "code": error.status, "message": message, "error": about}
    return reason, {**body, **({"trace": list(trace)} if trace else {})}


def render_for_both(error: APIError, request_id: str, method: str, uri: str) -> Body:
    """Return the envelope and the REST body in one, for a client of unknown kind."""
    _, body = render_rest_error(error, request_id, method, uri)
    return render_error(error, request_id) | body


def error_for_status(status: int) -> APIError:
    """Return the error for an HTTP status that Tornado or a handler chose."""
    kinds: dict[int, Callable[[], APIError]] = {
        401: AuthError,
        403: PermissionDenied,
        404: RouteNotFound,
        409: Conflict,
        410: Gone,
        412: PreconditionFailed,
        415: UnsupportedMediaType,
        429: RateLimited,
        503: Unavailable,
        504: DeadlineExceeded,
    }
    return kinds.get(status, InvalidArgument if 400 <= status < 500 else ServerError)()


def _about(error: APIError, request_id: str, repeatable: bool) -> Body:
    """Return what a program reads."""
    about: Body = {
        "code": error.code,
        "request_id": request_id,
        "details": error.details,
        "retryable": error.retry == "always" or (repeatable and error.retry == "idempotent"),
    }
    if (seconds := error.headers.get("Retry-After", "")).isdecimal():
        about["retry_after"] = int(seconds)
    return about


def _message(error: APIError) -> str:
    """Return what a person reads, without anything from inside the server."""
    return APIError.default_message if error.status == 500 else error.message
