"""OpenTelemetry traces: a span for each request, with a child span for each operation.

`tracer` is None until `start()`, which imports OpenTelemetry.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor
    from opentelemetry.trace import Span

FLUSH_SECONDS: float = 3
# W3C Trace Context, section 3.2.2: version, trace, parent, flags. An id of zeros is invalid.
_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?"
)
_KNOWN_METHODS = {*("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE")}

tracer: Tracer | None = None


def start(service: str, version: str) -> None:
    """Send traces to the collector that the `OTEL_` variables name.

    Raises `ImportError` if the extra `otel` is not installed.
    """
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    trace_with(service, version, BatchSpanProcessor(OTLPSpanExporter()))


def trace_with(service: str, version: str, processor: SpanProcessor) -> None:
    """Give every span to `processor`."""
    global tracer
    tracer = Tracer(service, version, processor)


def stop() -> None:
    """Send the spans that are left, waiting for the collector for at most `FLUSH_SECONDS`."""
    global tracer
    if tracer is not None:
        stopping = threading.Thread(target=tracer.provider.shutdown, daemon=True)
        stopping.start()
        stopping.join(FLUSH_SECONDS)
        tracer = None


def sent_trace_id(traceparent: str) -> str | None:
    """Return the id of the client's trace, from the value of its `traceparent` header."""
    match = _TRACEPARENT.fullmatch(traceparent)
    return match[1] if match else None


class Tracer:
    """A maker of spans. `OTEL_TRACES_SAMPLER` samples them; by default the client does."""

    def __init__(self, service: str, version: str, processor: SpanProcessor) -> None:
        from opentelemetry import context, trace
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        attributes = os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
        named = "OTEL_SERVICE_NAME" in os.environ or "service.name=" in attributes
        resource = Resource.create({"service.version": version, "process.pid": os.getpid()})
        if not named:
            resource = resource.merge(Resource({"service.name": service}))
        self.provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self.provider.add_span_processor(processor)
        self._tracer = self.provider.get_tracer(__name__.partition(".")[0], version)
        self._extract = TraceContextTextMapPropagator().extract
        self._attach = context.attach
        self._trace = trace

    def request(
        self, method: str, path: str, route: str | None, headers: Mapping[str, str], began: float
    ) -> Span:
        """Start the span of a request. Spans that its task starts later are its children.

        `route` is one of few names, like `/user/update`, and None for an unknown path.
        `began` is in seconds since 1970.
        """
        known = method in _KNOWN_METHODS
        attributes = {"http.request.method": method if known else "_OTHER", "url.path": path}
        if route:
            attributes["http.route"] = route
        sent = {name: headers[name] for name in ("traceparent", "tracestate") if name in headers}
        span = self._tracer.start_span(
            " ".join(filter(None, [method if known else "HTTP", route])),
            self._extract(sent),
            self._trace.SpanKind.SERVER,
            attributes,
            start_time=int(began * 1e9),
        )
        self._attach(self._trace.set_span_in_context(span))
        return span

    @contextmanager
    def operation(self, collection: str, operation: str) -> Iterator[None]:
        """Record a span for an operation on the database, without its arguments."""
        span = self._tracer.start_span(
            f"{operation} {collection}",
            kind=self._trace.SpanKind.CLIENT,
            attributes={
                "db.system.name": "mongodb",
                "db.collection.name": collection,
                "db.operation.name": operation,
            },
        )
        try:
            yield
        except BaseException as error:
            span.set_attribute("error.type", getattr(error, "code", type(error).__name__))
            span.set_status(self._trace.StatusCode.ERROR)
            raise
        finally:
            span.end()


def trace_id(span: Span) -> str:
    return format(span.get_span_context().trace_id, "032x")


def end_request(span: Span, status: int) -> None:
    """End the span of a request with the status of its answer."""
    span.set_attribute("http.response.status_code", status)
    if status >= 500:
        from opentelemetry.trace import StatusCode

        span.set_attribute("error.type", str(status))
        span.set_status(StatusCode.ERROR)
    span.end()
