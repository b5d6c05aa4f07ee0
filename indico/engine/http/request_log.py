"""The log lines of a request."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from tornado.web import RequestHandler

from .. import log

if TYPE_CHECKING:
    from .memory_connection import Client

MAX_PATH = 500


def log_answered(handler: RequestHandler, status: int, seconds: float) -> None:
    """Log a request, the status of its answer, its time and its user."""
    log.info(_line(handler, status, seconds))


def log_failed(handler: RequestHandler, error: BaseException) -> None:
    """Log an error that is the server's fault, with its traceback."""
    request, request_id = handler.request, getattr(handler, "request_id", "-")
    fields = {"request_id": request_id}
    log.LOGGER.error(
        "%s %s failed id=%s",
        *(request.method, request.path, request_id),
        exc_info=error,
        extra={"fields": fields},
    )


def _line(handler: RequestHandler, status: int, seconds: float) -> log.Line:
    request = handler.request
    method, path, remote_ip = request.method, request.path[:MAX_PATH], request.remote_ip
    milliseconds = round(seconds * 10_000) / 10  # quicker than with digits
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
    # Only a call inside the server has a carrier: the context of a request over HTTP names none.
    context = getattr(request.connection, "context", None)
    if carrier := getattr(context, "carrier", None):
        fields["carrier"] = carrier
        message += f" by={carrier}"
    return message, fields


def log_uncalled(client: Client, action: str, status: int, request_id: str) -> None:
    """Log a call that was refused inside the server, before it became a request."""
    method, path = "POST", f"/{action}"[:MAX_PATH]
    remote_ip, carrier = client.remote_ip, client.carrier
    fields = {
        "method": method,
        "path": path,
        "status": status,
        "remote_ip": remote_ip,
        "request_id": request_id,
        "carrier": carrier,
    }
    message = f"{method} {path} {status} id={request_id} from={remote_ip} by={carrier}"
    log.info((message, fields))


def log_refused(status: int, requests: Iterable[tuple[str, str, str]]) -> None:
    """Log requests that were refused before a handler was made for them: method, path and id."""
    lines = []
    for method, path, request_id in requests:
        fields: dict[str, Any] = {
            "method": method,
            "path": path,
            "status": status,
            "request_id": request_id,
        }
        lines.append((f"{method} {path} {status} overloaded id={request_id}", fields))
    log.info(*lines)
