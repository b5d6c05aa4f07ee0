"""Tornado's WebSocket handlers, mounted beside ours."""

from __future__ import annotations

from typing import Any

from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.testing import gen_test
from tornado.websocket import WebSocketClientConnection, WebSocketHandler, websocket_connect

from ..server_test import read_answer
from .http_servers import HTTPServerTest, get, until

MEBIBYTE = 1 << 20


class EchoHandler(WebSocketHandler):
    """Echoes; `close` makes it close, `error` makes it fail."""

    pongs: list[bytes]
    closed: list[tuple[int | None, str | None]]

    def open(self, *args: str, **kwargs: str) -> None:
        self.set_nodelay(True)

    async def on_message(self, message: str | bytes) -> None:
        if message == "close":
            self.close(4001, "as you wish")
        elif message == "error":
            raise RuntimeError(message)
        else:
            await self.write_message(message, binary=isinstance(message, bytes))

    def on_pong(self, data: bytes) -> None:
        self.pongs.append(data)

    def on_close(self) -> None:
        self.closed.append((self.close_code, self.close_reason))


class WebSocketTest(HTTPServerTest):
    routes = [(r"/echo", EchoHandler)]  # noqa: RUF012

    def setUp(self) -> None:
        super().setUp()
        EchoHandler.pongs, EchoHandler.closed = [], []

    async def open(self, **options: Any) -> WebSocketClientConnection:
        url = self.get_url("/echo").replace("http", "ws")
        return await websocket_connect(url, **options)

    @gen_test(timeout=60)
    async def test_valid(self) -> None:
        client = await self.open()
        for message in ("", "text", "ä€😀", "x" * 70_000):
            await client.write_message(message)
            self.assertEqual(await client.read_message(), message)
        await client.write_message(b"\x00\xff", binary=True)
        self.assertEqual(await client.read_message(), b"\x00\xff")
        client.close()

    @gen_test(timeout=60)
    async def test_large(self) -> None:
        client = await self.open()
        message = bytes(range(256)) * 4096
        self.assertEqual(len(message), MEBIBYTE)
        await client.write_message(message, binary=True)
        self.assertEqual(await client.read_message(), message)
        client.close()

    @gen_test(timeout=60)
    async def test_many_in_order(self) -> None:
        client = await self.open()
        for number in range(1000):
            client.write_message(str(number))
        answers = [await client.read_message() for _ in range(1000)]
        self.assertEqual(answers, [str(number) for number in range(1000)])
        client.close()

    @gen_test(timeout=60)
    async def test_ping(self) -> None:
        client = await self.open()
        pongs: list[bytes] = []
        client.on_pong = pongs.append  # type: ignore[assignment]
        client.ping(b"are you there?")
        await until(lambda: pongs)
        self.assertEqual(pongs, [b"are you there?"])
        client.close()

    @gen_test(timeout=60)
    async def test_pinged_by_the_server(self) -> None:
        self._app.settings["websocket_ping_interval"] = 0.5
        client = await self.open()
        await until(lambda: EchoHandler.pongs)
        client.close()

    @gen_test(timeout=60)
    async def test_closed_by_the_client(self) -> None:
        client = await self.open()
        client.close(4000, "bye")
        await until(lambda: EchoHandler.closed)
        self.assertEqual(EchoHandler.closed, [(4000, "bye")])
        self.assertIsNone(await client.read_message())

    @gen_test(timeout=60)
    async def test_closed_by_the_server(self) -> None:
        client = await self.open()
        await client.write_message("close")
        self.assertIsNone(await client.read_message())
        self.assertEqual((client.close_code, client.close_reason), (4001, "as you wish"))

    @gen_test(timeout=60)
    async def test_cut_off(self) -> None:
        client = await self.open()
        client.protocol.stream.close()  # type: ignore[union-attr]
        await until(lambda: EchoHandler.closed)

    @gen_test(timeout=60)
    async def test_error(self) -> None:
        client = await self.open()
        with self.assertLogs("tornado.application", "ERROR"):
            await client.write_message("error")
            self.assertIsNone(await client.read_message())
        (await self.open()).close()

    @gen_test(timeout=60)
    async def test_handshakes_that_are_none(self) -> None:
        reader, writer = await self.connect()
        upgrade = (b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 13")
        for fields, expected in (((), 400), (upgrade, 400), (upgrade[1:], 400)):
            writer.write(get(b"/echo", *fields))
            status, headers, _ = await read_answer(reader)
            self.assertEqual(status, expected)
            self.assertNotEqual(headers.get("connection"), "close")

    @gen_test(timeout=60)
    async def test_other_origin(self) -> None:
        url = self.get_url("/echo").replace("http", "ws")
        with self.assertRaises(HTTPClientError) as caught:
            await websocket_connect(HTTPRequest(url, headers={"Origin": "http://b"}))
        self.assertEqual(caught.exception.code, 403)
