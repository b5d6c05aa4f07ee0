"""Tornado's own HTTP server, with the engine's limits: the setting `http_server=tornado`."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable
from typing import Any

from tornado.http1connection import HTTP1ServerConnection
from tornado.httpserver import HTTPServer
from tornado.iostream import IOStream

from .accepting import Acceptor
from .unsent import StreamClient, Unsent

_LOOK_SECONDS = 0.25


class TornadoHTTPServer(HTTPServer):
    """Tornado's `HTTPServer` with limits on slow clients.

    Without a free descriptor, connections wait. Tornado's own server would try without a pause.
    """

    def initialize(  # type: ignore[override]
        self, *args: Any, write_timeout: float, min_write_rate: int, max_unsent: int, **kwargs: Any
    ) -> None:
        super().initialize(*args, **kwargs)
        self._unsent = Unsent(write_timeout, min_write_rate, max_unsent)
        self._looking: asyncio.TimerHandle | None = None

    def add_sockets(self, sockets: Iterable[socket.socket]) -> None:
        for listening in sockets:
            self._sockets[listening.fileno()] = listening
            self._handlers[listening.fileno()] = Acceptor(listening, self._handle_connection).stop

    @property
    def unread(self) -> int:
        """Number of clients that have not taken all that was written."""
        return sum(connection.stream.writing() for connection in self._connections)

    def handle_stream(self, stream: IOStream, address: tuple[Any, ...]) -> None:
        super().handle_stream(stream, address)
        if self._looking is None:
            self._look_later()

    def on_close(self, server_conn: Any) -> None:
        super().on_close(server_conn)
        self._unsent.stop(_client(server_conn))

    def _look_later(self) -> None:
        loop = asyncio.get_running_loop()
        self._looking = loop.call_later(_LOOK_SECONDS, self._look)

    def _look(self) -> None:
        """Look at all streams, because a stream does not tell when it begins to wait."""
        for connection in self._connections:
            watch = self._unsent.start if connection.stream.writing() else self._unsent.stop
            watch(_client(connection))
        self._unsent.shed()
        self._look_later()


def _client(connection: HTTP1ServerConnection) -> StreamClient:
    return StreamClient(connection.stream, str(connection.context))
