"""Clients that leave, stay idle or are slow."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import struct
import unittest
import weakref
from typing import Any, ClassVar
from unittest.mock import patch

from tornado.httputil import HTTPHeaders, HTTPOutputError, ResponseStartLine
from tornado.iostream import StreamClosedError
from tornado.testing import gen_test
from tornado.web import RequestHandler, stream_request_body

from ...http.action_handler import ActionHandler
from ..server_test import read_answer
from .http_servers import HTTPServerTest, get, post_head, until


class PlainHandler(RequestHandler):
    def get(self) -> None:
        self.write("plain")

    post = get


class LateHandler(RequestHandler):
    """Handler that sets a timeout for a body that is there already."""

    def post(self) -> None:
        connection: Any = self.request.connection
        connection.set_body_timeout(0.05)
        self.write(self.request.body)


class WaitingHandler(RequestHandler):
    """Handler that never answers, and counts clients that came and left."""

    came = 0
    gone = 0

    async def get(self) -> None:
        type(self).came += 1
        await asyncio.Event().wait()

    def on_connection_close(self) -> None:
        type(self).gone += 1


@stream_request_body
class UploadHandler(RequestHandler):
    received = 0
    gone = 0

    def data_received(self, chunk: bytes) -> None:
        type(self).received += len(chunk)

    def on_connection_close(self) -> None:
        type(self).gone += 1


class EndlessHandler(RequestHandler):
    """Handler that writes until the connection is closed."""

    ended = 0

    async def get(self) -> None:
        with contextlib.suppress(StreamClosedError):
            while True:
                self.write(b"x" * 65_536)
                await self.flush()
        type(self).ended += 1


class GoneTest(HTTPServerTest):
    """A client that goes away is no error, and nobody else's business."""

    routes = [  # noqa: RUF012
        (r"/", PlainHandler),
        (r"/waiting", WaitingHandler),
        (r"/upload", UploadHandler),
        (r"/endless", EndlessHandler),
    ]

    @gen_test(timeout=60)
    async def test_idle(self) -> None:
        with self.assertNoLogs():
            for abruptly in (False, True) * 10:
                _, writer = await self.connect()
                self.go(writer, abruptly)
                reader, writer = await self.connect()
                writer.write(get())
                await read_answer(reader)
                self.go(writer, abruptly)
            await self.assert_serves()

    @gen_test(timeout=60)
    async def test_in_the_middle_of_a_head(self) -> None:
        with self.assertNoLogs():
            for abruptly in (False, True):
                _, writer = await self.connect()
                writer.write(get()[:-3])
                self.go(writer, abruptly)
            await self.assert_serves()

    @gen_test(timeout=60)
    async def test_in_the_middle_of_a_body(self) -> None:
        with self.assertNoLogs():
            await self.leave_a_body(abruptly=False)
            await self.leave_a_body(abruptly=True)
            await self.assert_serves()

    async def leave_a_body(self, abruptly: bool) -> None:
        UploadHandler.received = UploadHandler.gone = 0
        _, writer = await self.connect()
        writer.write(post_head(b"/upload", b"Content-Length: 100") + b"x" * 50)
        await until(lambda: UploadHandler.received == 50)
        self.go(writer, abruptly)
        await until(lambda: UploadHandler.gone == 1)

    @gen_test(timeout=60)
    async def test_while_it_waits_for_an_answer(self) -> None:
        with self.assertNoLogs():
            await self.leave_a_handler(abruptly=False)
            await self.leave_a_handler(abruptly=True)
            await self.assert_serves()

    async def leave_a_handler(self, abruptly: bool) -> None:
        WaitingHandler.came = WaitingHandler.gone = 0
        _, writer = await self.connect()
        writer.write(get(b"/waiting"))
        await until(lambda: WaitingHandler.came == 1)
        self.go(writer, abruptly)
        await until(lambda: WaitingHandler.gone == 1)

    @gen_test(timeout=60)
    async def test_in_the_middle_of_an_answer(self) -> None:
        with self.assertNoLogs():
            await self.leave_an_answer(abruptly=False)
            await self.leave_an_answer(abruptly=True)
            await self.assert_serves()

    async def leave_an_answer(self, abruptly: bool) -> None:
        EndlessHandler.ended = 0
        reader, writer = await self.connect()
        writer.write(get(b"/endless"))
        await reader.readexactly(1 << 20)
        self.go(writer, abruptly)
        await until(lambda: EndlessHandler.ended == 1)

    def go(self, writer: asyncio.StreamWriter, abruptly: bool) -> None:
        """Close the connection, with RST or with FIN."""
        if abruptly:
            linger = struct.pack("ii", 1, 0)
            client = writer.get_extra_info("socket")
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.close()


class WaitsHandler(ActionHandler):
    """Actions that wait for ever, and the number of their calls."""

    called = 0

    async def wait(self) -> None:
        type(self).called += 1
        await asyncio.Event().wait()


@stream_request_body
class TooLateHandler(RequestHandler):
    """Handler that goes on after its client has left."""

    came: ClassVar[list[bytes]] = []
    errors: ClassVar[list[str]] = []

    def data_received(self, chunk: bytes) -> None:
        self.came.append(chunk)

    def on_connection_close(self) -> None:
        super().on_connection_close()
        asyncio.get_running_loop().call_soon(self.go_on)

    def go_on(self) -> None:
        connection: Any = self.request.connection
        connection.set_body_timeout(0.01)
        self.answer(connection, b"whole", length=5)
        try:
            self.answer(connection, b"part", length=5)
        except HTTPOutputError as error:
            self.errors.append(str(error))

    def answer(self, connection: Any, body: bytes, length: int) -> None:
        headers = HTTPHeaders({"Content-Length": str(length)})
        connection.write_headers(ResponseStartLine("HTTP/1.1", 200, "OK"), headers, body)
        connection.finish()


