"""A call from inside the server, with the same steps as a request: how all other carriers call.

A batch, a WebSocket and a TCP connection carry calls of actions. An action knows none of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import orjson
from pydantic import JsonValue, StringConstraints
from tornado.httputil import HTTPHeaders, RequestStartLine

from ..error import APIError, RouteNotFound, ServerError
from ..telemetry import metrics
from .error_answers import render_error
from .memory_connection import Client, MemoryConnection
from .request_log import log_uncalled
from .route_names import UNKNOWN

if TYPE_CHECKING:
    from .application import Application

Envelope = dict[str, JsonValue]
_OF_ERRORS = ("status", "data", "error")
ActionPath = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z_]+/[a-zA-Z_]+$")]


async def call(
    application: Application,
    client: Client,
    action: str,
    body: Mapping[str, Any],
    headers: HTTPHeaders,
) -> Envelope:
    """Return the envelope of the action `resource/name`.

    The call is admitted, limited, authenticated and logged as a request with these `headers`,
    which have an `X-Request-Id`. Only actions can be called. A cancelled caller ends the call.
    """
    call_id = headers["X-Request-Id"]
    if not application.names.has_actions(action.partition("/")[0]):
        return refuse(client, action, RouteNotFound(), call_id)
    connection = MemoryConnection(client, application.max_body_bytes)
    request = application.start_request(None, connection)
    request.headers_received(RequestStartLine("POST", f"/{action}", "HTTP/1.1"), headers)
    request.data_received(orjson.dumps(body))
    request.finish()
    try:
        return _envelope(await connection.answer, call_id)
    except asyncio.CancelledError:
        connection.close()
        raise


def _envelope(answer: bytes, call_id: str) -> Envelope:
    """Return an answer, without what an error has for clients of REST."""
    try:
        envelope = orjson.loads(answer)
    except orjson.JSONDecodeError:
        envelope = None
    if not isinstance(envelope, dict):  # an action that writes something else by itself
        return render_error(ServerError(), call_id)
    if "error" not in envelope:
        return envelope
    return {name: part for name, part in envelope.items() if name in _OF_ERRORS}


def refuse(client: Client, action: str, error: APIError, call_id: str) -> Envelope:
    """Log and count a call that reaches no action, and return its envelope.

    `action` is empty for a call that names none.
    """
    log_uncalled(client, action, error.status, call_id)
    metrics.count_request(UNKNOWN, UNKNOWN, error.status, 0)
    return render_error(error, call_id)
