"""HTTP/1.1 on asyncio and httptools, below Tornado's handlers: the setting `http_server=fast`.

It takes the place of `tornado.httpserver.HTTPServer` by the interface that Tornado documents
for that, `httputil.HTTPServerConnectionDelegate` and `httputil.HTTPConnection`. It accepts what
Tornado's own server accepts; docs/decisions/fast-http-server.md has the differences.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from tornado.httputil import HTTPServerConnectionDelegate
from tornado.netutil import ssl_options_to_context

from ..tasks import start
from .accepting import Acceptor
from .connection import Connection
from .timeouts import TimeoutQueue
from .unsent import Unsent

_CLOSE_SECONDS = 2
HANDSHAKE_SECONDS = 10
# A client that comes again within twice this time of its refusal is not read for this time.
PAUSE_SECONDS = 0.2


class FastHTTPServer:
    """Server of `app`, with the parameters of Tornado's `HTTPServer`.

    A piece of a body has `chunk_size` bytes at most, and never more than 16 KiB.
    """

    def __init__(
        self,
        app: HTTPServerConnectionDelegate,
        *,
        idle_connection_timeout: float = 3600,
        body_timeout: float = 60,
        write_timeout: float = 60,
        min_write_rate: int = 1000,
        max_unsent: int = 1 << 30,
        max_body_size: int = 100 << 20,
        max_header_size: int = 1 << 16,
        chunk_size: int = 1 << 16,
        decompress_request: bool = False,
        ssl_options: dict[str, Any] | ssl.SSLContext | None = None,
    ) -> None:
        self.app = app
        self.body_timeout = body_timeout
        self.max_body_size = max_body_size
        self.max_header_size = max_header_size
        self.chunk_size = chunk_size
        self.decompress_request = decompress_request
        self.ssl_options = ssl_options_to_context(ssl_options, True) if ssl_options else None
        # An application that is overloaded may answer bytes that are a whole request; None leaves
        # them to the parser.
        self.overloaded: Callable[[], bool] = getattr(app, "overloaded", lambda: False)
        self.refuse: Callable[[bytes], bytes | None] = getattr(app, "refuse", lambda _: None)
        # Requests of several clients may share a connection of a proxy.
        self._pauses = not getattr(app, "behind_proxies", False)
        self._paused = TimeoutQueue[Connection](
            PAUSE_SECONDS, lambda connection: connection.transport.resume_reading()
        )
        self.connections: set[Connection] = set()
        # Connections that wait for the head of a request.
        self.idle = TimeoutQueue[Connection](idle_connection_timeout, self._idle_too_long)
        self.unsent = Unsent(write_timeout, min_write_rate, max_unsent)
        self.done: asyncio.Future[None]  # the answer to a write that is sent at once
        # Connections that are being made; with TLS, clients whose handshake has begun.
        self.handshakes = 0
        self._emptied = asyncio.Event()
        self._acceptors: list[Acceptor] = []

    def add_sockets(self, sockets: Iterable[socket.socket]) -> None:
        """Accept connections on these sockets, which listen already."""
        for listening in sockets:
            self.add_socket(listening)

    def add_socket(self, listening: socket.socket) -> None:
        loop = asyncio.get_event_loop()
        self.done = loop.create_future()
        self.done.set_result(None)
        self._acceptors.append(Acceptor(listening, self._accepted))

    def stop(self) -> None:
        """Accept no connection from now on, except those that wait to be accepted."""
        for acceptor in self._acceptors:
            acceptor.close_soon()
        self._acceptors.clear()

    def _accepted(self, accepted: socket.socket, address: object) -> None:
        self.handshakes += 1
        start(self._connect(accepted))

    async def _connect(self, accepted: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.connect_accepted_socket(
                partial(Connection, self, loop),
                accepted,
                ssl=self.ssl_options,
                ssl_handshake_timeout=HANDSHAKE_SECONDS if self.ssl_options else None,
            )
        except OSError:
            pass  # a client that is gone, or a TLS handshake that failed
        finally:
            self.handshakes -= 1

    @property
    def unread(self) -> int:
        """Number of clients that have not taken all that was written."""
        return len(self.unsent)

    async def close_all_connections(self) -> None:
        """Close every connection, once what is written on it has gone out."""
        self._emptied.clear()
        for connection in list(self.connections):
            connection.close()
        if self.connections:
            emptied = asyncio.ensure_future(self._emptied.wait())
            await asyncio.wait([emptied], timeout=_CLOSE_SECONDS)
            emptied.cancel()
        for connection in list(self.connections):
            connection.transport.abort()

    def opened(self, connection: Connection) -> None:
        """Count `connection`, and give it its time for the first request."""
        self.connections.add(connection)
        self.idle.start(connection)

    def begin_idle(self, connection: Connection) -> None:
        """Give `connection` its time for the next request, with all of its head."""
        if connection in self.connections:  # else it was lost before it was answered
            self.idle.start(connection)

    def refused(self, connection: Connection) -> None:
        """Read `connection` no more for a while, if it was refused a moment ago, too."""
        now = connection.loop.time()
        if now - connection.refused_at < 2 * PAUSE_SECONDS and self._pauses:
            connection.transport.pause_reading()
            self._paused.start(connection)
        connection.refused_at = now

    def closed(self, connection: Connection) -> None:
        """Forget `connection`, on which HTTP is over."""
        self._paused.stop(connection)
        self.idle.stop(connection)
        self.connections.discard(connection)
        if not self.connections:
            self._emptied.set()

    def _idle_too_long(self, connection: Connection) -> None:
        """Close `connection`. Its time is not started at each refusal, but once at its end."""
        if connection.refused_at:
            connection.refused_at = 0.0
            self.idle.start(connection)
        else:
            connection.transport.abort()
