"""A client's connection: what its transport tells, and what is written to it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from tornado.iostream import IOStream

from .request_sequence import RequestSequence
from .tunnel import detach_stream
from .writer import TLSWriter, Writer

if TYPE_CHECKING:
    from .server import FastHTTPServer


class Context:
    """The client of a connection; handlers see `request.remote_ip` and `request.protocol`."""

    def __init__(self, transport: asyncio.Transport) -> None:
        peer = transport.get_extra_info("peername")
        self.address = peer
        self.remote_ip = peer[0] if isinstance(peer, tuple) else "0.0.0.0"  # noqa: S104
        self.protocol = "https" if transport.get_extra_info("sslcontext") else "http"

    def __str__(self) -> str:
        return self.remote_ip


class _NoRequests:
    """The requests of a lost connection, which are over.

    A connection and its requests refer to each other. Without this, each lost connection would
    stay in memory until the garbage collection of old objects, which seldom runs.
    """

    exchange = None

    def answered(self, keep_alive: bool) -> None:
        """Go on with nothing."""

    def restart_body_timeout(self) -> None:
        """Wait for no body."""

    def close(self) -> bytes:
        return b""


class Connection(asyncio.Protocol):
    """A client's connection to `server`."""

    transport: asyncio.Transport
    context: Context
    writer: Writer
    refused_at = 0.0  # when a request was last, since the connection's idle time began

    def __init__(self, server: FastHTTPServer, loop: asyncio.AbstractEventLoop) -> None:
        self.server = server
        self.loop = loop
        self.requests = RequestSequence(self)

    # What the transport calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.context = Context(self.transport)
        kind = TLSWriter if self.context.protocol == "https" else Writer
        self.writer = kind(self.transport, self.context, self.server.unsent, self.server.done)
        self.transport.set_write_buffer_limits(high=1)  # with TLS, this may pause at once
        self.server.opened(self)

    def data_received(self, data: bytes) -> None:
        if not (self.server.overloaded() and self._refused(data)):
            self.requests.receive(data)

    def _refused(self, data: bytes) -> bool:
        """Answer a whole request unparsed, if the application refuses it; False if not."""
        if not self.requests.between_requests or not self.writer.free.done():
            return False
        answer = self.server.refuse(data)
        if answer is None:
            return False
        self.writer.write(answer)
        self.server.refused(self)
        return True

    def connection_lost(self, error: Exception | None) -> None:
        self._end()
        exchange, self.requests.exchange = self.requests.exchange, None
        if exchange:
            exchange.connection_closed()
        self.server.app.on_close(self)
        self.requests = cast(RequestSequence, _NoRequests())

    def pause_writing(self) -> None:
        self.writer.pause()

    def resume_writing(self) -> None:
        self.writer.resume()

    def eof_received(self) -> None:
        """Leave it to the transport to close, once all that is written has gone out."""
        self.writer.closing()

    # What the exchange and the server call.

    def detach(self) -> IOStream:
        """Return the connection as a stream, for another protocol; HTTP on it is over."""
        self.requests.exchange = None
        unparsed = self._end()
        return detach_stream(self.transport, unparsed, self.context.protocol == "https")

    def close(self) -> None:
        """Read nothing more, and close the transport once all that is written has gone out."""
        self.requests.close()
        self.writer.closing()
        self.transport.close()

    def _end(self) -> bytes:
        """End HTTP on this connection, and return what was received but not parsed."""
        self.writer.end()
        self.server.closed(self)
        return self.requests.close()
