"""The engine's own HTTP server, with handlers and clients that others don't have."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import ssl
from contextlib import suppress
from typing import Any
from unittest.mock import Mock, patch

import uvloop
from tornado.httpclient import HTTPRequest
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPHeaders, ResponseStartLine
from tornado.testing import gen_test
from tornado.web import RequestHandler, stream_request_body
from tornado.websocket import WebSocketClosedError, WebSocketHandler, websocket_connect

from ...http import tunnel
from ...http.tunnel import Pump
from ..environment import LOOP
from ..server_test import read_answer
from .http_servers import HTTPServerTest, get, our_server, post_head, until
from .test_tls import certificate, server_context

MEBIBYTE = 1 << 20
LARGE = 64 * MEBIBYTE
UPGRADE = get(
    b"/echo",
    b"Upgrade: websocket",
    b"Connection: Upgrade",
    b"Sec-WebSocket-Version: 13",
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)
# RFC 6455, section 5.7: a masked text frame that says Hello, and one that is not.
MASKED_HELLO = bytes.fromhex("818537fa213d7f9f4d5158")
HELLO = bytes.fromhex("810548656c6c6f")


class LargeHandler(RequestHandler):
    """Handler whose answer is larger than the kernel's buffers."""

    closed: list[str]

    def get(self) -> None:
        self.write(b"x" * LARGE)

    def on_finish(self) -> None:
        self.closed.append("finished")


@stream_request_body
class StreamHandler(RequestHandler):
    """Handler that fails at a chosen place, at once or after a moment."""

    async def prepare(self) -> None:
        connection: Any = self.request.connection
        connection.set_body_timeout(0.2 if self.get_query_argument("hurry", "") else 60)
        if self.get_query_argument("early", ""):
            self.write("begun")
            await self.flush()

    def data_received(self, chunk: bytes) -> Any:
        fault = self.get_query_argument("fault", "")
        if fault == "now":
            raise RuntimeError("now")
        return self.later() if fault == "later" else None

    async def later(self) -> None:
        await asyncio.sleep(0)
        raise RuntimeError("later")

    def post(self) -> None:
        self.write("done")


class ForgingHandler(RequestHandler):
    """Handler that bypasses Tornado's check of headers."""

    def get(self) -> None:
        headers = HTTPHeaders()
        headers["X-A"] = "b\r\nX-B: c"
        connection: Any = self.request.connection
        connection.write_headers(ResponseStartLine("", 200, "OK"), headers)


class EchoHandler(WebSocketHandler):
    async def on_message(self, message: str | bytes) -> None:
        with suppress(WebSocketClosedError):
            await self.write_message(message, binary=isinstance(message, bytes))


class StreamTest(HTTPServerTest):
    settings = {"body_timeout_seconds": 300}  # noqa: RUF012 - beyond that of any test
    routes = [(r"/stream", StreamHandler), (r"/forging", ForgingHandler)]  # noqa: RUF012

    async def sent(self, query: bytes, *parts: bytes) -> bytes:
        """Send the parts of a body, and return all that comes back."""
        reader, writer = await self.connect()
        writer.write(post_head(b"/stream?" + query, b"Transfer-Encoding: chunked"))
        for part in parts:
            await asyncio.sleep(0.01)
            writer.write(part)
        return await reader.read()

    @gen_test(timeout=60)
    async def test_a_fault_while_it_reads_ends_the_connection(self) -> None:
        for fault in (b"now", b"later"):
            with self.assertLogs("tornado.application", logging.ERROR) as logs:
                self.assertEqual(await self.sent(b"fault=" + fault, b"1\r\nx\r\n"), b"")
            self.assertIn("Uncaught exception", logs.output[0])

    @gen_test(timeout=60)
    async def test_what_is_malformed_ends_the_connection(self) -> None:
        with self.assertLogs("tornado.general", logging.INFO) as logs:
            self.assertIn(b" 400 ", await self.sent(b"", b"1\r\nx\r\n", b"zz\r\n"))
        self.assertIn("127.0.0.1", logs.output[0])

    @gen_test(timeout=60)
    async def test_a_body_has_a_time_of_its_own(self) -> None:
        self.assertEqual(await self.sent(b"hurry=1", b"1\r\nx\r\n"), b"")

    @gen_test(timeout=60)
    async def test_headers_can_not_be_forged(self) -> None:
        reader, writer = await self.connect()
        with self.assertLogs("tornado.application", logging.ERROR):
            writer.write(get(b"/forging"))
            status, headers, _ = await read_answer(reader)
        self.assertEqual(status, 500)
        self.assertNotIn("x-b", headers)


class BegunAnswerTest(HTTPServerTest):
    varies_with = (LOOP,)
    make = staticmethod(our_server)  # Tornado's writes its 400 into the middle of the answer
    routes = [(r"/stream", StreamHandler)]  # noqa: RUF012

    @gen_test(timeout=60)
    async def test_what_is_malformed_after_the_answer_has_begun(self) -> None:
        reader, writer = await self.connect()
        writer.write(post_head(b"/stream?early=1", b"Transfer-Encoding: chunked"))
        await reader.readuntil(b"begun\r\n")
        writer.write(b"zz\r\n")
        self.assertEqual(await reader.read(), b"")


