"""HTTP/1.1 on asyncio and httptools, below Tornado's handlers: the setting `http_server=fast`.

It takes the place of `tornado.httpserver.HTTPServer` by the interface that Tornado documents
for that, `httputil.HTTPServerConnectionDelegate` and `httputil.HTTPConnection`. What it accepts
is what Tornado's own server accepts; docs/decisions/fast-http-server.md has the differences.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple, cast

import httptools
from tornado.http1connection import is_transfer_encoding_chunked
from tornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPInputError,
    HTTPMessageDelegate,
    HTTPOutputError,
    HTTPServerConnectionDelegate,
    RequestStartLine,
    ResponseStartLine,
)
from tornado.iostream import IOStream, StreamClosedError
from tornado.log import app_log, gen_log

# Requests that come in one piece are parsed at once and wait for their turn as objects; so the
# parser gets what was sent piece by piece, and none while one of them is being answered.
_PIECE_BYTES = 1 << 14
_MAX_UNPARSED_BYTES = 1 << 16
_MAX_HEADER_BYTES = 1 << 16
_CLOSE_SECONDS = 2
_HANDSHAKE_SECONDS = 10

_METHOD = re.compile(rb"[\r\n]*([!#$%&'*+.^_`|~0-9A-Za-z-]+) ")

# What is read from a connection, beside the pieces of a body.
_END = object()
_MALFORMED = object()

_NO_DELEGATE = HTTPMessageDelegate()


class _Head(NamedTuple):
    start_line: RequestStartLine
    headers: HTTPHeaders
    keep_alive: bool


class FastHTTPServer:
    """Serves `app` as Tornado's `HTTPServer` does; the parameters are the same."""

    def __init__(
        self,
        app: HTTPServerConnectionDelegate,
        *,
        idle_connection_timeout: float = 3600,
        body_timeout: float = 60,
        max_body_size: int = 100 << 20,
        ssl_options: ssl.SSLContext | None = None,
    ) -> None:
        self.app = app
        self.idle_connection_timeout = idle_connection_timeout
        self.body_timeout = body_timeout
        self.max_body_size = max_body_size
        self.ssl_options = ssl_options
        # An application's own shortcut: bytes that answer a whole request as it was sent, or None.
        self.refuse: Callable[[bytes], bytes | None] = getattr(app, "refuse", lambda _: None)
        self.connections: set[_Connection] = set()
        self.done: asyncio.Future[None]  # what a write answers for which there is room
        self._emptied = asyncio.Event()
        self._handshakes: dict[_Connection, float] = {}  # since when; the oldest comes first
        self._idle: dict[_Connection, float] = {}  # since when; who is so longest comes first
        self._idle_timer: asyncio.TimerHandle | None = None  # one for all takes less memory
        self._listening: list[tuple[socket.socket, asyncio.Task[asyncio.Server]]] = []

    def add_sockets(self, sockets: Iterable[socket.socket]) -> None:
        """Accepts connections on these, which listen already."""
        for listening in sockets:
            self.add_socket(listening)

    def add_socket(self, listening: socket.socket) -> None:
        loop = asyncio.get_event_loop()
        self.done = loop.create_future()
        self.done.set_result(None)
        server = loop.create_server(
            partial(self._made, loop),
            sock=listening,
            ssl=self.ssl_options,
            ssl_handshake_timeout=_HANDSHAKE_SECONDS if self.ssl_options else None,
            backlog=1024,
        )
        self._listening.append((listening.dup(), loop.create_task(server)))

    def stop(self) -> None:
        """Accepts no connection from now on, but those that wait to be accepted."""
        for listening, starting in self._listening:
            starting.add_done_callback(partial(self._close, listening))
        self._listening.clear()

    def _close(self, listening: socket.socket, started: asyncio.Task[asyncio.Server]) -> None:
        started.result().close()
        loop = asyncio.get_running_loop()
        made = partial(self._made, loop)
        with listening, suppress(BlockingIOError):
            while True:  # they would be reset with what they have sent
                accepted, _ = listening.accept()
                task = loop.create_task(
                    loop.connect_accepted_socket(made, accepted, ssl=self.ssl_options)
                )
                _tasks.add(task)
                task.add_done_callback(_tasks.discard)

    @property
    def handshakes(self) -> int:
        """Clients that were accepted, and may not be `connections` yet: their TLS has begun.

        Nobody is told of one that fails, so it counts for as long as it might have taken.
        """
        self._forget_handshakes()
        return len(self._handshakes)

    def _made(self, loop: asyncio.AbstractEventLoop) -> _Connection:
        connection = _Connection(self, loop)
        if self.ssl_options:
            self._forget_handshakes()
            self._handshakes[connection] = loop.time()
        return connection

    def _forget_handshakes(self) -> None:
        too_old = asyncio.get_running_loop().time() - _HANDSHAKE_SECONDS
        while self._handshakes and next(iter(self._handshakes.values())) < too_old:
            del self._handshakes[next(iter(self._handshakes))]

    async def close_all_connections(self) -> None:
        """Closes every connection, once what is written on it has gone out."""
        self._emptied.clear()
        for connection in list(self.connections):
            connection.close()
        if self.connections:
            emptied = asyncio.ensure_future(self._emptied.wait())
            await asyncio.wait([emptied], timeout=_CLOSE_SECONDS)
            emptied.cancel()
        for connection in list(self.connections):
            connection.transport.abort()

    def join(self, connection: _Connection) -> None:
        """`connection` is open."""
        self._handshakes.pop(connection, None)
        self.connections.add(connection)
        self.begin_idle(connection)

    def begin_idle(self, connection: _Connection) -> None:
        """Gives `connection` its time for the next request, with all of its head."""
        if connection not in self.connections:  # it was lost before it was answered
            return
        loop = asyncio.get_running_loop()
        self._idle[connection] = loop.time()
        if self._idle_timer is None:
            self._idle_timer = loop.call_later(self.idle_connection_timeout, self._close_idle, loop)

    def go_on_idle(self, connection: _Connection) -> None:
        """Gives `connection`, which is idle, its time anew."""
        self._idle.pop(connection, None)  # whose time began last comes last
        self._idle[connection] = connection.loop.time()

    def end_idle(self, connection: _Connection) -> None:
        self._idle.pop(connection, None)

    def _close_idle(self, loop: asyncio.AbstractEventLoop) -> None:
        self._idle_timer = None
        while self._idle:
            connection, since = next(iter(self._idle.items()))
            end = since + self.idle_connection_timeout
            if end > loop.time():
                self._idle_timer = loop.call_at(end, self._close_idle, loop)
                return
            del self._idle[connection]
            connection.transport.abort()

    def leave(self, connection: _Connection) -> None:
        """`connection` is closed, or HTTP on it is over."""
        self.end_idle(connection)
        self.connections.discard(connection)
        if not self.connections:
            self._emptied.set()


