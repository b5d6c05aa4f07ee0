"""The TCP service on Tornado's `TCPServer` and `IOStream`: the setting `tcp_port`."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from ssl import SSLContext
from typing import TYPE_CHECKING, Any

from tornado.iostream import IOStream
from tornado.tcpserver import TCPServer

from ..http.accepting import Acceptor
from ..http.memory_connection import Client
from ..http.timeouts import TimeoutQueue
from ..http.unsent import StreamClient, Unsent
from ..settings import ServerSettings
from ..telemetry import metrics
from .connection import LineConnection

if TYPE_CHECKING:
    from ..http.application import Application

CARRIER = "tcp"


class LineServer(TCPServer):
    """Server of the actions of `app`, with the timeouts of the HTTP server."""

    def __init__(
        self, app: Application, settings: ServerSettings, certificate: SSLContext | None = None
    ) -> None:
        super().__init__(ssl_options=certificate)
        self.app = app
        self.line_seconds = settings.body_timeout_seconds
        self.connections: set[LineConnection] = set()
        # Connections without a begun line and a call.
        self.idle = TimeoutQueue[LineConnection](
            settings.idle_timeout_seconds, lambda connection: connection.close()
        )
        self.unsent = Unsent(
            settings.write_timeout_seconds,
            settings.min_write_bytes_per_second,
            settings.max_unsent_bytes,
        )

    def add_sockets(self, sockets: Iterable[socket.socket]) -> None:
        """Accept connections on these sockets, also while no descriptor is left for one."""
        for listening in sockets:
            self._sockets[listening.fileno()] = listening
            self._handlers[listening.fileno()] = Acceptor(listening, self._handle_connection).close

    async def handle_stream(self, stream: IOStream, address: tuple[Any, ...]) -> None:
        protocol = "https" if self.ssl_options else "http"
        await LineConnection(self, stream, Client(address[0], protocol, CARRIER)).serve()

    @property
    def unread(self) -> int:
        """Number of clients that have not taken all that was written."""
        return len(self.unsent)

    @property
    def is_busy(self) -> bool:
        """True while an answer is not written yet, or not taken."""
        return any(connection.is_busy for connection in self.connections)

    def finish(self) -> None:
        """Begin no further call, and close each connection once its calls are answered."""
        for connection in list(self.connections):
            connection.finish()

    def close_all_connections(self) -> None:
        for connection in list(self.connections):
            connection.close()

    def opened(self, connection: LineConnection) -> None:
        """Count `connection`, and give it its time for the first line."""
        self.connections.add(connection)
        metrics.TCP_CONNECTIONS.inc()
        self.idle.start(connection)

    def closed(self, connection: LineConnection, client: StreamClient) -> None:
        """Forget `connection` and its `client`."""
        self.idle.stop(connection)
        self.unsent.stop(client)
        self.connections.discard(connection)
        metrics.TCP_CONNECTIONS.dec()
