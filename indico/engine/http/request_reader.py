"""HTTP/1.1 requests from bytes: what a client sent, as events, without a socket or a timer.

The parser gets no byte of a request before the last request has ended. So each byte belongs to one
request only, however the bytes were split on their way.
"""

from __future__ import annotations

import re
from typing import cast

from tornado.httputil import HTTPInputError, RequestStartLine

from .chunks import Chunks
from .request_parser import BODY, CHUNKS, HEAD, MALFORMED, Event, Head, RequestParser

MAX_FIELDS = 100  # each takes a microsecond, even an empty one
_PIECE_BYTES = 1 << 14

# RFC 9112, section 3: one space each. Empty lines before a request are allowed (section 2.2).
_REQUEST_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([!-~]+) (HTTP/1\.[01])\r?\n")
_LINE_BEGINS = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+(?: [^\n]*)?\Z")
_BLANK_LINE = re.compile(rb"\n\r?\n")

_NO_REQUEST = "Malformed HTTP request line"
_TOO_LONG = "The header is too long"


class TooManyFields(HTTPInputError):
    """The head has more than `MAX_FIELDS`: RFC 6585, section 5."""


class RequestReader:
    r"""Turns the bytes of a connection into events: a `Head`, pieces of its body, `END`, and so on.

    `MALFORMED` is the last event. `error` then says why, for the log, and `status` for the client.

        reader.receive(b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi")
        while (event := reader.next()) is not None: ...
    """

    def __init__(self, max_head_bytes: int = 1 << 16, max_piece_bytes: int = 1 << 16) -> None:
        self.error = ""
        self.status = b"400 Bad Request"
        self._max_head_bytes = max_head_bytes
        self._parser = RequestParser(max_piece_bytes)
        self._events = self._parser.events
        self._data = b""  # received, and not yet given to the parser
        self._stopped = False
        self._searched = 0  # how far `_data` is known to have no blank line
        self._left = 0  # of a body whose length is known
        self._chunks = Chunks()  # of a body without a length

    @property
    def between_requests(self) -> bool:
        """True if the next byte to be received is the first of a request."""
        return not (self._data or self._events or self._stopped or self._parser.expected != HEAD)

    @property
    def pending(self) -> bool:
        """True if `next` has bytes or events to look at."""
        return bool(self._data or self._events)

    @property
    def unparsed_bytes(self) -> int:
        return len(self._data)

    def receive(self, data: bytes) -> None:
        if not self._stopped:
            self._data += data

    def next(self) -> Event | None:
        """Return the next event; None while more bytes are needed for one."""
        while not self._events:
            if not self._data or not self._parse():
                return None
        return self._events.pop(0)

    def stop(self) -> bytes:
        """Read nothing more, and return what was received beyond the last event."""
        data, self._data = self._data, b""
        self._stopped = True
        self._parser.stop()
        return data

    def _parse(self) -> bool:
        """Give the parser the next part of `_data`; False if more bytes are needed for that."""
        expected = self._parser.expected
        try:
            if expected is HEAD:
                return self._parse_head()
            if expected is BODY:
                return self._parse_body()
            return self._parse_chunks()
        except HTTPInputError as error:
            self.error = str(error)
            if isinstance(error, TooManyFields):
                self.status = b"431 Request Header Fields Too Large"
            self._data, self._stopped = b"", True
            self._events.append(MALFORMED)
            return True

    def _parse_head(self) -> bool:
        if not self._searched and self._data[0] in b"\r\n":
            self._data = self._data.lstrip(b"\r\n")
        end = _BLANK_LINE.search(self._data, max(0, self._searched - 2))
        if end is None:
            self._searched = len(self._data)
            _check_beginning(self._data, self._max_head_bytes)
            return False
        head, self._data = self._data[: end.end()], self._data[end.end() :]
        self._searched = 0
        line = _REQUEST_LINE.match(head)
        if line is None or len(head) > self._max_head_bytes:
            raise HTTPInputError(_NO_REQUEST if line is None else _TOO_LONG)
        if head.count(b"\n") > MAX_FIELDS + 2:  # the first line, and the empty one
            raise TooManyFields(f"The header has more than {MAX_FIELDS} fields")
        method, target, version = line[0].decode("ascii").split()
        self._parser.feed_head(head, RequestStartLine(method, target, version))
        if self._parser.expected is BODY:
            self._left = cast(Head, self._events[0]).length
        elif self._parser.expected is CHUNKS:
            self._chunks = Chunks()
        return True

    def _parse_body(self) -> bool:
        size = min(self._left, _PIECE_BYTES)
        piece, self._data = self._data[:size], self._data[size:]
        self._left -= len(piece)
        self._parser.feed(piece)
        return bool(piece)  # or `next` would never end, if the parser expected more than `_left`

    def _parse_chunks(self) -> bool:
        data = self._data[:_PIECE_BYTES]
        size = self._chunks.count(data)
        if not size:
            return False
        self._data = self._data[size:]
        self._parser.feed(data[:size])
        if self._chunks.ended != (self._parser.expected is HEAD):
            raise HTTPInputError("A trailer after the last chunk")
        return True


def _check_beginning(head: bytes, max_bytes: int) -> None:
    """Raise `HTTPInputError` if no request begins like this."""
    if len(head) > max_bytes:
        raise HTTPInputError(_TOO_LONG)
    if head and not (_REQUEST_LINE if b"\n" in head else _LINE_BEGINS).match(head):
        raise HTTPInputError(_NO_REQUEST)
