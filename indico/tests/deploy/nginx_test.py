"""`NginxTest`: nginx in front of the server of a test, and handlers to ask."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

from tornado.web import RequestHandler

from indico.engine.tests.http.http_servers import HTTPServerTest
from indico.engine.tests.http.test_websocket import EchoHandler
from indico.engine.tests.server_test import read_answer
from indico.tests.deploy.nginx import Nginx


class AskedHandler(RequestHandler):
    """Handler that answers with the parts of a request that reached the server."""

    connections: ClassVar[set[Any]] = set()

    async def get(self) -> None:
        connection: Any = self.request.connection
        self.connections.add(connection.context.address)
        self.write(
            {
                "headers": list(self.request.headers.get_all()),
                "body": self.text(),
                "client": self.request.remote_ip,
            }
        )

    post = delete = get

    def text(self) -> str:
        return self.request.body.decode()


class RefusingHandler(RequestHandler):
    """Handler that answers with a status for which nginx has its own page."""

    def get(self, status: str) -> None:
        self.set_status(int(status))
        self.set_header("X-Request-Id", "ours")
        self.write("ours")


class StreamHandler(RequestHandler):
    """Handler that sends the second half of its answer once `go_on` is set."""

    go_on: ClassVar[asyncio.Event]

    async def get(self) -> None:
        self.set_header("X-Accel-Buffering", "no")
        self.set_header("Content-Length", "10")
        self.write("first")
        await self.flush()
        await self.go_on.wait()
        self.write("after")


class NginxTest(HTTPServerTest):
    """nginx in front of the server of the test."""

    routes = [  # noqa: RUF012
        (r"/echo", EchoHandler),
        (r"/asked", AskedHandler),
        (r"/refused/(\d+)", RefusingHandler),
        (r"/stream", StreamHandler),
    ]
    settings: ClassVar = {"trusted_proxies": "127.0.0.1"}
    edits: ClassVar[dict[str, str]] = {}

    def setUp(self) -> None:
        super().setUp()
        AskedHandler.connections.clear()
        EchoHandler.pongs, EchoHandler.closed = [], []
        self.folder = Path(self.enterContext(TemporaryDirectory(prefix="indico-nginx-")))
        self.nginx = Nginx(self.folder, self.server_ports(), self.edits)
        self.prepare()
        self.enterContext(self.nginx)

    def prepare(self) -> None:
        """Change the configuration before nginx starts."""

    def server_ports(self) -> list[int]:
        return [self.get_http_port()]

    async def answer(self, request: bytes) -> tuple[int, dict[str, str], bytes]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.nginx.port)
        self.writers.append(writer)
        writer.write(request)
        return await read_answer(reader)

    async def assert_error(self, request: bytes, status: int, code: str) -> dict[str, str]:
        """Check that nginx answers in the envelope; return the headers."""
        got, headers, body = await self.answer(request)
        self.assertEqual(got, status, (body, self.nginx.errors()))
        envelope = json.loads(body)
        self.assertEqual(envelope["status"], status)
        self.assertIsInstance(envelope["data"], str)
        error: dict[str, Any] = {"code": code, "request_id": headers["x-request-id"], "details": []}
        error["retryable"] = status in (429, 503)
        if "retry-after" in headers:
            error["retry_after"] = int(headers["retry-after"])
        self.assertEqual(envelope["error"], error)
        self.assertEqual(headers["content-type"], "application/json")
        self.assertEqual(headers["cache-control"], "no-store")
        self.assertEqual(headers["server"], "nginx")
        return headers
