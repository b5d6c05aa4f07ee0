"""The HTTP servers, and `HTTPServerTest`: a test that runs on each."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from ssl import SSLContext
from typing import Any, ClassVar, Protocol, cast

import uvloop
from tornado.httpserver import HTTPServer
from tornado.testing import AsyncHTTPTestCase

from ...http.application import Application
from ...process.http_servers import make_server
from ..environment import CHOSEN, HTTP_SERVER, LOOP
from ..sample.app import Settings
from ..server_test import exchange, settings_of


class MakeServer(Protocol):
    def __call__(
        self, app: Application, settings: Settings, ssl_options: SSLContext | None = None
    ) -> HTTPServer: ...


def tornado_server(
    app: Application, settings: Settings, ssl_options: SSLContext | None = None
) -> HTTPServer:
    settings = settings.model_copy(update={"http_server": "tornado"})
    return cast(HTTPServer, make_server(app, settings, ssl_options))


def our_server(
    app: Application, settings: Settings, ssl_options: SSLContext | None = None
) -> HTTPServer:
    """Return this engine's own server, typed as Tornado's."""
    settings = settings.model_copy(update={"http_server": "fast"})
    return cast(HTTPServer, make_server(app, settings, ssl_options))


# What `run.py test --matrix` varies; uvloop's transports are not those of asyncio.
MAKE: dict[str, MakeServer] = {"fast": our_server, "tornado": tornado_server}
POLICIES: dict[str, type[asyncio.AbstractEventLoopPolicy]] = {
    "uvloop": uvloop.EventLoopPolicy,
    "asyncio": asyncio.DefaultEventLoopPolicy,
}


class HTTPServerTest(AsyncHTTPTestCase):
    """Base of tests of `routes`, on the server and the loop that the environment chooses."""

    integration = True
    varies_with: ClassVar[tuple[str, ...]] = (HTTP_SERVER, LOOP)
    _app: Application
    on_tornado = CHOSEN["http_server"] == "tornado"
    make: ClassVar[MakeServer] = staticmethod(MAKE[CHOSEN["http_server"]])
    policy: ClassVar[type[asyncio.AbstractEventLoopPolicy]] = POLICIES[
        os.environ.get(LOOP, "uvloop")
    ]
    routes: ClassVar[list[Any]] = []
    settings: ClassVar[dict[str, Any]] = {}

    def setUp(self) -> None:
        asyncio.set_event_loop_policy(self.policy())
        self.addCleanup(asyncio.set_event_loop_policy, None)
        self.writers: list[asyncio.StreamWriter] = []
        super().setUp()

    def tearDown(self) -> None:
        for writer in self.writers:
            writer.transport.abort()
        super().tearDown()

    def get_app(self) -> Application:
        self.config = settings_of(Settings, self.settings)
        return Application(self.routes, self.config)

    def get_http_server(self) -> HTTPServer:
        return type(self).make(self._app, self.config)

    async def connect(self, **tls: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.get_http_port(), **tls)
        self.writers.append(writer)
        return reader, writer

    async def everything(self, request: bytes) -> tuple[str, str]:
        """Head and body of all that comes until the server closes."""
        reader, writer = await self.connect()
        writer.write(request)
        head, _, body = (await reader.read()).decode("latin1").partition("\r\n\r\n")
        return head, body

    async def assert_serves(self, path: bytes = b"/") -> None:
        """Somebody else, on a connection of their own, is answered."""
        status, _, _ = await exchange(self.get_http_port(), get(path))
        self.assertEqual(status, 200)


def get(path: bytes = b"/", *fields: bytes, version: bytes = b"1.1") -> bytes:
    return b"\r\n".join([b"GET %s HTTP/%s" % (path, version), b"Host: a", *fields, b"", b""])


def post_head(path: bytes, *fields: bytes) -> bytes:
    """Return the head of a request whose body follows."""
    return get(path, *fields).replace(b"GET", b"POST", 1)


def ask_narrowly(port: int, request: bytes) -> socket.socket:
    """Return a client that has sent `request`, and for which the kernel holds some KiB only.

    The loopback's segments of 64 KiB make the kernel hold megabytes; those of a network don't.
    """
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
    client.connect(("127.0.0.1", port))
    client.sendall(request)
    client.setblocking(False)
    return client


async def until(condition: Callable[[], Any], seconds: float = 60) -> None:
    """Wait until `condition` holds."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, f"not within {seconds} s"
        await asyncio.sleep(0.005)


async def settled(measure: Callable[[], int]) -> int:
    """Return the value of `measure` once it has been the same for a while."""
    same, last = 0, measure()
    while same < 20:
        await asyncio.sleep(0.01)
        same, last = (same + 1 if measure() == last else 0), measure()
    return last
