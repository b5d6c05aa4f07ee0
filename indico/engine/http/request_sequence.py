"""The requests of a connection: read in order, and one at a time is answered."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from enum import Enum
from typing import TYPE_CHECKING

from tornado.httputil import HTTPInputError
from tornado.log import app_log, gen_log

from .exchange import Exchange
from .request_parser import END, MALFORMED, Event, Head
from .request_reader import RequestReader
from .timeouts import BodyTimeout

if TYPE_CHECKING:
    from .connection import Connection

_MAX_UNPARSED_BYTES = 1 << 16


class State(Enum):
    """Action of a sequence on the next event of its reader."""

    READY = "handles it"
    HELD = "leaves it until the answer is written, or the application has taken a piece"
    CLOSED = "has no next event"


READY, HELD, CLOSED = State  # a member asked from its class takes seven times as long


class RequestSequence:
    """The requests of `connection`, which reach the application as one `Exchange` after another."""

    exchange: Exchange | None = None

    def __init__(self, connection: Connection) -> None:
        server = connection.server
        self._connection = connection
        self._state = READY
        self._reader = RequestReader(server.max_header_size, server.chunk_size)
        self._body_timeout = BodyTimeout()

    # What the connection calls.

    @property
    def between_requests(self) -> bool:
        """True if the next byte to be received is the first of a request."""
        free = self._state is READY and not self.exchange
        return free and self._reader.between_requests

    def receive(self, data: bytes) -> None:
        self._reader.receive(data)
        self._advance()
        if self._reader.unparsed_bytes > _MAX_UNPARSED_BYTES and self._state is HELD:
            self._connection.transport.pause_reading()

    def close(self) -> bytes:
        """Handle no further event, and return what was received but not parsed."""
        self._state = CLOSED
        self._body_timeout.stop()
        return self._reader.stop()

    # From one event to the next.

    def _advance(self) -> None:
        """Handle events, as long as none has to wait."""
        while self._state is READY and (event := self._reader.next()) is not None:
            self._handle(event)
        exchange = self.exchange
        if exchange and not exchange.read_finished and self._state is not CLOSED:
            self._body_timeout.start(exchange.body_timeout, self._body_too_slow)

    def _handle(self, event: Event) -> None:
        exchange = self.exchange
        if isinstance(event, Head):
            self._connection.server.idle.stop(self._connection)
            exchange = self.exchange = Exchange(self._connection, event)
            self._call(exchange.begin)
        elif exchange is None or event is MALFORMED:
            self._log_malformed(self._reader.error)
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
        transport = self._connection.transport
        if self._state is CLOSED or transport.is_closing():
            return
        self._state = READY
        if self._reader.pending:
            self._advance()
        if self._state is READY and not transport.is_reading():
            transport.resume_reading()

    def _failed(self, error: Exception) -> None:
        if isinstance(error, HTTPInputError):
            self._log_malformed(error)
            self._answer_malformed()
        else:
            app_log.error("Uncaught exception", exc_info=error)
            self._connection.close()

    def _log_malformed(self, why: object) -> None:
        gen_log.info("Malformed HTTP message from %s: %s", self._connection.context, why)

    def _answer_malformed(self) -> None:
        if self.exchange is None or not self.exchange.written:
            self._connection.writer.write(b"HTTP/1.1 %b\r\n\r\n" % self._reader.status)
        self._connection.close()

    def _body_too_slow(self) -> None:
        gen_log.info("Timeout reading body from %s", self._connection.context)
        self._connection.transport.abort()

    # What the exchange calls.

    def answered(self, keep_alive: bool) -> None:
        """Go on once the client has taken an answer that was written as a whole."""
        connection = self._connection
        if not connection.writer.free.done():
            connection.writer.free.add_done_callback(lambda _: self.answered(keep_alive))
            return
        # A handler that still waits for its body is told when the connection is closed.
        if self.exchange and self.exchange.read_finished:
            self.exchange = None
        if not keep_alive:
            connection.close()
            return
        connection.server.begin_idle(connection)
        if self._reader.pending:  # not before the application is through with this request
            connection.loop.call_soon(self._release)
        else:
            self._release()

    def restart_body_timeout(self) -> None:
        """Start the time anew, with the exchange's own timeout; a slow handler sets it late."""
        self._body_timeout.stop()
        if self.exchange and not self.exchange.read_finished:
            self._body_timeout.start(self.exchange.body_timeout, self._body_too_slow)
