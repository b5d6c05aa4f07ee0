"""The log lines and the metrics of requests, recorded together once in each turn of the loop."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Iterable
from typing import Any

from tornado.web import RequestHandler

from .. import log
from ..telemetry import metrics
from .route_names import RouteNames, action_name

MAX_PATH = 500
_NO_REQUEST = contextvars.Context()  # else each line would have the ids of the turn's first request


class RequestLog:
    """The requests that were answered in this turn of the loop, which are recorded after it."""

    def __init__(self, names: RouteNames) -> None:
        self._names = names
        self._answered: list[tuple[RequestHandler, int, float]] = []

    def add(self, handler: RequestHandler, status: int, seconds: float) -> None:
        if not self._answered:
            asyncio.get_running_loop().call_soon(self._record, context=_NO_REQUEST)
        self._answered.append((handler, status, seconds))

    def _record(self) -> None:
        answered, self._answered = self._answered, []
        for handler, status, seconds in answered:
            resource = self._names.resource(handler)
            metrics.count_request(resource, action_name(handler), status, seconds)
        log.info(*(_line(*request) for request in answered))


def _line(handler: RequestHandler, status: int, seconds: float) -> log.Line:
    """Return the message and the fields of a request, its answer, its time and its user."""
    request = handler.request
    method, path, remote_ip = request.method, request.path[:MAX_PATH], request.remote_ip
    milliseconds = round(seconds * 1000, 1)
    request_id, user_id = getattr(handler, "request_id", "-"), getattr(handler, "user_id", "-")
    fields = {
        "method": method,
        "path": path,
        "status": status,
        "milliseconds": milliseconds,
        "remote_ip": remote_ip,
        "request_id": request_id,
        "user_id": str(user_id),
    }
    message = (
        f"{method} {path} {status} {milliseconds} ms id={request_id} user={user_id}"
        f" from={remote_ip}"
    )
    if (scope := getattr(handler, "scope", None)) and "trace_id" in scope.ids:
        fields["trace_id"] = scope.ids["trace_id"]
        message += f" trace={fields['trace_id']}"
    return message, fields


def log_refused(status: int, requests: Iterable[tuple[str, str, str]]) -> None:
    """Log requests that were refused before a handler was made for them: method, target and id."""
    lines = []
    for method, uri, request_id in requests:
        path = uri.partition("?")[0][:MAX_PATH]
        fields: dict[str, Any] = {
            "method": method,
            "path": path,
            "status": status,
            "request_id": request_id,
        }
        lines.append((f"{method} {path} {status} overloaded id={request_id}", fields))
    log.info(*lines)
