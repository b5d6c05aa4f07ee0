"""The log line of a request."""

from __future__ import annotations

from typing import Any

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
    after = f" user={fields['user_id']} from={request.remote_ip}"
    _write(fields, f"{fields['milliseconds']} ms", after)


def log_refused(method: str, uri: str, status: int, request_id: str) -> None:
    """Log a request that was refused before a handler was made for it."""
    path = uri.partition("?")[0][:MAX_PATH]
    fields = {"method": method, "path": path, "status": status, "request_id": request_id}
    _write(fields, "overloaded")


def _write(fields: dict[str, Any], took: str, after: str = "") -> None:
    request = f"{fields['method']} {fields['path']} {fields['status']}"
    log.info(f"{request} {took} id={fields['request_id']}{after}", fields)
