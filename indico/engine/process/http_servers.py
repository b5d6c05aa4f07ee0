"""The servers of one process: HTTP of the application and of /metrics, and the TCP service."""

from __future__ import annotations

import asyncio
import sys
import time
from ssl import SSLContext

from ..http.application import Application, metrics_app
from ..http.server import FastHTTPServer
from ..http.tornado_server import TornadoHTTPServer
from ..log import LOGGER
from ..program import Program
from ..settings import ServerSettings
from ..tcp.server import LineServer
from .listening import Sockets
from .signals import Stop

Server = TornadoHTTPServer | FastHTTPServer

# How long a draining server waits for the next request on each connection before it closes the
# connection. A request that arrives while its connection is being closed gets no answer.
LINGER_SECONDS = 1
_LOOK_SECONDS = 0.02


class HTTPServers:
    """The application and its servers, from the first connection to the last."""

    def __init__(
        self, program: Program, settings: ServerSettings, certificate: SSLContext | None
    ) -> None:
        self.app = program.app(settings)
        self._settings = settings
        self._metrics_app = metrics_app(settings)
        self._server = make_server(self.app, settings, certificate)
        self._metrics_server = make_server(self._metrics_app, settings)
        self._lines = LineServer(self.app, settings, certificate)

    def listen(self, sockets: Sockets) -> None:
        self._server.add_sockets(sockets.api)
        self._metrics_server.add_sockets(sockets.metrics)
        self._lines.add_sockets(sockets.tcp)

    def in_flight(self) -> int:
        return self.app.admission.in_flight

    async def stop(self, stop: Stop) -> None:
        """Drain, and close all sockets. Raises `SecondStop` at a second signal."""
        self.app.stopping = self._metrics_app.stopping = stop.hurry
        await stop.unless_second(self.drain(stop))
        self._metrics_server.stop()

    async def drain(self, stop: Stop) -> None:
        """Accept no connection, let the requests in flight finish, and close what is left."""
        seconds = self._settings.drain_seconds
        LOGGER.info("stopping, once what is in flight has finished: at most %s s", seconds)
        self.app.draining = True
        self._server.stop()
        self._lines.stop()
        began = time.monotonic()
        await asyncio.sleep(_LOOK_SECONDS)  # the last accepted connections are yet to be counted
        while self._connections() and time.monotonic() < began + (
            min(seconds, LINGER_SECONDS) if stop.hurry else seconds
        ):
            await asyncio.sleep(_LOOK_SECONDS)
        self._lines.finish()
        await self.app.admission.drained(began + seconds - time.monotonic())
        while self._unread() and time.monotonic() < began + seconds:
            await asyncio.sleep(_LOOK_SECONDS)
        if left := self.in_flight() + self._server.unread + self._lines.unread:
            LOGGER.warning("%s requests did not finish within %s s and are cut off", left, seconds)
        self._lines.close_all_connections()
        await self._server.close_all_connections()

    def _connections(self) -> int:
        return _connections(self._server) + len(self._lines.connections)

    def _unread(self) -> bool:
        """Return whether an answer is not written yet, or not taken."""
        return self._server.unread > 0 or self._lines.is_busy


def make_server(
    app: Application, settings: ServerSettings, ssl_options: SSLContext | None = None
) -> Server:
    """Return the HTTP server that `http_server` names, with the timeouts of the settings.

    `Application` limits the size of bodies, because it can answer one that is too large.
    """
    make = FastHTTPServer if settings.http_server == "fast" else TornadoHTTPServer
    return make(
        app,
        idle_connection_timeout=settings.idle_timeout_seconds,
        body_timeout=settings.body_timeout_seconds,
        write_timeout=settings.write_timeout_seconds,
        min_write_rate=settings.min_write_bytes_per_second,
        max_unsent=settings.max_unsent_bytes,
        max_body_size=sys.maxsize,
        ssl_options=ssl_options,
    )


def _connections(server: Server) -> int:
    if isinstance(server, FastHTTPServer):
        return len(server.connections) + server.handshakes
    return len(server._connections)
