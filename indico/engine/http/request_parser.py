"""The bytes of one request as events; the parser is httptools."""

from __future__ import annotations

from enum import Enum
from functools import lru_cache
from typing import Any, Final, NamedTuple, cast

import httptools
from tornado.http1connection import is_transfer_encoding_chunked
from tornado.httputil import HTTPHeaders, HTTPInputError, RequestStartLine


class Head(NamedTuple):
    """Part of a request before its body; `length` is 0 for a chunked body."""

    start_line: RequestStartLine
    headers: HTTPHeaders
    keep_alive: bool
    length: int


class Mark(Enum):
    """An event that carries nothing."""

    END = "the request is complete"
    MALFORMED = "nothing that follows can be read"


class Expected(Enum):
    """Part of a request to which the next byte belongs."""

    HEAD = 0
    BODY = 1  # its length is known
    CHUNKS = 2


Event = Head | bytes | Mark
# A member of an Enum, asked from its class, takes seven times as long in Python 3.11.
END: Final = Mark.END
MALFORMED: Final = Mark.MALFORMED
HEAD, BODY, CHUNKS = Expected


class RequestParser:
    """A parser that appends the `Head` of a request, pieces of its body and `END` to `events`.

    The next request begins where `expected` is `HEAD` again: the caller never feeds bytes of two
    requests together. Raises `HTTPInputError` for what is malformed.
    """

    def __init__(self, max_piece_bytes: int) -> None:
        self._max_piece_bytes = max_piece_bytes
        self.events: list[Event] = []  # a deque takes 700 bytes even while it is empty
        self.expected = HEAD
        self._renew()

    def _renew(self) -> None:
        self._parser: Any = httptools.HttpRequestParser(self)
        self._made_head = False  # the parser's head was not sent

    def feed_head(self, head: bytes, start_line: RequestStartLine) -> None:
        """Parse the whole head of a request, whose first line says `start_line`."""
        self._start_line = start_line
        self._fields: list[tuple[bytes, bytes]] = []
        try:
            self.feed(head)
        except httptools.HttpParserInvalidMethodError:
            # A method that the parser does not know is the handler's business.
            self._renew()
            self.feed_head(b"POST" + head[head.index(b" ") :], start_line)
        except httptools.HttpParserUpgrade:
            self._change_nothing()

    def feed(self, data: bytes) -> None:
        """Parse bytes of a request."""
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserInvalidMethodError, httptools.HttpParserUpgrade):
            raise
        except httptools.HttpParserError as error:
            raise HTTPInputError(str(error.__context__ or error)) from None

    def _change_nothing(self) -> None:
        """Go on after a head that would change the protocol, which the parser takes for the end.

        A server that does not change it has the body there, if the head says so.
        """
        self._renew()
        if self.expected is HEAD:
            self.events.append(END)
            return
        head = cast(Head, self.events[-1])
        chunked = self.expected is CHUNKS
        body = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {head.length}"
        self._made_head = True
        self.feed(f"POST / HTTP/1.1\r\n{body}\r\n\r\n".encode())

    def stop(self) -> None:
        """Forget the events, and parse no more: httptools' parser refers to this object."""
        self.events.clear()
        self._parser = None

    # What httptools calls.

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._made_head:
            self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        if self._made_head:
            self._made_head = False
            return
        headers = _EmptyHeaders()
        values: dict[str, str] = {}  # `headers` takes longer to look in
        for raw_name, raw_value in self._fields:
            name = _field_name(raw_name)
            value = raw_value.decode("latin1").strip(" \t")
            if name in values:
                headers.add(name, value)
            else:
                headers[name] = values[name] = value
        length = int(values.get("content-length", 0))
        if "transfer-encoding" in values:
            is_transfer_encoding_chunked(headers)  # raises for another encoding, or with a length
            self.expected = CHUNKS
        elif length:
            self.expected = BODY
        keep_alive = self._parser.should_keep_alive()
        if self._start_line.version == "HTTP/1.0":
            keep_alive = headers.get("Connection", "").lower() == "keep-alive"
        self.events.append(Head(self._start_line, headers, keep_alive, length))

    def on_body(self, piece: bytes) -> None:
        size = self._max_piece_bytes
        while len(piece) > size:
            self.events.append(piece[:size])
            piece = piece[size:]
        self.events.append(piece)

    def on_message_complete(self) -> None:
        if not self._parser.should_upgrade():
            self.events.append(END)
            self.expected = HEAD


class _EmptyHeaders(HTTPHeaders):
    """Tornado's headers, made without looking for values."""

    def __init__(self) -> None:
        self._as_list = {}
        self._combined_cache = {}


@lru_cache(1000)
def _field_name(name: bytes) -> str:
    return name.decode("latin1").lower()