class TakesNothingTest(HTTPServerTest):
    """A client that reads nothing while the server stops."""

    varies_with = (LOOP,)
    make = staticmethod(our_server)
    routes = [(r"/large", LargeHandler)]  # noqa: RUF012

    def setUp(self) -> None:
        super().setUp()
        LargeHandler.closed = []

    @gen_test(timeout=60)
    async def test_the_server_stops_meanwhile(self) -> None:
        _, writer = await self.connect()
        writer.write(get(b"/large"))
        await until(lambda: LargeHandler.closed)
        self.server.stop()
        await self.server.close_all_connections()
        await until(lambda: not self.server.connections)

    @property
    def server(self) -> Any:
        return self.http_server


class EarlyFrameTest(HTTPServerTest):
    routes = [(r"/echo", EchoHandler)]  # noqa: RUF012

    @gen_test(timeout=60)
    async def test_a_frame_that_comes_with_the_request(self) -> None:
        reader, writer = await self.connect()
        writer.write(UPGRADE + MASKED_HELLO)
        head = await reader.readuntil(b"\r\n\r\n")
        self.assertIn(b" 101 ", head)
        self.assertEqual(await reader.readexactly(len(HELLO)), HELLO)
        writer.write(MASKED_HELLO * 1000)
        self.assertEqual(await reader.readexactly(len(HELLO) * 1000), HELLO * 1000)
        writer.close()

    @gen_test(timeout=60)
    async def test_the_client_leaves_at_once(self) -> None:
        for _ in range(20):
            _, writer = await self.connect()
            writer.write(UPGRADE + MASKED_HELLO)
            await writer.drain()
            writer.transport.abort()
            await asyncio.sleep(0.005)
        reader, writer = await self.connect()
        writer.write(UPGRADE)
        self.assertIn(b" 101 ", await reader.readuntil(b"\r\n\r\n"))


class TunnelTest(HTTPServerTest):
    """Tunnel between a client and the socket that stands for it, when one of them is gone."""

    varies_with = ()
    make = staticmethod(our_server)
    policy = uvloop.EventLoopPolicy  # its transports mind what is done to them once they are closed

    async def transport(self, end: socket.socket) -> asyncio.Transport:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_connection(asyncio.Protocol, sock=end)
        return transport

    @gen_test
    async def test_the_client_is_gone_before_it_is_joined(self) -> None:
        far, near = socket.socketpair()
        client = await self.transport(near)
        client.close()
        ours, theirs = socket.socketpair()
        await tunnel.connect(client, ours, b"first")
        reader, writer = await asyncio.open_connection(sock=theirs)
        self.assertEqual(await reader.read(), b"")
        writer.close()
        far.close()

    @gen_test
    async def test_the_other_is_gone_before_there_is_room_again(self) -> None:
        far, near = socket.socketpair()
        transport = await self.transport(near)
        transport.close()
        await asyncio.sleep(0)
        Pump(transport).resume_writing()
        far.close()

    @gen_test
    async def test_a_client_that_takes_nothing(self) -> None:
        far, near = socket.socketpair()
        client = await self.transport(near)
        ours, theirs = socket.socketpair()
        await tunnel.connect(client, ours, b"")
        protocol = Mock(spec=asyncio.Protocol)
        client.set_protocol(protocol)
        client.write(b"x" * (8 << 20))
        with patch.object(tunnel, "FLUSH_SECONDS", 0.01):
            theirs.close()
            await until(lambda: protocol.connection_lost.called)
        far.close()


class SecureWebSocketTest(HTTPServerTest):
    routes = [(r"/echo", EchoHandler)]  # noqa: RUF012

    def get_http_server(self) -> HTTPServer:
        return type(self).make(self._app, self.config, server_context())

    @gen_test(timeout=60)
    async def test_valid(self) -> None:
        trusted = ssl.create_default_context(cadata=certificate()[0])
        url = f"wss://localhost:{self.get_http_port()}/echo"
        client = await websocket_connect(HTTPRequest(url, ssl_options=trusted))
        message = os.urandom(4 * MEBIBYTE)
        for _ in range(3):
            await client.write_message(message, binary=True)
            self.assertEqual(await client.read_message(), message)
        client.close()
        self.assertIsNone(await client.read_message())


class PongHandler(RequestHandler):
    def get(self) -> None:
        self.write("pong")


class StopTest(HTTPServerTest):
    varies_with = ()
    make = staticmethod(our_server)  # Tornado's server resets a client that waits
    policy = asyncio.DefaultEventLoopPolicy  # uvloop accepts the client first
    routes = [(r"/", PongHandler)]  # noqa: RUF012

    @gen_test
    async def test_who_waits_to_be_accepted_is_answered(self) -> None:
        await self.assert_serves()
        with socket.create_connection(("127.0.0.1", self.get_http_port())) as client:
            client.sendall(get(b"/", b"Connection: close"))
            self.http_server.stop()  # before the loop has seen the client
            answer = await asyncio.to_thread(client.recv, 1000)
            self.assertTrue(answer.startswith(b"HTTP/1.1 200 OK"), answer)
        with self.assertRaises(ConnectionRefusedError):
            await self.assert_serves()


class StopWithUvloopTest(StopTest):
    make = staticmethod(our_server)
    policy = uvloop.EventLoopPolicy
