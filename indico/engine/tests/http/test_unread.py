"""Clients that take their answers slowly, or not at all, and what they leave to others."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.testing import gen_test

from ...http.json_handler import JSONHandler
from ...http.unsent import unacknowledged
from ...log import LOGGER
from ..server_test import read_answer
from .http_servers import HTTPServerTest, ask_narrowly, get, tornado_server, until
from .test_tls import certificate, server_context

MEBIBYTE = 1 << 20
LARGE = 64 * MEBIBYTE  # more than the kernel's buffers hold


class AnswerHandler(JSONHandler):
    """Handler whose answer has the size that was asked for."""

    answered = 0

    async def get(self) -> None:
        type(self).answered += 1
        self.finish(b"x" * int(self.get_query_argument("size", "1")))


class UnreadTest(HTTPServerTest):
    routes = [("/", AnswerHandler)]  # noqa: RUF012

    def setUp(self) -> None:
        super().setUp()
        AnswerHandler.answered = 0
        self.clients: list[socket.socket] = []

    def tearDown(self) -> None:
        for client in self.clients:  # the server would wait for them
            client.close()
        super().tearDown()

    @property
    def server(self) -> Any:
        return self.http_server

    def connections(self) -> int:
        return len(self.server._connections if self.on_tornado else self.server.connections)

    def ask(self, size: int, *fields: bytes) -> socket.socket:
        """Ask for an answer of `size`, on a connection of which nothing is read."""
        client = ask_narrowly(self.get_http_port(), get(b"/?size=%d" % size, *fields))
        self.clients.append(client)
        return client

    async def answered(self, count: int) -> None:
        """Wait until so many answers were handed to the server."""
        await until(lambda: AnswerHandler.answered == count)

    async def read(self, client: socket.socket, pause: float = 0) -> int:
        """Return the number of bytes that come until the server closes."""
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, MEBIBYTE)
        size = 0
        try:
            while data := await asyncio.get_running_loop().sock_recv(client, MEBIBYTE):
                size += len(data)
                await asyncio.sleep(pause)
        except ConnectionError:
            pass
        return size


class PlaceTest(UnreadTest):
    settings = {"max_in_flight": 2}  # noqa: RUF012

    @gen_test(timeout=60)
    async def test_an_answer_that_nobody_reads_takes_no_place(self) -> None:
        for count in range(1, 6):
            self.ask(MEBIBYTE)
            await self.answered(count)
            self.assertEqual(self._app.admission.in_flight, 0)
        await self.assert_serves()

    @gen_test(timeout=60)
    async def test_it_is_still_sent(self) -> None:
        client = self.ask(MEBIBYTE, b"Connection: close")
        await until(lambda: self.server.unread)
        if not self.on_tornado:  # which takes this for the client's end
            client.shutdown(socket.SHUT_WR)
        self.assertGreater(await self.read(client), MEBIBYTE)


class SlowTest(UnreadTest):
    settings = {"write_timeout_seconds": 0.3}  # noqa: RUF012

    @gen_test(timeout=60)
    async def test_who_takes_nothing_is_cut_off(self) -> None:
        client = self.ask(LARGE)
        await until(lambda: self.connections())
        await until(lambda: not self.connections())
        self.assertLess(await self.read(client), LARGE)

    @gen_test(timeout=60)
    async def test_who_takes_nothing_of_an_answer_after_which_the_server_closes(self) -> None:
        """Ask for as little as the kernel holds and for more, so that the server holds a little."""
        sizes = range(1 << 14, 1 << 18, 1 << 14)
        for size in sizes:
            self.ask(size, b"Connection: close")
        await self.answered(len(sizes))
        await until(lambda: not self.connections())
        await self.assert_serves()


class SlowEnoughTest(UnreadTest):
    settings = {"write_timeout_seconds": 1}  # noqa: RUF012

    @gen_test(timeout=60)
    async def test_who_takes_slowly_is_not_cut_off(self) -> None:
        reader, writer = await self.connect()
        writer.write(get(b"/?size=%d" % LARGE))
        await reader.readuntil(b"\r\n\r\n")
        taken = 0
        while taken < LARGE:
            taken += len(await reader.readexactly(4 * MEBIBYTE))
            await asyncio.sleep(0.1)
        self.assertEqual(taken, LARGE)


class LargeBuffersTest(UnreadTest):
    """Take less in a period than the kernel holds, which tells the server nothing meanwhile."""

    settings = {"write_timeout_seconds": 0.5}  # noqa: RUF012

    @gen_test(timeout=60)
    async def test_who_takes_slowly_is_not_cut_off(self) -> None:
        client = socket.create_connection(("127.0.0.1", self.get_http_port()))
        self.clients.append(client)
        client.sendall(get(b"/?size=%d" % LARGE))
        client.setblocking(False)
        began = asyncio.get_running_loop().time()
        while asyncio.get_running_loop().time() < began + 2:
            self.assertTrue(await asyncio.get_running_loop().sock_recv(client, 1 << 15))
            await asyncio.sleep(0.05)
        self.assertEqual(self.connections(), 1)

    def test_a_closed_connection_has_no_bytes_in_the_kernel(self) -> None:
        self.assertEqual(unacknowledged(None), 0)


class TooSlowTest(UnreadTest):
    settings = {  # noqa: RUF012
        "write_timeout_seconds": 0.3,
        "min_write_bytes_per_second": 1 << 40,
    }

    @gen_test(timeout=60)
    async def test_who_takes_too_slowly_is_cut_off(self) -> None:
        with self.assertLogs("tornado.general", logging.INFO) as logs:
            self.assertLess(await self.read(self.ask(LARGE), 0.01), LARGE)
        self.assertIn("Timeout writing to 127.0.0.1", logs.output[0])


class LimitTest(UnreadTest):
    settings = {"max_unsent_bytes": MEBIBYTE, "write_timeout_seconds": 60}  # noqa: RUF012

    @gen_test(timeout=60)
    async def test_all_answers_together(self) -> None:
        with self.assertLogs(LOGGER, logging.WARNING) as logs:
            for count in range(1, 13):
                last = self.ask(MEBIBYTE // 4, b"Connection: close")
                await self.answered(count)
            await until(lambda: self.connections() <= 5)
        self.assertIn("clients that had not taken their answers", logs.output[0])
        if not self.on_tornado:  # whose clients are looked at in any order
            self.assertGreater(await self.read(last), MEBIBYTE // 4)

    @gen_test(timeout=60)
    async def test_answers_that_were_taken_do_not_count(self) -> None:
        with self.assertNoLogs(LOGGER, logging.WARNING):
            for _ in range(4):
                client = self.ask(MEBIBYTE // 2, b"Connection: close")
                self.assertGreater(await self.read(client), MEBIBYTE // 2)

    @gen_test(timeout=60)
    async def test_one_answer_alone_may_be_larger(self) -> None:
        with self.assertNoLogs(LOGGER, logging.WARNING):
            client = self.ask(4 * MEBIBYTE, b"Connection: close")
            await until(lambda: self.server.unread)
            self.assertGreater(await self.read(client), 4 * MEBIBYTE)


class SecureUnreadTest(UnreadTest):
    def get_http_server(self) -> HTTPServer:
        return type(self).make(self._app, self.config, server_context())

    def ask_with_tls(self, size: int) -> ssl.SSLSocket:
        """Ask as `ask` does; runs in a thread, because the handshake waits for the server."""
        trusted = ssl.create_default_context(cadata=certificate()[0])
        plain = socket.create_connection(("127.0.0.1", self.get_http_port()))
        client = trusted.wrap_socket(plain, server_hostname="localhost")
        self.clients.append(client)
        client.sendall(get(b"/?size=%d" % size))
        return client


class SecureTest(SecureUnreadTest):
    @gen_test(timeout=60)
    async def test_a_large_answer(self) -> None:
        trusted = ssl.create_default_context(cadata=certificate()[0])
        reader, writer = await self.connect(ssl=trusted, server_hostname="localhost")
        writer.write(get(b"/?size=%d" % LARGE))
        self.assertEqual(len((await read_answer(reader))[2]), LARGE)


class SecureSlowTest(SecureUnreadTest):
    settings = {"write_timeout_seconds": 0.3}  # noqa: RUF012

    @gen_test(timeout=60)
    async def test_who_takes_nothing_is_cut_off(self) -> None:
        await asyncio.to_thread(self.ask_with_tls, LARGE)
        await self.answered(1)
        await until(lambda: not self.connections())

    @gen_test(timeout=60)
    async def test_who_says_goodbye_and_takes_nothing_is_cut_off(self) -> None:
        client = await asyncio.to_thread(self.ask_with_tls, 8 * MEBIBYTE)
        await self.answered(1)
        with contextlib.suppress(ssl.SSLError):  # an answer after the goodbye
            await asyncio.to_thread(client.unwrap)
        await until(lambda: not self.connections())


class TornadoSlowTest(SlowTest):
    varies_with = ()
    make, on_tornado = staticmethod(tornado_server), True


class TornadoTooSlowTest(TooSlowTest):
    varies_with = ()
    make, on_tornado = staticmethod(tornado_server), True


class TornadoLimitTest(LimitTest):
    varies_with = ()
    make, on_tornado = staticmethod(tornado_server), True