@unittest.skipIf(HTTPServerTest.on_tornado, "Tornado's own connections are in cycles")
class ForgottenTest(HTTPServerTest):
    """A connection that is over is freed at once: a cycle would wait for a garbage collection."""

    routes = [  # noqa: RUF012
        (r"/", PlainHandler),
        (r"/waits/(?P<action>[a-z]+)", WaitsHandler),
        (r"/late", TooLateHandler),
    ]

    def setUp(self) -> None:
        super().setUp()
        gc.disable()
        self.addCleanup(gc.enable)

    async def forgotten(self, writer: asyncio.StreamWriter) -> None:
        server: Any = self.http_server
        await until(lambda: bool(server.connections))
        (connection,) = map(weakref.ref, server.connections)
        writer.close()
        await until(lambda: connection() is None)

    @gen_test(timeout=60)
    async def test_after_an_answer(self) -> None:
        reader, writer = await self.connect()
        writer.write(get())
        await read_answer(reader)
        await self.forgotten(writer)

    @gen_test(timeout=60)
    async def test_after_a_part_of_a_request(self) -> None:
        _, writer = await self.connect()
        writer.write(post_head(b"/", b"Content-Length: 100") + b"x")
        await self.forgotten(writer)

    @gen_test(timeout=60)
    async def test_its_handler_goes_on(self) -> None:
        _, writer = await self.connect()
        writer.write(post_head(b"/late", b"Content-Length: 100") + b"x")
        await until(lambda: bool(TooLateHandler.came))
        writer.close()
        await until(lambda: bool(TooLateHandler.errors))
        self.assertEqual(TooLateHandler.errors, ["Tried to write 1 bytes less than Content-Length"])

    @gen_test(timeout=60)
    async def test_before_an_answer(self) -> None:
        WaitsHandler.called = 0
        _, writer = await self.connect()
        writer.write(post_head(b"/waits/wait", b"Content-Length: 0"))
        await until(lambda: WaitsHandler.called == 1)
        await self.forgotten(writer)


class TimeoutTest(HTTPServerTest):
    settings = {"idle_timeout_seconds": 0.4, "body_timeout_seconds": 0.4}  # noqa: RUF012
    routes = [  # noqa: RUF012
        (r"/", PlainHandler),
        (r"/waiting", WaitingHandler),
        (r"/late", LateHandler),
    ]

    @gen_test(timeout=60)
    async def test_a_timeout_that_is_set_too_late_does_nothing(self) -> None:
        reader, writer = await self.connect()
        writer.write(post_head(b"/late", b"Content-Length: 2") + b"{}")
        self.assertEqual((await read_answer(reader))[::2], (200, b"{}"))
        closed = asyncio.create_task(reader.read(1))
        self.assertEqual((await asyncio.wait([closed], timeout=0.15))[0], set())
        closed.cancel()

    @gen_test(timeout=60)
    async def test_idle_after_an_answer(self) -> None:
        reader, writer = await self.connect()
        for _ in range(3):
            writer.write(get())
            self.assertEqual((await read_answer(reader))[0], 200)
        self.assertEqual(await reader.read(), b"")

    @gen_test(timeout=60)
    async def test_idle_after_a_refusal(self) -> None:
        reader, writer = await self.connect()
        with patch.object(self._app.admission, "_limit", 0):
            for _ in range(3):
                writer.write(get())
                self.assertEqual((await read_answer(reader))[0], 503)
                await asyncio.sleep(0.2)
        self.assertEqual(await reader.read(), b"")

    @gen_test(timeout=60)
    async def test_each_connection_has_its_own_time(self) -> None:
        busy, busy_writer = await self.connect()
        idle, _ = await self.connect()
        ended = asyncio.create_task(idle.read())
        while not ended.done():
            busy_writer.write(get())
            self.assertEqual((await read_answer(busy))[0], 200)
            await asyncio.wait([ended], timeout=0.1)
        self.assertEqual(await ended, b"")
        busy_writer.write(get())
        self.assertEqual((await read_answer(busy))[0], 200)
        self.assertEqual(await busy.read(), b"")

    @gen_test(timeout=60)
    async def test_a_byte_now_and_then_does_not_help(self) -> None:
        for start in (b"GET / HTTP/1.1\r\nX-A: ", post_head(b"/", b"Content-Length: 9999")):
            reader, writer = await self.connect()
            writer.write(start)
            ended = asyncio.create_task(reader.read())
            while not ended.done():
                writer.write(b"x")
                await asyncio.wait([ended], timeout=0.1)
            with contextlib.suppress(ConnectionResetError):  # by the byte that came too late
                self.assertEqual(await ended, b"")

    @gen_test(timeout=60)
    async def test_a_slow_handler_is_not_cut_off(self) -> None:
        came = WaitingHandler.came
        reader, writer = await self.connect()
        writer.write(get(b"/waiting"))
        await until(lambda: WaitingHandler.came == came + 1)
        answer = asyncio.create_task(reader.read(1))
        self.assertEqual((await asyncio.wait([answer], timeout=1.2))[0], set())
        answer.cancel()
