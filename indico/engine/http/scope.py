"""The scope of one request while its task runs: log context, span and deadline."""

from __future__ import annotations

import math
from typing import Any

from tornado.httputil import HTTPServerRequest

from .. import log
from ..mongo.operation import DEADLINE, Deadline
from ..offload import CALLER
from ..telemetry import tracing

_NO_DEADLINE = Deadline()


class RequestScope:
    """The scope of one request; `span` is OpenTelemetry's, with the setting `tracing`."""

    __slots__ = ("_deadline", "entered", "ids", "span")

    def __init__(self) -> None:
        self.entered = False
        self.span: Any = None
        self.ids: dict[str, str] = {}
        self._deadline = _NO_DEADLINE

    def start_span(
        self,
        tracer: tracing.Tracer,
        request: HTTPServerRequest,
        request_id: str,
        route: str | None,
        project: str,
    ) -> None:
        """Start the span above all spans that the current task starts from now on."""
        self.span = tracer.request(
            request.method or "", request.path, route, request.headers, request._start_time
        )
        self.span.set_attribute(f"{project}.request_id", request_id)

    def enter(self, request: HTTPServerRequest, request_id: str) -> None:
        """Put the ids of the request, and of its trace, into all that the current task logs.

        Offloaded calls of the task count for the client's address.
        """
        self.entered = True
        CALLER.set(request.remote_ip)
        self.ids = ids = {"request_id": request_id}
        if self.span is not None:
            ids["trace_id"] = tracing.trace_id(self.span)
        elif sent := request.headers.get_list("Traceparent"):  # `in` would raise and catch
            trace_id = tracing.sent_trace_id(sent[0])
            ids |= {"trace_id": trace_id} if trace_id else {}
        log.REQUEST.set(ids)

    def set_deadline(self, at: float) -> None:
        """End what the current task asks of the database at this time of the loop's clock."""
        self._deadline = Deadline(at)
        DEADLINE.set(self._deadline)

    def lift_deadline(self) -> None:
        """Give the tasks that the action has started the time they take."""
        if self._deadline is not _NO_DEADLINE:
            self._deadline.at = math.inf

    def answered(self, status: int) -> None:
        """End the span."""
        if self.span is not None:
            tracing.end_request(self.span, status)
