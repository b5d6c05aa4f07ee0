"""Traces: the spans of a request, their parents, and how they leave the process."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import socket
import subprocess
import sys
import time
from contextlib import closing
from typing import Any
from unittest import TestCase
from unittest.mock import patch

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from ...mongo import connection as db
from ...telemetry import tracing
from ..process.in_process import InProcessServer, run_main
from ..sample.server import PROGRAM
from ..server_process import ENGINE, ROOT, ProcessTest, RunningServer, ServerProcess
from ..server_test import PASSWORD, ServerTest, mongodb_uri
from .collector import Collector, attributes

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
SAMPLED, NOT_SAMPLED = f"00-{TRACE}-{PARENT}-01", f"00-{TRACE}-{PARENT}-00"
# A later version may have more fields. The others are invalid in every version.
LATER = f"cc-{TRACE}-{PARENT}-01-what-else"
WRONG = (
    *("", "00", TRACE, f"ff-{TRACE}-{PARENT}-01", f"00-{TRACE.upper()}-{PARENT}-01"),
    *(f"00-{'0' * 32}-{PARENT}-01", f"00-{TRACE}-{'0' * 16}-01", f"00-{TRACE}-{PARENT}"),
)


class SpanTest(ServerTest):
    def setUp(self) -> None:
        super().setUp()
        self.exporter = InMemorySpanExporter()
        tracing.trace_with("sample", "1.2.3", SimpleSpanProcessor(self.exporter))
        self.addCleanup(tracing.stop)

    def spans(self) -> list[ReadableSpan]:
        """Return the spans that have ended since the last call."""
        ended = list(self.exporter.get_finished_spans())
        self.exporter.clear()
        return ended

    def span(self) -> Any:
        """Return the span of the only request."""
        (span,) = [span for span in self.spans() if span.kind == SpanKind.SERVER]
        return span

    def test_action(self) -> None:
        token = self.register()["token"]
        self.spans()
        response = self.post("/user/get?secret=1", token=token)
        span = self.span()
        self.assertEqual(span.name, "POST /user/get")
        self.assertEqual(
            dict(span.attributes),
            {
                "http.request.method": "POST",
                "http.route": "/user/get",
                "http.response.status_code": 200,
                "url.path": "/user/get",
                "sample.request_id": response.headers["X-Request-Id"],
            },
        )
        self.assertEqual(span.status.status_code, StatusCode.UNSET)
        self.assertIsNone(span.parent)
        self.assertGreater(span.end_time, span.start_time)

    def test_operations_are_below_it(self) -> None:
        token = self.register()["token"]
        self.spans()
        self.post("/user/get", token=token)
        *operations, request = self.spans()
        self.assertEqual(request.kind, SpanKind.SERVER)
        names = [operation.name for operation in operations]
        self.assertEqual(names, ["find_by_id sample_sessions", "find_by_id sample_users"])
        for operation in operations:
            assert operation.parent and operation.context and request.context
            assert operation.start_time and request.start_time
            self.assertEqual(operation.kind, SpanKind.CLIENT)
            self.assertEqual(operation.parent.span_id, request.context.span_id)
            self.assertEqual(operation.context.trace_id, request.context.trace_id)
            self.assertGreaterEqual(operation.start_time, request.start_time)
        self.assertEqual(
            dict(operations[0].attributes or {}),
            {
                "db.system.name": "mongodb",
                "db.collection.name": "sample_sessions",
                "db.operation.name": "find_by_id",
            },
        )

    def test_each_request_has_its_own_operations(self) -> None:
        """Operations of several requests share round trips, but not spans."""
        tokens = [self.register(f"{name}@example.com")["token"] for name in "abcdefgh"]
        self.spans()

        async def all_at_once() -> None:
            await asyncio.gather(*(self.ask("/user/get", token) for token in tokens))

        self.run_async(all_at_once())
        spans = self.spans()
        requests = [span.context for span in spans if span.kind == SpanKind.SERVER]
        self.assertEqual(len(requests), len(tokens))
        for request in requests:
            assert request
            below = [s.name for s in spans if s.parent and s.parent.span_id == request.span_id]
            self.assertEqual(below, ["find_by_id sample_sessions", "find_by_id sample_users"])

    async def ask(self, path: str, token: str) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        url = self.get_url(path)
        await self.http_client.fetch(url, method="POST", body="{}", headers=headers)

    def test_names_are_few(self) -> None:
        cases = (
            ("POST", "/user/nosuch", "POST /user/unknown"),
            ("GET", "/user/get", "GET /user/unknown"),
            ("GET", "/items", "GET /items"),
            ("GET", "/items/0123456789abcdef01234567", "GET /items/{}"),
            ("GET", "/nosuch/1", "GET"),
            ("BREW", "/healthz", "HTTP /healthz"),
        )
        for method, path, name in cases:
            self.fetch(path, method=method, allow_nonstandard_methods=True)
            span = self.span()
            self.assertEqual(span.name, name)
            self.assertEqual(span.attributes["url.path"], path)
            known = "_OTHER" if method == "BREW" else method
            self.assertEqual(span.attributes["http.request.method"], known)

    def test_errors(self) -> None:
        self.post("/user/get")
        self.assertEqual(self.span().status.status_code, StatusCode.UNSET)
        self.run_async(db.disconnect())
        self.post("/auth/login", {"email": "ada@example.com", "password": PASSWORD})
        operation, request = self.spans()
        for span, kind in ((operation, "unavailable"), (request, "503")):
            self.assertEqual(span.status.status_code, StatusCode.ERROR)
            self.assertEqual((span.attributes or {})["error.type"], kind)
            self.assertEqual((span.status.description, list(span.events)), (None, []))
        self.run_async(self.connect())

    def test_parent(self) -> None:
        for sent in (SAMPLED, LATER):
            self.post("/system/ping", traceparent=sent, tracestate="a=b")
            span = self.span()
            self.assertEqual(f"{span.context.trace_id:032x}", TRACE)
            self.assertEqual(f"{span.parent.span_id:016x}", PARENT)
            self.assertEqual(span.context.trace_state.get("a"), "b")

    def test_a_wrong_parent_is_none(self) -> None:
        for sent in WRONG:
            self.post("/system/ping", traceparent=sent)
            self.assertIsNone(self.span().parent, sent)

    def test_not_sampled(self) -> None:
        self.post(
            "/auth/login", {"email": "a@example.com", "password": "b"}, traceparent=NOT_SAMPLED
        )
        self.assertEqual(self.spans(), [])


class OffTest(ServerTest):
    def test_nothing_is_begun(self) -> None:
        self.assertIsNone(tracing.tracer)
        self.assertEqual(self.data(self.post("/system/ping", traceparent=SAMPLED)), "pong")
        tracing.stop()  # harmless


class SentTraceIdTest(TestCase):
    def test_valid(self) -> None:
        for sent in (SAMPLED, NOT_SAMPLED, LATER):
            self.assertEqual(tracing.sent_trace_id(sent), TRACE)

    def test_wrong(self) -> None:
        for sent in (*WRONG, f"{SAMPLED}\n", f" {SAMPLED}", f"00-{TRACE}-{PARENT}-0g"):
            self.assertIsNone(tracing.sent_trace_id(sent), sent)


class ResourceTest(TestCase):
    def service_name(self, **environment: str) -> Any:
        with patch.dict(os.environ, environment):
            tracing.trace_with("Address Book", "1.2.3", SimpleSpanProcessor(InMemorySpanExporter()))
        assert tracing.tracer
        name = tracing.tracer.provider.resource.attributes["service.name"]
        tracing.stop()
        return name

    def test_our_name(self) -> None:
        self.assertEqual(self.service_name(), "Address Book")

    def test_that_of_the_environment(self) -> None:
        self.assertEqual(self.service_name(OTEL_SERVICE_NAME="other"), "other")
        self.assertEqual(self.service_name(OTEL_RESOURCE_ATTRIBUTES="service.name=third"), "third")


class ExportTest(ProcessTest):
    """A server with `--tracing`; the environment names the collector."""

    def traced_flags(self, collector: int) -> list[str]:
        """Return the flags of a server that sends its spans to the collector on this port."""
        endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector}"}
        self.enterContext(patch.dict(os.environ, endpoint))
        database = ("--mongodb-uri", mongodb_uri(), "--mongodb-database", "test_tracing")
        return self.all_flags(*database, "--tracing", "--log-format", "json")

    def ping(self, server: RunningServer) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        connection.request("POST", "/system/ping", "{}", {"traceparent": SAMPLED})
        with closing(connection), connection.getresponse() as response:
            return response.status, response.headers["X-Request-Id"]

    def test_all_arrive_before_it_ends(self) -> None:
        server, pings = InProcessServer(), []

        def client(server: InProcessServer) -> None:
            pings.append(self.ping(server))
            server.call("/auth/login", {"email": "nobody@example.com", "password": PASSWORD})

        with Collector() as collector:
            self.assertEqual(server.run(client, *self.traced_flags(collector.port)), 0)
        ((status, request_id),) = pings
        self.assertEqual(status, 200)
        names = [span.name for span in collector.spans]
        operation = "find_one sample_users"
        self.assertEqual(
            names, ["POST /system/ping", operation, "POST /auth/login"], server.printed()
        )
        ping, find, login = collector.spans
        self.assertEqual((ping.trace_id.hex(), ping.parent_span_id.hex()), (TRACE, PARENT))
        self.assertEqual(find.parent_span_id, login.span_id)
        self.assertEqual(attributes(login)["http.response.status_code"], 401)
        resource = collector.resources[0]
        self.assertEqual(resource["service.name"], "sample")
        self.assertEqual(resource["process.pid"], os.getpid())
        self.log_lines_have_the_ids(server, request_id)

    def log_lines_have_the_ids(self, server: RunningServer, request_id: str) -> None:
        lines = [json.loads(line) for line in server.printed().splitlines() if line[0] == "{"]
        (line,) = [line for line in lines if line.get("path") == "/system/ping"]
        self.assertEqual((line["trace_id"], line["request_id"]), (TRACE, request_id))

    def test_a_collector_that_is_away_holds_nothing_up(self) -> None:
        with socket.socket() as deaf:  # accepts connections and never answers
            deaf.bind(("127.0.0.1", 0))
            deaf.listen()
            server = HastyServer(*self.traced_flags(deaf.getsockname()[1]))
            self.addCleanup(server.__exit__)
            server.wait_until_it_listens()
            self.assertEqual(self.ping(server)[0], 200)
            began = time.monotonic()
            self.assertEqual(server.stop(), 0)
            # Ten seconds is what OpenTelemetry allows an export.
            self.assertLess(time.monotonic() - began, 9)

    def test_not_installed(self) -> None:
        """`opentelemetry` can't be imported if the extra is not installed."""
        hidden = [name for name in sys.modules if name.split(".")[0] == "opentelemetry"]
        self.addCleanup(sys.modules.update, {name: sys.modules[name] for name in hidden})
        sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
        flags = self.all_flags("--mongodb-uri", mongodb_uri())
        code, text = run_main(*flags, "--tracing")
        (line,) = text.splitlines()
        self.assertEqual(code, 1)
        self.assertIn("pip install .[otel]", line)

        def client(untraced: InProcessServer) -> None:
            self.assertEqual(untraced.call("/system/ping")[0], 200)

        self.assertEqual(InProcessServer().run(client, *flags), 0)

    def test_off_imports_nothing_of_it(self) -> None:
        modules = f"{ENGINE}.process.serving, {PROGRAM.make_app.partition(':')[0]}"
        code = f"import sys, {modules}; sys.exit('opentelemetry' in sys.modules)"
        done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False)
        self.assertEqual(done.returncode, 0)


class HastyServer(ServerProcess):
    """The sample's server, which gives the collector a tenth of a second."""

    server = f"{__package__}.hasty_server"