class _Context:
    """Who sends a request; handlers see it as `request.remote_ip` and `request.protocol`."""

    def __init__(self, transport: asyncio.Transport) -> None:
        peer = transport.get_extra_info("peername")
        self.address = peer
        self.remote_ip = peer[0] if isinstance(peer, tuple) else "0.0.0.0"  # noqa: S104
        self.protocol = "https" if transport.get_extra_info("sslcontext") else "http"

    def __str__(self) -> str:
        return self.remote_ip


class _Connection(asyncio.Protocol):
    """A client's connection: what is read from it, in order; one request at a time is answered.

    What is read is a `_Head`, pieces of its body, `_END`, and so on; `_MALFORMED` is the last.
    """

    transport: asyncio.Transport
    context: _Context

    def __init__(self, server: FastHTTPServer, loop: asyncio.AbstractEventLoop) -> None:
        self.server = server
        self.writable = server.done
        self.loop = loop
        self._parser = httptools.HttpRequestParser(self)
        self._unparsed = b""
        self._read: list[Any] = []  # a deque takes 700 bytes even while it is empty
        self._method = b""  # where it is none of those that the parser knows
        self._target = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._unread = b""  # what came since the piece in which the head began
        self._aligned = True  # the head began with that piece
        self._in_head = self._in_body = False
        self._framing = b""  # a head for the body of a request that would change the protocol
        self._deaf = False  # what comes now is not read any more
        self._paused = False
        self._exchange: _Exchange | None = None
        self._waiting = False  # for the exchange's answer, or for the application to take a piece
        self._handling = False
        self._body_timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None

    # The transport's side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.context = _Context(self.transport)
        self.server.join(self)

    def data_received(self, data: bytes) -> None:
        if self._waiting:
            self._keep(self._unparsed + data)
        elif not self._refused(data):
            self._parse(data)

    def _refused(self, data: bytes) -> bool:
        """Whether the application has answered `data`, between two requests, without parsing."""
        if self._in_head or self._deaf or self._exchange or not self.writable.done():
            return False
        answer = self.server.refuse(data)
        if answer is None:
            return False
        self.transport.write(answer)
        self.server.go_on_idle(self)
        return True

    def connection_lost(self, error: Exception | None) -> None:
        self._leave()
        self.resume_writing()
        if self._exchange:
            self._exchange.connection_closed()
            self._exchange = None
        self.server.app.on_close(self)

    def pause_writing(self) -> None:
        self.writable = self.loop.create_future()
        self._watch_writing(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        if not self.writable.done():
            self.writable.set_result(None)
        if self._write_timer:
            self._write_timer.cancel()

    # The parser's side.

    def on_message_begin(self) -> None:
        self._in_head = True

    def on_url(self, target: bytes) -> None:
        self._target += target

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_body:  # a trailer, after the last chunk
            self._refuse()
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        self._in_head, self._in_body = False, True
        try:
            if self._framing:  # it was not sent, but made by us
                self._framing = b""
            else:
                head = self._head()
                self._framing = _framing(head) if self._parser.should_upgrade() else b""
                self._add(head)
        except HTTPInputError as error:
            gen_log.info("Malformed HTTP message from %s: %s", self.context, error)
            self._refuse()
        self._target, self._headers = b"", []

    def on_body(self, piece: bytes) -> None:
        self._add(piece)

    def on_message_complete(self) -> None:
        self._in_body = False
        if not self._framing:
            self._add(_END)

    def _head(self) -> _Head:
        headers = HTTPHeaders()
        seen = set()
        size = len(self._target) + len("  HTTP/1.1\r\n\r\n")
        for raw_name, raw_value in self._headers:
            size += len(raw_name) + len(raw_value) + 4
            name = raw_name.decode("latin1").lower()
            value = raw_value.decode("latin1").strip(" \t")
            if name in seen:
                headers.add(name, value)
            else:
                headers[name] = value
                seen.add(name)
        method = (self._method or self._parser.get_method()).decode("ascii")
        self._method = b""
        if size + len(method) > _MAX_HEADER_BYTES:
            raise HTTPInputError("The header is too long")
        version = self._parser.get_http_version()
        # The parser forgives blanks and other names of the protocol.
        line = b"%b %b HTTP/%b\r\n" % (self._parser.get_method(), self._target, version.encode())
        if version not in ("1.0", "1.1") or line not in self._unread:
            raise HTTPInputError("Malformed HTTP request line")
        if "transfer-encoding" in seen:
            is_transfer_encoding_chunked(headers)  # raises what it has to say against others
        keep_alive = self._parser.should_keep_alive()
        if version == "1.0":
            keep_alive = headers.get("Connection", "").lower() == "keep-alive"
        start_line = RequestStartLine(method, self._target.decode("ascii"), f"HTTP/{version}")
        return _Head(start_line, headers, keep_alive)

    def _add(self, read: Any) -> None:
        if not self._deaf:
            self._read.append(read)

    def _refuse(self) -> None:
        self._add(_MALFORMED)
        self._deaf = True

    # Between the two.

    def _parse(self, data: bytes) -> None:
        while data and not self._deaf:
            piece, data = (data, b"") if len(data) <= _PIECE_BYTES else _split(data)
            data = self._feed(piece) + data
            self._handle_read()
            if self._waiting:
                self._keep(data)
                return

    def _feed(self, piece: bytes) -> bytes:
        """What is left of `piece` after the head of a request that would change the protocol."""
        if not self._in_head:
            self._aligned = not (self._in_body or self._read)
        self._unread += piece
        try:
            self._parser.feed_data(piece)
        except httptools.HttpParserInvalidMethodError:
            method = _METHOD.match(self._unread)
            if method and self._aligned and not self._read:
                return self._feed_method(method[1], self._unread[method.end() :])
            self._refuse()
        except httptools.HttpParserUpgrade as upgrade:
            # The parser takes what follows for another protocol; who doesn't change to it has
            # a body there, if the head says so, and more requests.
            self._parser = httptools.HttpRequestParser(self)
            self._unread = b""
            return self._framing + piece[upgrade.args[0] :]
        except httptools.HttpParserError as error:
            gen_log.info("Malformed HTTP message from %s: %s", self.context, error)
            self._refuse()
        if not self._in_head:
            self._unread = b""
        elif len(self._unread) > _MAX_HEADER_BYTES:
            self._refuse()
        return b""

    def _feed_method(self, method: bytes, rest: bytes) -> bytes:
        """What begins with a method that the parser doesn't know, which is the handler's matter."""
        self._parser = httptools.HttpRequestParser(self)
        self._method = method
        self._in_head, self._unread = False, b""
        return self._feed(b"POST " + rest)

    def _keep(self, data: bytes) -> None:
        """Leaves `data` for later, and what comes after it with the client, if it is much."""
        self._unparsed = data
        if len(data) > _MAX_UNPARSED_BYTES and not self._paused:
            self._paused = True
            self.transport.pause_reading()

    def _go_on(self) -> None:
        """The exchange is over, or has taken a piece."""
        self._waiting = False
        if self._handling or self.transport.is_closing():
            return
        self._handle_read()
        if not self._waiting:
            data, self._unparsed = self._unparsed, b""
            self._parse(data)
        if not self._waiting and self._paused:
            self._paused = False
            self.transport.resume_reading()

    def _handle_read(self) -> None:
        self._handling = True
        while self._read and not self._waiting:
            self._handle(self._read.pop(0))
        self._handling = False
        self._watch_body()

    def _handle(self, read: Any) -> None:
        exchange = self._exchange
        if isinstance(read, _Head):
            self.server.end_idle(self)
            exchange = self._exchange = _Exchange(self, read)
            self._call(exchange.begin)
        elif exchange is None:  # nothing but what is malformed is read outside of a request
            self._answer_malformed()
        elif read is _END:
            self._stop_body_timer()
            self._waiting = True
            self._call(exchange.end)
        elif read is _MALFORMED:
            self._answer_malformed()
        else:
            self._call(exchange.take, read)

    def _call(self, step: Callable[..., Awaitable[None] | None], *read: bytes) -> None:
        """Hands something to the application, and waits if it wants us to."""
        try:
            taken = step(*read)
        except Exception as error:
            self._failed(error)
        else:
            if taken is not None:
                self._waiting = True
                asyncio.ensure_future(taken).add_done_callback(self._taken)

    def _taken(self, taken: asyncio.Future[None]) -> None:
        error = None if taken.cancelled() else taken.exception()
        if isinstance(error, Exception):
            self._failed(error)
        else:
            self._go_on()

    def _failed(self, error: Exception) -> None:
        if isinstance(error, HTTPInputError):
            gen_log.info("Malformed HTTP message from %s: %s", self.context, error)
            self._answer_malformed()
        else:
            app_log.error("Uncaught exception", exc_info=error)
            self.close()

    def _answer_malformed(self) -> None:
        if self._exchange is None or not self._exchange.written:
            self.transport.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        self.close()

    def answered(self, keep_alive: bool) -> None:
        """The exchange has written its whole answer, of which the client has taken the most."""
        if not self.writable.done():
            self.writable.add_done_callback(lambda _: self.answered(keep_alive))
            return
        self._exchange = None
        if keep_alive:
            self.server.begin_idle(self)
            if self._read or self._unparsed:  # not before the application is through with this one
                self.loop.call_soon(self._go_on)
            else:
                self._go_on()
        else:
            self.close()

    def close(self) -> None:
        """Once what is written has gone out; reads nothing more."""
        self._forget()
        self.transport.close()

    def _forget(self) -> None:
        self._deaf = True
        self._read.clear()
        self._unparsed = b""

    def _leave(self) -> None:
        self._forget()
        self._stop_timers()
        self.server.leave(self)

    def detach(self) -> IOStream:
        """The connection as a stream, for another protocol; HTTP on it is over."""
        unparsed, self._exchange = self._unparsed, None
        self._leave()
        if unparsed or self.context.protocol == "https" or self.transport.get_write_buffer_size():
            self.transport.pause_reading()
            ours, theirs = socket.socketpair()
            _tasks.add(tunnel := self.loop.create_task(_tunnel(self.transport, ours, unparsed)))
            tunnel.add_done_callback(_tasks.discard)
        else:
            own = self.transport.get_extra_info("socket")
            theirs = socket.fromfd(own.fileno(), own.family, own.type)
            self.transport.close()
        theirs.setblocking(False)
        return IOStream(theirs)

    # Time.

    def _watch_body(self) -> None:
        exchange = self._exchange
        if exchange and not exchange.read_finished and not self._body_timer:
            self._body_timer = self.loop.call_later(exchange.body_timeout, self._body_too_slow)

    def watch_body_anew(self) -> None:
        """The time may run already: a handler that is a coroutine begins after it."""
        self._stop_body_timer()
        self._watch_body()

    def _body_too_slow(self) -> None:
        gen_log.info("Timeout reading body from %s", self.context)
        self.transport.abort()

    def _watch_writing(self, before: int) -> None:
        """Ends a connection whose client takes nothing of its answer for a whole timeout."""
        self._write_timer = self.loop.call_later(
            self.server.idle_connection_timeout, self._check_writing, before
        )

    def _check_writing(self, before: int) -> None:
        left = self.transport.get_write_buffer_size()
        if left >= before:
            self.transport.abort()
        else:
            self._watch_writing(left)

    def _stop_body_timer(self) -> None:
        if self._body_timer:
            self._body_timer.cancel()
            self._body_timer = None

    def _stop_timers(self) -> None:
        self._stop_body_timer()
        if self._write_timer:
            self._write_timer.cancel()


class _Exchange(HTTPConnection):
    """One request and its answer, as the application sees it."""

    def __init__(self, connection: _Connection, head: _Head) -> None:
        server = connection.server
        self.context = connection.context
        self.body_timeout = server.body_timeout
        self.written = False  # whether anything of the answer is
        self._connection = connection
        self._head = head
        self._keep_alive = head.keep_alive
        self._max_body_size = server.max_body_size
        self._body_size = 0
        self._delegate = server.app.start_request(connection, self)
        self.read_finished = self._write_finished = False
        self._close_callback: Callable[[], None] | None = None
        self._chunked = False
        self._switch = b""
        self._left: int | None = None  # of the answer's Content-Length

    # What the connection calls.

    def begin(self) -> Awaitable[None] | None:
        start_line, headers, _ = self._head
        if int(headers.get("Content-Length", 0)) > self._max_body_size:
            raise HTTPInputError("The body is too long")
        taken = self._delegate.headers_received(start_line, headers)
        if headers.get_list("Expect") == ["100-continue"] and not self._write_finished:
            self._connection.transport.write(b"HTTP/1.1 100 (Continue)\r\n\r\n")
        return taken

    def take(self, piece: bytes) -> Awaitable[None] | None:
        self._body_size += len(piece)
        if self._body_size > self._max_body_size:
            raise HTTPInputError("The body is too long")
        return self._delegate.data_received(piece)

    def end(self) -> None:
        self.read_finished = True
        # Held no longer than it is needed: a call may be held open for long.
        delegate, self._delegate = self._delegate, _NO_DELEGATE
        delegate.finish()

    def connection_closed(self) -> None:
        callback, self._close_callback = self._close_callback, None
        if not self.read_finished:
            self._delegate.on_connection_close()
        elif callback:
            callback()

    # What the application calls.

    def set_close_callback(self, callback: Callable[[], None] | None) -> None:
        self._close_callback = callback

    def set_body_timeout(self, timeout: float) -> None:
        self.body_timeout = timeout
        self._connection.watch_body_anew()

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
        method, _, version = self._head.start_line
        _, code, reason = cast(ResponseStartLine, start_line)
        length = headers.get("Content-Length")
        bodiless = method == "HEAD" or code in (204, 304) or 100 <= code < 200
        self._chunked = version == "HTTP/1.1" and not bodiless and length is None
        if self._chunked:
            headers["Transfer-Encoding"] = "chunked"
        if method == "HEAD" or code == 304:
            self._left = 0
        elif length is not None:
            self._left = int(length)
        if version == "HTTP/1.1" and not self._keep_alive:
            headers["Connection"] = "close"
        elif version == "HTTP/1.0" and self._keep_alive:
            headers["Connection"] = "Keep-Alive"
        lines = [f"HTTP/1.1 {code} {reason}"]
        lines += [f"{name}: {value}" for name, value in headers.get_all()]
        text = "\r\n".join(lines)
        if text.count("\n") != len(lines) - 1 or text.count("\r") != len(lines) - 1:
            raise ValueError(f"CR or LF in a header: {text!r}")
        self.written = True
        if code == 101:
            # Kept for the stream: what is written to the transport may go out later.
            self._switch = text.encode("latin1") + b"\r\n\r\n"
            return self._connection.writable
        return self._write(text.encode("latin1") + b"\r\n\r\n" + self._framed(chunk or b""))

    def write(self, chunk: bytes) -> asyncio.Future[None]:
        return self._write(self._framed(chunk))

    def finish(self) -> None:
        if self._left:
            self._connection.close()
            raise HTTPOutputError(f"{self._left} bytes less than Content-Length were written")
        if self._chunked:
            self._write(b"0\r\n\r\n")
        self._write_finished = True
        if self._switch:  # what comes now is for `detach`
            return
        # A body that nobody reads any more: only closing keeps it from being taken for a request.
        self._connection.answered(self._keep_alive and self.read_finished)

    def _framed(self, chunk: bytes) -> bytes:
        if self._left is not None:
            self._left -= len(chunk)
            if self._left < 0:
                self._connection.close()
                raise HTTPOutputError("More than Content-Length was written")
        return b"%x\r\n%b\r\n" % (len(chunk), chunk) if self._chunked and chunk else chunk

    def _write(self, data: bytes) -> asyncio.Future[None]:
        """Done once there is room for more."""
        if self._connection.transport.is_closing():
            failed: asyncio.Future[None] = asyncio.Future()
            failed.set_exception(StreamClosedError())
            failed.exception()  # it need not be looked at
            return failed
        self._connection.transport.write(data)
        return self._connection.writable


class _Pump(asyncio.Protocol):
    """Carries what its transport receives to another one."""

    def __init__(self, other: asyncio.Transport) -> None:
        self._other = other

    def data_received(self, data: bytes) -> None:
        self._other.write(data)

    def pause_writing(self) -> None:
        self._other.pause_reading()

    def resume_writing(self) -> None:
        if not self._other.is_closing():
            self._other.resume_reading()

    def connection_lost(self, error: Exception | None) -> None:
        self._other.close()


async def _tunnel(client: asyncio.Transport, end: socket.socket, first: bytes) -> None:
    """Joins a client with a socket, whose other end stands for the client."""
    end.setblocking(False)
    loop = asyncio.get_running_loop()
    inner, _ = await loop.create_connection(lambda: _Pump(client), sock=end)
    if client.is_closing():
        inner.close()
    else:
        inner.write(first)
        client.set_protocol(_Pump(inner))
        client.resume_reading()


_tasks: set[asyncio.Task[Any]] = set()  # the loop itself keeps no task alive


def _framing(head: _Head) -> bytes:
    """A head that has the same body as `head`, or nothing if that has none."""
    for name in ("Content-Length", "Transfer-Encoding"):
        if head.headers.get(name, "0") != "0":
            return f"POST / HTTP/1.1\r\n{name}: {head.headers[name]}\r\n\r\n".encode()
    return b""


def _split(data: bytes) -> tuple[bytes, bytes]:
    return data[:_PIECE_BYTES], data[_PIECE_BYTES:]
