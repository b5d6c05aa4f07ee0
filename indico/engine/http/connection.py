"""A client's connection: requests are read in order, and one at a time is answered."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from enum import Enum
from typing import TYPE_CHECKING, cast

from tornado.httputil import HTTPInputError
from tornado.iostream import IOStream
from tornado.log import app_log, gen_log

from .exchange import Exchange
from .request_parser import END, MALFORMED, Event, Head
from .request_reader import RequestReader
from .timeouts import BodyTimeout
from .tunnel import detach_stream
from .writer import TLSWriter, Writer

if TYPE_CHECKING:
    from .server import FastHTTPServer

_MAX_UNPARSED_BYTES = 1 << 16


class State(Enum):
    """Action of a connection on the next event of its reader."""

    READY = "handles it"
    HELD = "leaves it until the answer is written, or the application has taken a piece"
    CLOSED = "has no next event"


READY, HELD, CLOSED = State  # a member asked from its class takes seven times as long


class Context:
    """The client of a connection; handlers see `request.remote_ip` and `request.protocol`."""

    def __init__(self, transport: asyncio.Transport) -> None:
        peer = transport.get_extra_info("peername")
        self.address = peer
        self.remote_ip = peer[0] if isinstance(peer, tuple) else "0.0.0.0"  # noqa: S104
        self.protocol = "https" if transport.get_extra_info("sslcontext") else "http"

    def __str__(self) -> str:
        return self.remote_ip


class Connection(asyncio.Protocol):
    """A client's connection to `server`."""

    transport: asyncio.Transport
    context: Context
    writer: Writer

    def __init__(self, server: FastHTTPServer, loop: asyncio.AbstractEventLoop) -> None:
        self.server = server
        self.loop = loop
        self._state = READY
        self._reader = RequestReader(server.max_header_size, server.chunk_size)
        self._exchange: Exchange | None = None
        self._body_timeout = BodyTimeout(self._body_too_slow)

    # What the transport calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.context = Context(self.transport)
        kind = TLSWriter if self.context.protocol == "https" else Writer
        self.writer = kind(self.transport, self.context, self.server.unsent, self.server.done)
        self.transport.set_write_buffer_limits(high=1)  # with TLS, this may pause at once
        self.server.opened(self)

    def data_received(self, data: bytes) -> None:
        if self._state is READY and self._refused(data):
            return
        self._reader.receive(data)
        self._advance()
        if self._reader.unparsed_bytes > _MAX_UNPARSED_BYTES and self._state is HELD:
            self.transport.pause_reading()

    def _refused(self, data: bytes) -> bool:
        """Answer a whole request unparsed, if the application refuses it; False if not."""
        if self._exchange or not self._reader.between_requests or not self.writer.free.done():
            return False
        answer = self.server.refuse(data)
        if answer is None:
            return False
        self.writer.write(answer)
        self.server.idle.start(self)
        return True

    def connection_lost(self, error: Exception | None) -> None:
        self._end()
        exchange, self._exchange = self._exchange, None
        if exchange:
            exchange.connection_closed()
        self.server.app.on_close(self)

    def pause_writing(self) -> None:
        self.writer.pause()

    def resume_writing(self) -> None:
        self.writer.resume()

    def eof_received(self) -> None:
        """Leave it to the transport to close, once all that is written has gone out."""
        self.writer.closing()

    # From one event to the next.

    def _advance(self) -> None:
        """Handle events, as long as none has to wait."""
        while self._state is READY and (event := self._reader.next()) is not None:
            self._handle(event)
        exchange = self._exchange
        if exchange and not exchange.read_finished and self._state is not CLOSED:
            self._body_timeout.start(exchange.body_timeout)

    def _handle(self, event: Event) -> None:
        exchange = self._exchange
        if isinstance(event, Head):
            self.server.idle.stop(self)
            exchange = self._exchange = Exchange(self, event)
            self._call(exchange.begin)
        elif exchange is None or event is MALFORMED:
            gen_log.info("Malformed HTTP message from %s: %s", self.context, self._reader.error)
            self._answer_malformed()
        elif event is END:
            self._body_timeout.stop()
            self._state = HELD
            self._call(exchange.end)
        else:
            self._call(exchange.take, event)

    def _call(self, step: Callable[..., Awaitable[None] | None], *piece: bytes) -> None:
        """Hand something to the application, and hold the next event if it has to be awaited."""
        try:
            taken = step(*piece)
        except Exception as error:
            self._failed(error)
        else:
            if taken is not None:
                self._state = HELD
                asyncio.ensure_future(taken).add_done_callback(self._taken)

    def _taken(self, taken: asyncio.Future[None]) -> None:
        error = None if taken.cancelled() else taken.exception()
        if isinstance(error, Exception):
            self._failed(error)
        else:
            self._release()

    def _release(self) -> None:
        """Go on after the piece was taken, or the answer written."""
        if self._state is CLOSED or self.transport.is_closing():
            return
        self._state = READY
        if self._reader.pending:
            self._advance()
        if self._state is READY and not self.transport.is_reading():
            self.transport.resume_reading()

    def _failed(self, error: Exception) -> None:
        if isinstance(error, HTTPInputError):
            gen_log.info("Malformed HTTP message from %s: %s", self.context, error)
            self._answer_malformed()
        else:
            app_log.error("Uncaught exception", exc_info=error)
            self.close()

    def _answer_malformed(self) -> None:
        if self._exchange is None or not self._exchange.written:
            self.writer.write(b"HTTP/1.1 %b\r\n\r\n" % self._reader.status)
        self.close()

    # What the exchange calls.

    def answered(self, keep_alive: bool) -> None:
        """Go on once the client has taken an answer that was written as a whole."""
        if not self.writer.free.done():
            self.writer.free.add_done_callback(lambda _: self.answered(keep_alive))
            return
        # A handler that still waits for its body is told when the connection is closed.
        if self._exchange and self._exchange.read_finished:
            self._exchange = None
        if not keep_alive:
            self.close()
            return
        self.server.begin_idle(self)
        if self._reader.pending:  # not before the application is through with this request
            self.loop.call_soon(self._release)
        else:
            self._release()

    def restart_body_timeout(self) -> None:
        """Start the time anew, with the exchange's own timeout; a slow handler sets it late."""
        self._body_timeout.stop()
        if self._exchange and not self._exchange.read_finished:
            self._body_timeout.start(self._exchange.body_timeout)

    def detach(self) -> IOStream:
        """Return the connection as a stream, for another protocol; HTTP on it is over."""
        self._exchange = None
        unparsed = self._end()
        return detach_stream(self.transport, unparsed, self.context.protocol == "https")

    def close(self) -> None:
        """Read nothing more, and close the transport once all that is written has gone out."""
        self._state = CLOSED
        self._reader.stop()
        self.writer.closing()
        self.transport.close()

    def _end(self) -> bytes:
        """End HTTP on this connection, and return what was received but not parsed."""
        self._state = CLOSED
        self._body_timeout.stop()
        self.writer.end()
        self.server.closed(self)
        return self._reader.stop()

    def _body_too_slow(self) -> None:
        gen_log.info("Timeout reading body from %s", self.context)
        self.transport.abort()
