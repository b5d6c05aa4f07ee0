"""`LineServerTest`: a test of the TCP service, on a real socket."""

from __future__ import annotations

import asyncio
from ssl import SSLContext
from typing import Any, ClassVar

from pydantic import JsonValue

from ...http.action_handler import ActionHandler
from ...http.decorators import type_check, unpack
from ...http.effects import read_only
from ..environment import LOOP
from ..http.http_servers import HTTPServerTest
from .line_client import LineClient, close, serve_lines


class StepHandler(ActionHandler):
    """Actions that wait for the test, and count what the test asks for."""

    begun = ended = answered = 0
    go_on: asyncio.Event

    async def ping(self) -> str:
        return "pong"

    async def echo(self, body: dict[str, JsonValue]) -> dict[str, JsonValue]:
        return body

    async def waits(self) -> str:
        type(self).begun += 1
        try:
            await self.go_on.wait()
        finally:
            type(self).ended += 1
        return "done"

    @unpack("size")
    @type_check(int)
    async def large(self, size: int) -> str:
        type(self).answered += 1
        return "x" * size

    async def client(self) -> Any:
        return [self.request.remote_ip, self.request.protocol]

    @read_only  # so that a key needs no database
    async def headers(self) -> Any:
        return dict(self.request.headers)


class LineServerTest(HTTPServerTest):
    """Base of tests whose server `lines` has the actions of `StepHandler`."""

    varies_with = (LOOP,)
    routes: ClassVar[list[Any]] = [(r"/step/(?P<action>[a-zA-Z_]+)?", StepHandler)]

    def setUp(self) -> None:
        super().setUp()
        StepHandler.begun = StepHandler.ended = StepHandler.answered = 0
        StepHandler.go_on = asyncio.Event()
        self.clients: list[LineClient] = []
        self.lines, self.tcp_port = serve_lines(self._app, self.config, self.certificate())

    def tearDown(self) -> None:
        for client in self.clients:
            client.close()
        close(self.lines)
        super().tearDown()

    def certificate(self) -> SSLContext | None:
        return None

    async def join(self, **tls: Any) -> LineClient:
        """Return a new client."""
        client = await LineClient.connect(self.tcp_port, **tls)
        self.clients.append(client)
        return client

    async def assert_serves(self, path: bytes = b"/") -> None:
        """Make a call on a connection of its own."""
        client = await self.join()
        self.assertEqual((await client.ask("step/ping"))["data"], "pong")
        client.close()
