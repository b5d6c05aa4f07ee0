"""The log line of a request."""

from __future__ import annotations

from collections.abc import Iterable

from tornado.web import RequestHandler

from .. import log

MAX_PATH = 500


def log_answered(handler: RequestHandler, status: int, seconds: float) -> None:
    """Log a request, the status of its answer, its time and its user."""
    request = handler.request
    fields = {
        "method": request.method,
        "path": request.path[:MAX_PATH],
        "status": status,
        "milliseconds": round(seconds * 1000, 1),
        "remote_ip": request.remote_ip,
        "request_id": getattr(handler, "request_id", "-"),
        "user_id": str(getattr(handler, "user_id", "-")),
    }
    log.info(
        (
            f"{request.method} {fields['path']} {status} {fields['milliseconds']} ms"
            f" id={fields['request_id']} user={fields['user_id']} from={request.remote_ip}",
            fields,
        )
    )


def log_refused(status: int, requests: Iterable[tuple[str, str, str]]) -> None:
    """Log requests that were refused before a handler was made for them: method, path and id."""
    lines = []
    for method, path, request_id in requests:
        fields = {"method": method, "path": path, "status": status, "request_id": request_id}
        lines.append((f"{method} {path} {status} overloaded id={request_id}", fields))
    log.info(*lines)
