"""The drain of a process, in the test's own process: connections that others have replaced."""

from __future__ import annotations

import asyncio
import socket
import ssl
import tempfile
from pathlib import Path
from unittest.mock import patch

from ...http.action_handler import ActionHandler
from ...http.application import Application
from ...log import LOGGER
from ...process import http_servers
from ...process.http_servers import HTTPServers
from ...process.listening import Sockets
from ...process.signals import Stop
from ..async_test import AsyncTest
from ..http.http_servers import ask_narrowly, until
from ..http.test_tls import certificate
from ..sample import app as sample
from ..sample.app import Settings
from ..sample.server import PROGRAM
from ..server_test import read_answer
from ..tcp.line_client import LineClient

HELD = b"POST /system/echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{"
ECHO = b"POST /system/echo HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s"
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"


class DrainTest(AsyncTest):
    """Base of tests of servers in this process."""

    program = PROGRAM

    async def serve(
        self, kind: str, context: ssl.SSLContext | None = None, drain_seconds: float = 300
    ) -> int:
        """Serve in this process, and return the port."""
        settings = Settings(http_server=kind, drain_seconds=drain_seconds)
        servers = HTTPServers(self.program, settings, context)
        api, tcp = (socket.create_server(("127.0.0.1", 0)) for _ in range(2))
        sockets = Sockets([api], [], [tcp])
        servers.listen(sockets)
        self.stop, self.servers, self.tcp_port = Stop([]), servers, sockets.tcp_port or 0
        return sockets.port

    async def retire(self) -> None:
        """Stop without hurry, which the load balancer does not see."""
        self.stop.retire()
        await self.servers.stop(self.stop)
        self.assertFalse(self.servers.app.stopping)


class RetireTest(DrainTest):
    """A server that others have replaced closes no connection that a client may use just now."""

    async def test_connections_are_kept_beyond_the_linger(self) -> None:
        for kind in ("fast", "tornado"):
            port = await self.serve(kind)
            kept, kept_writer = await asyncio.open_connection("127.0.0.1", port)
            slow, slow_writer = await asyncio.open_connection("127.0.0.1", port)
            kept_writer.write(HEALTH)
            self.assertEqual((await read_answer(kept))[0], 200)
            slow_writer.write(HELD)
            with patch.object(http_servers, "LINGER_SECONDS", 0.05):
                stopping = asyncio.create_task(self.retire())
                await asyncio.sleep(0.2)
                kept_writer.write(HEALTH)
                status, headers, _ = await read_answer(kept)
                self.assertEqual((status, headers["connection"]), (200, "close"))
                slow_writer.write(b"}")
                self.assertEqual((await read_answer(slow))[0], 200)
                kept_writer.close()
                slow_writer.close()
                await asyncio.wait_for(stopping, 60)

    async def test_an_answer_that_its_client_has_not_read_yet(self) -> None:
        for kind in ("fast", "tornado"):
            port = await self.serve(kind)
            size = 1 << 19
            request = ECHO % (size, b'{"a":"%s"}' % (b"x" * (size - 8)))
            client = await asyncio.to_thread(ask_narrowly, port, request)
            with client, patch.object(http_servers, "LINGER_SECONDS", 0.05):
                await until(lambda: self.servers._server.unread)
                stopping = asyncio.create_task(self.servers.stop(self.stop))
                await asyncio.sleep(0.2)  # a server without an unread answer would have stopped
                self.assertFalse(stopping.done())
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
                received = bytearray()
                while data := await asyncio.get_running_loop().sock_recv(client, size):
                    received += data
                self.assertTrue(received.endswith(b'x"}}'))
                await asyncio.wait_for(stopping, 60)

    async def test_a_tls_handshake_that_has_begun(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            files = [Path(folder, name) for name in ("certificate.pem", "key.pem")]
            for file, text in zip(files, certificate(), strict=True):
                file.write_text(text)
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(files[0], files[1])
            trusted = ssl.create_default_context(cafile=files[0])
        for kind in ("fast", "tornado"):
            port = await self.serve(kind, context)
            client = socket.create_connection(("127.0.0.1", port))
            await asyncio.sleep(0.05)  # until it is accepted
            stopping = asyncio.create_task(self.retire())
            await asyncio.sleep(0.2)  # a server without a connection would have stopped
            self.assertFalse(stopping.done())
            reader, writer = await asyncio.open_connection(
                sock=client, ssl=trusted, server_hostname="localhost"
            )
            writer.write(HEALTH)
            self.assertEqual((await read_answer(reader))[0], 200)
            writer.close()
            await asyncio.wait_for(stopping, 60)


class WaitingHandler(ActionHandler):
    begun: asyncio.Event
    go_on: asyncio.Event

    async def wait(self) -> str:
        self.begun.set()
        await self.go_on.wait()
        return "done"


def make_app(settings: Settings) -> Application:
    return Application([*sample.ROUTES, (r"/waiting/(?P<action>[a-z]+)", WaitingHandler)], settings)


class TCPDrainTest(DrainTest):
    """Clients of the TCP service while the server stops."""

    program = PROGRAM._replace(make_app=f"{__name__}:make_app")

    async def connect(self, drain_seconds: float = 300) -> LineClient:
        await self.serve("fast", drain_seconds=drain_seconds)
        WaitingHandler.begun, WaitingHandler.go_on = asyncio.Event(), asyncio.Event()
        client = await LineClient.connect(self.tcp_port)
        self.addCleanup(client.close)
        return client

    async def wait(self, client: LineClient) -> None:
        """Make a call that waits, and wait until it has begun."""
        client.send({"id": "waits", "action": "waiting/wait"})
        await WaitingHandler.begun.wait()

    async def test_a_connection_is_kept_while_others_have_replaced_the_server(self) -> None:
        client = await self.connect()
        self.assertNotIn("close", await client.ask("system/ping"))
        with patch.object(http_servers, "LINGER_SECONDS", 0.05):
            stopping = asyncio.create_task(self.retire())
            await asyncio.sleep(0.2)
            answer = await client.ask("system/ping", id=1)
            self.assertEqual(answer, {"id": 1, "status": 200, "data": "pong", "close": True})
            client.close()
            await asyncio.wait_for(stopping, 60)
        with self.assertRaises(ConnectionError):
            await LineClient.connect(self.tcp_port)

    async def test_calls_in_flight_are_answered(self) -> None:
        client, idle = await self.connect(), await LineClient.connect(self.tcp_port)
        await self.wait(client)
        with patch.object(http_servers, "LINGER_SECONDS", 0.05):
            stopping = asyncio.create_task(self.servers.stop(self.stop))
            self.assertTrue(await idle.closed())
            self.assertFalse(stopping.done())
            client.send({"id": "late", "action": "system/ping"})
            WaitingHandler.go_on.set()
            answer = {"id": "waits", "status": 200, "data": "done", "close": True}
            self.assertEqual(await client.answer(), answer)
            self.assertTrue(await client.closed())
            await asyncio.wait_for(stopping, 60)
        idle.close()

    async def test_a_call_that_takes_too_long(self) -> None:
        client = await self.connect(drain_seconds=0.1)
        await self.wait(client)
        with self.assertLogs(LOGGER, "WARNING") as logs:
            await asyncio.wait_for(self.servers.stop(self.stop), 60)
        self.assertIn("1 requests did not finish within 0.1 s", logs.output[0])
        self.assertTrue(await client.closed())
