"""The end of a chunked body: RFC 9112, section 7.1."""

from __future__ import annotations

import re

from tornado.httputil import HTTPInputError

MAX_SIZE_LINE_BYTES = 8192  # Node.js was attacked with endless extensions: CVE-2024-22019

_SIZE_LINE = re.compile(rb"(0*[0-9A-Fa-f]{1,16})[^\r\n]*\r\n")
_CRLF = 2
_TOO_LONG = "The line with a chunk's size is too long"


class Chunks:
    """Counts the bytes of one chunked body, and checks the size lines only.

    `ended` is true once the last chunk was counted. A trailer is not counted. Raises
    `HTTPInputError` for a size line that is malformed or longer than `MAX_SIZE_LINE_BYTES`.
    """

    def __init__(self) -> None:
        self.ended = False
        self._left = 0  # of the chunk that is being counted, with its CRLF
        self._last = False

    def count(self, data: bytes) -> int:
        """Return how many bytes at the start of `data` are known to be of the body.

        It is 0 while the size line at the start of `data` is incomplete.
        """
        at, end = self._left, len(data)
        while at < end and not self._last and (line := _SIZE_LINE.match(data, at)):
            if line.end() - at > MAX_SIZE_LINE_BYTES:
                raise HTTPInputError(_TOO_LONG)
            size = int(line[1], 16)
            self._last = size == 0
            at = line.end() + size + _CRLF
        if at == 0:
            _check_beginning(data)
        self._left = max(0, at - end)
        self.ended = self._last and not self._left
        return min(at, end)


def _check_beginning(line: bytes) -> None:
    """Raise `HTTPInputError` if no size line begins like this."""
    if len(line) > MAX_SIZE_LINE_BYTES:
        raise HTTPInputError(_TOO_LONG)
    if b"\n" in line:
        raise HTTPInputError("Malformed size of a chunk")
