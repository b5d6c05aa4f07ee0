"""The log line of a request."""

from __future__ import annotations

from typing import Any

from tornado.web import RequestHandler

from .. import log

MAX_PATH = 500


def log_answered(handler: RequestHandler) -> None:
    """Log what was asked, the status of the answer, the time it took, and the user."""
    request = handler.request
    milliseconds = round(request.request_time() * 1000, 1)
    user_id = str(getattr(handler, "user_id", "-"))
    _write(
        request.method or "",
        request.path,
        handler.get_status(),
        getattr(handler, "request_id", "-"),
        f"{milliseconds} ms",
        f" user={user_id} from={request.remote_ip}",
        milliseconds=milliseconds,
        remote_ip=request.remote_ip,
        user_id=user_id,
    )


def log_refused(method: str, uri: str, status: int, request_id: str) -> None:
    """Log a request that was refused before a handler was made for it."""
    _write(method, uri.partition("?")[0], status, request_id, "overloaded", "")


def _write(
    method: str, path: str, status: int, request_id: str, took: str, rest: str, **more: Any
) -> None:
    path = path[:MAX_PATH]
    fields = {"method": method, "path": path, "status": status, "request_id": request_id}
    log.info(f"{method} {path} {status} {took} id={request_id}{rest}", fields | more)
