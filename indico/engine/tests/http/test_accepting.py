"""Connections for which the process has no descriptor left."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from unittest.mock import patch

from tornado.testing import gen_test
from tornado.web import RequestHandler

from ...http import accepting
from ...log import LOGGER
from ..descriptors import no_descriptors
from .http_servers import HTTPServerTest, get, tornado_server


class PongHandler(RequestHandler):
    def get(self) -> None:
        self.write("pong")


class DescriptorTest(HTTPServerTest):
    routes = [("/", PongHandler)]  # noqa: RUF012

    def setUp(self) -> None:
        super().setUp()
        for name, value in (("RETRY_SECONDS", 0.01), ("_last_logged", -1e9), ("_AT_ONCE", 2)):
            patched = patch.object(accepting, name, value)
            patched.start()
            self.addCleanup(patched.stop)

    def ask(self) -> socket.socket:
        """Ask without a new descriptor of the client's.

        One client is too few to find none free, because a connection of before may end meanwhile.
        """
        client = self.sockets.pop()
        client.connect(("127.0.0.1", self.get_http_port()))
        client.sendall(get(b"/", b"Connection: close"))
        client.setblocking(False)
        return client

    @gen_test(timeout=60)
    async def test_clients_wait_and_are_answered(self) -> None:
        await self.assert_serves()
        self.sockets = [socket.socket() for _ in range(9)]
        with self.assertLogs(LOGGER, logging.ERROR) as logs:
            with no_descriptors():
                clients = [self.ask() for _ in range(9)]
                while not logs.output:
                    await asyncio.sleep(0.01)
            for client in clients:
                answer = await asyncio.get_running_loop().sock_recv(client, 1000)
                self.assertTrue(answer.startswith(b"HTTP/1.1 200 OK"), answer)
                client.close()
        self.assertIn("no connection can be accepted: Too many open files", logs.output[0])

    @gen_test(timeout=60)
    async def test_the_log_is_not_filled(self) -> None:
        self.sockets = [socket.socket() for _ in range(9)]
        attempts = 0

        def call_later(delay: float, callback: Callable[[], None]) -> object:
            nonlocal attempts
            attempts += 1
            return later(delay, callback)

        later = self.io_loop.call_later
        with (
            patch.object(accepting, "LOG_SECONDS", 1e6),
            patch.object(self.io_loop, "call_later", call_later),
            self.assertLogs(LOGGER, logging.ERROR) as logs,
            self.assertNoLogs(level=logging.WARNING),
            no_descriptors(),
        ):
            clients = [self.ask() for _ in range(9)]
            while attempts < 10:
                await asyncio.sleep(0.01)
        for client in clients:
            client.close()
        self.assertEqual(len(logs.output), 1, logs.output)

    @gen_test(timeout=60)
    async def test_the_server_stops_meanwhile(self) -> None:
        self.sockets = [socket.socket() for _ in range(9)]
        with (
            self.assertLogs(LOGGER, logging.ERROR) as logs,
            self.assertNoLogs(level=logging.WARNING),
            no_descriptors(),
        ):
            clients = [self.ask() for _ in range(9)]
            while not logs.output:
                await asyncio.sleep(0.01)
            self.http_server.stop()
            await asyncio.sleep(0.05)
        for client in clients:
            client.close()


class TornadoDescriptorTest(DescriptorTest):
    varies_with = ()
    make = staticmethod(tornado_server)
