"""One request and its answer, as the application sees them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, cast

from tornado.http1connection import _GzipMessageDelegate
from tornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPInputError,
    HTTPMessageDelegate,
    HTTPOutputError,
    RequestStartLine,
    ResponseStartLine,
)
from tornado.iostream import IOStream

from .framing import Framing, serialize_head
from .request_parser import Head

if TYPE_CHECKING:
    from .connection import Connection

_NO_DELEGATE = HTTPMessageDelegate()


class Exchange(HTTPConnection):
    """Tornado's interface to a request that a `Connection` has read the head of."""

    read_finished = False
    written = False  # whether any byte of the answer is
    _framing: Framing  # of the answer, once its headers are written
    _body_size = 0
    _write_finished = False
    _close_callback: Callable[[], None] | None = None
    _switch = b""  # the head of an answer that changes the protocol

    def __init__(self, connection: Connection, head: Head) -> None:
        server = connection.server
        self.context = connection.context
        self.body_timeout = server.body_timeout
        self._connection = connection
        self._head = head
        self._keep_alive = head.keep_alive
        self._max_body_size = server.max_body_size
        self._delegate = server.app.start_request(connection, self)
        if server.decompress_request:
            self._delegate = _GzipMessageDelegate(
                self._delegate, server.chunk_size, self._max_body_size
            )

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        return self._connection.loop

    # What the connection calls.

    def begin(self) -> Awaitable[None] | None:
        taken = self._delegate.headers_received(self._head.start_line, self._head.headers)
        if taken is not None:
            return self._prepared(taken)
        self._expect_body()
        return None

    async def _prepared(self, taken: Awaitable[None]) -> None:
        """Expect the body once a handler that streams it is prepared, and has set its limit."""
        await taken
        self._expect_body()

    def _expect_body(self) -> None:
        if self._write_finished or self._connection.transport.is_closing():
            return
        start_line, headers, _, length = self._head
        if length > self._max_body_size:
            raise HTTPInputError("Content-Length too long")
        # RFC 9110, section 10.1.1: an HTTP/1.0 client knows no interim answers.
        if headers.get_list("Expect") == ["100-continue"] and start_line.version == "HTTP/1.1":
            self._connection.writer.write(b"HTTP/1.1 100 (Continue)\r\n\r\n")

    def take(self, piece: bytes) -> Awaitable[None] | None:
        self._body_size += len(piece)
        if self._body_size > self._max_body_size:
            raise HTTPInputError("chunked body too large")
        return self._delegate.data_received(piece)

    def end(self) -> None:
        self.read_finished = True
        # The delegate is not kept, because a call may be held open for long.
        delegate, self._delegate = self._delegate, _NO_DELEGATE
        delegate.finish()

    def connection_closed(self) -> None:
        callback, self._close_callback = self._close_callback, None
        delegate, self._delegate = self._delegate, _NO_DELEGATE
        if not self.read_finished:
            delegate.on_connection_close()
        elif callback:
            callback()

    # What the application calls.

    def set_close_callback(self, callback: Callable[[], None] | None) -> None:
        self._close_callback = callback

    def set_body_timeout(self, timeout: float) -> None:
        self.body_timeout = timeout
        self._connection.requests.restart_body_timeout()

    def set_max_body_size(self, max_body_size: int) -> None:
        self._max_body_size = max_body_size

    def detach(self) -> IOStream:
        self._close_callback = None
        stream = self._connection.detach()
        if self._switch:
            stream.write(self._switch)
        return stream

    def write_headers(
        self,
        start_line: RequestStartLine | ResponseStartLine,
        headers: HTTPHeaders,
        chunk: bytes | None = None,
    ) -> asyncio.Future[None]:
        answer = cast(ResponseStartLine, start_line)
        request = self._head.start_line
        framing = self._framing = Framing(request, answer.code, headers)
        if framing.chunked:
            headers["Transfer-Encoding"] = "chunked"
        if request.version == "HTTP/1.1" and not self._keep_alive:
            headers["Connection"] = "close"
        elif request.version == "HTTP/1.0" and self._keep_alive:
            headers["Connection"] = "Keep-Alive"
        head = serialize_head(answer, headers)
        self.written = True
        if answer.code == 101:
            # The stream writes it, because the transport may send later than the stream.
            self._switch = head
            return self._connection.writer.free
        return self._connection.writer.write(head + self._frame(chunk) if chunk else head)

    def write_answer(self, head: bytes, body: bytes) -> asyncio.Future[None]:
        """Write a whole answer at once, and finish. `head` gives the length of `body`."""
        _, _, version = self._head.start_line
        if self._keep_alive != (version == "HTTP/1.1"):
            head += b"Connection: Keep-Alive\r\n" if self._keep_alive else b"Connection: close\r\n"
        self.written = self._write_finished = True
        sent = self._connection.writer.write(b"%b\r\n%b" % (head, body))
        self._connection.requests.answered(self._keep_alive and self.read_finished)
        return sent

    def write(self, chunk: bytes) -> asyncio.Future[None]:
        return self._connection.writer.write(self._frame(chunk))

    def finish(self) -> None:
        try:
            ending = self._framing.end()
        except HTTPOutputError:
            self._connection.close()
            raise
        if ending:
            self._connection.writer.write(ending)
        self._write_finished = True
        if self._switch:  # the next bytes are for `detach`
            return
        # Only a closed connection keeps an unread body from being taken for a request.
        self._connection.requests.answered(self._keep_alive and self.read_finished)

    def _frame(self, chunk: bytes) -> bytes:
        try:
            return self._framing.frame(chunk)
        except HTTPOutputError:
            self._connection.close()
            raise
