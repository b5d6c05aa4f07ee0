"""HTTP/1.1 requests from bytes: what a client sent, as events, without a socket or a timer.

The parser is httptools. The reader gives the parser no byte of a request before the last one has
ended, so each byte belongs to one request only, however the bytes were split on their way.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import NamedTuple, cast

import httptools
from tornado.http1connection import is_transfer_encoding_chunked
from tornado.httputil import HTTPHeaders, HTTPInputError, RequestStartLine

MAX_HEAD_BYTES = 1 << 16
_PIECE_BYTES = 1 << 14

# RFC 9112, section 3: one space each. Empty lines before a request are allowed (section 2.2).
_REQUEST_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([^ \r\n]+) HTTP/1\.[01]\r?\n")
_LINE_BEGINS = re.compile(rb"(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+(?: [^\n]*)?)?\Z")
_BEFORE = re.compile(rb"[\r\n]*")
_BLANK_LINE = re.compile(rb"\n\r?\n")


class Head(NamedTuple):
    """Part of a request before its body."""

    start_line: RequestStartLine
    headers: HTTPHeaders
    keep_alive: bool


class Mark(Enum):
    """An event that carries nothing."""

    END = "the request is complete"
    MALFORMED = "nothing that follows can be read"


Event = Head | bytes | Mark


class _Expected(Enum):
    """Part of a request to which the next byte belongs."""

    HEAD = 0
    BODY = 1  # its length is known
    CHUNKS = 2
    NOTHING = 3


class RequestReader:
    """Turns the bytes of a connection into events: a `Head`, pieces of its body, `END`, and so on.

    `MALFORMED` is the last event; `error` then says why, for the log.

        reader.receive(b"POST / HTTP/1.1\\r\\nContent-Length: 2\\r\\n\\r\\nhi")
        while (event := reader.next()) is not None: ...
    """

    def __init__(self) -> None:
        self.error = ""
        self._expected = _Expected.HEAD
        self._data = b""  # received, and not yet given to the parser
        self._searched = 0  # how far `_data` is known to have no blank line
        self._events: list[Event] = []  # a deque takes 700 bytes even while it is empty
        self._left = 0  # of a body whose length is known
        self._chunked = False
        self._tail = b""  # the last bytes of the chunks that the parser has got
        self._new_parser()

    @property
    def between_requests(self) -> bool:
        """True if the next byte to be received is the first of a request."""
        return self._expected is _Expected.HEAD and not self._data and not self._events

    @property
    def pending(self) -> bool:
        """True if `next` has bytes or events to look at."""
        return bool(self._data or self._events)

    @property
    def unparsed_bytes(self) -> int:
        return len(self._data)

    def receive(self, data: bytes) -> None:
        if self._expected is not _Expected.NOTHING:
            self._data += data

    def next(self) -> Event | None:
        """Return the next event; None while more bytes are needed for one."""
        while not self._events and self._data and self._parse():
            pass
        return self._events.pop(0) if self._events else None

    def stop(self) -> bytes:
        """Read nothing more, and return what was received beyond the last event."""
        data, self._data = self._data, b""
        self._expected = _Expected.NOTHING
        self._events = []
        return data

    def _parse(self) -> bool:
        """Give the parser the next part of `_data`; False if more bytes are needed for that."""
        if self._expected is _Expected.HEAD:
            return self._parse_head()
        if self._expected is _Expected.BODY:
            self._parse_body()
        else:
            self._parse_chunks()
        return True

    def _parse_head(self) -> bool:
        before = _BEFORE.match(self._data)
        start = before.end() if before else 0
        if start and not self._searched:
            self._data = self._data[start:]
        end = _BLANK_LINE.search(self._data, max(0, self._searched - 2))
        if end is None:
            self._searched = len(self._data)
            if self._searched > MAX_HEAD_BYTES:
                self._refuse("The header is too long")
            elif not (_REQUEST_LINE if b"\n" in self._data else _LINE_BEGINS).match(self._data):
                self._refuse("Malformed HTTP request line")
            return False
        head, self._data = self._data[: end.end()], self._data[end.end() :]
        self._searched = 0
        line = _REQUEST_LINE.match(head)
        if line is None or len(head) > MAX_HEAD_BYTES:
            self._refuse(
                "Malformed HTTP request line" if line is None else "The header is too long"
            )
        else:
            self._feed_head(head, line[1])
        return True

    def _feed_head(self, head: bytes, method: bytes) -> None:
        self._method, self._target = method, b""
        self._headers: list[tuple[bytes, bytes]] = []
        try:
            self._parser.feed_data(head)
        except httptools.HttpParserInvalidMethodError:
            # A method that the parser does not know is the handler's business.
            self._new_parser()
            self._feed_head(b"POST" + head[head.index(b" ") :], method)
        except httptools.HttpParserUpgrade:
            self._change_nothing()
        except httptools.HttpParserError as error:
            self._refuse(str(error.__context__ or error))

    def _feed(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._refuse(str(error.__context__ or error))

    def _parse_body(self) -> None:
        size = min(self._left, _PIECE_BYTES)
        piece, self._data = self._data[:size], self._data[size:]
        self._left -= len(piece)
        self._feed(piece)

    def _parse_chunks(self) -> None:
        """Feed the parser up to one blank line after the other, because chunks end with one."""
        size = _PIECE_BYTES
        buffer, rest = self._tail + self._data[:size], self._data[size:]
        at = len(self._tail)
        while at < len(buffer) and self._expected is _Expected.CHUNKS:
            end = _BLANK_LINE.search(buffer, max(0, at - 2))
            if end is not None and end.end() <= at:  # it was fed already
                end = _BLANK_LINE.search(buffer, at - 1)
            before, at = at, len(buffer) if end is None else end.end()
            self._feed(buffer[before:at])
        if self._expected is not _Expected.NOTHING:
            self._data = buffer[at:] + rest
            self._tail = buffer[max(0, at - 2) : at]

    def _change_nothing(self) -> None:
        """Go on after a head that would change the protocol, which the parser takes for the end.

        A server that does not change it has the body there, if the head says so.
        """
        self._new_parser()
        if self._expected is _Expected.HEAD:
            self._events.append(Mark.END)
            return
        headers = cast(Head, self._events[-1]).headers
        name = "Content-Length" if self._expected is _Expected.BODY else "Transfer-Encoding"
        self._made_head = True
        self._feed(f"POST / HTTP/1.1\r\n{name}: {headers[name]}\r\n\r\n".encode())

    def _refuse(self, why: str) -> None:
        self.error = why
        events = self._events
        self.stop()
        self._events = [*events, Mark.MALFORMED]

    def _new_parser(self) -> None:
        self._parser = httptools.HttpRequestParser(self)
        self._made_head = False  # the parser's head was not sent

    # What the parser calls.

    def on_url(self, target: bytes) -> None:
        self._target += target

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._made_head:
            return
        if self._expected is not _Expected.HEAD:
            raise HTTPInputError("A trailer after the last chunk")
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        if self._made_head:
            self._made_head = False
            return
        head = self._head()
        if self._chunked:
            self._expected, self._tail = _Expected.CHUNKS, b""
        elif self._left:
            self._expected = _Expected.BODY
        self._events.append(head)

    def on_body(self, piece: bytes) -> None:
        self._events.append(piece)

    def on_message_complete(self) -> None:
        if not self._parser.should_upgrade():
            self._events.append(Mark.END)
            self._expected = _Expected.HEAD

    def _head(self) -> Head:
        headers = HTTPHeaders()
        seen = set()  # `in headers` would raise and catch a KeyError
        for raw_name, raw_value in self._headers:
            name = raw_name.decode("latin1").lower()
            value = raw_value.decode("latin1").strip(" \t")
            if name in seen:
                headers.add(name, value)
            else:
                headers[name] = value
                seen.add(name)
        self._chunked = "transfer-encoding" in seen
        self._left = int(headers["Content-Length"]) if "content-length" in seen else 0
        if self._chunked:
            is_transfer_encoding_chunked(headers)  # raises for another encoding, or with a length
        version = self._parser.get_http_version()
        keep_alive = self._parser.should_keep_alive()
        if version == "1.0":
            keep_alive = headers.get("Connection", "").lower() == "keep-alive"
        method, target = self._method.decode("ascii"), self._target.decode("ascii")
        return Head(RequestStartLine(method, target, f"HTTP/{version}"), headers, keep_alive)
