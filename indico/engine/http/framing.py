"""Answers as bytes: the head, and where the body ends."""

from __future__ import annotations

from tornado.http1connection import parse_int
from tornado.httputil import HTTPHeaders, HTTPOutputError, RequestStartLine, ResponseStartLine


class Framing:
    """Framing of an answer, by which the client finds its end: RFC 9112, section 6.

    `left` is the number of bytes that are still to be written, None without a Content-Length.
    """

    __slots__ = ("chunked", "left")

    def __init__(self, request: RequestStartLine, code: int, headers: HTTPHeaders) -> None:
        length = headers.get("Content-Length")
        bodiless = request.method == "HEAD" or code in (204, 304) or 100 <= code < 200
        self.chunked = request.version == "HTTP/1.1" and not bodiless and length is None
        self.left: int | None = None
        if request.method == "HEAD" or code == 304:
            self.left = 0
        elif length is not None:
            self.left = parse_int(length)

    def frame(self, chunk: bytes) -> bytes:
        """Return a part of the body as it is sent; raise `HTTPOutputError` if that is too much."""
        if self.left is not None:
            self.left -= len(chunk)
            if self.left < 0:
                raise HTTPOutputError("Tried to write more data than Content-Length")
        return b"%x\r\n%b\r\n" % (len(chunk), chunk) if self.chunked and chunk else chunk

    def end(self) -> bytes:
        """Return what ends the body; raise `HTTPOutputError` if bytes of it are missing."""
        if self.left:
            missing = f"{self.left} bytes less than Content-Length"
            raise HTTPOutputError(f"Tried to write {missing}")
        return b"0\r\n\r\n" if self.chunked else b""


def serialize_head(start_line: ResponseStartLine, headers: HTTPHeaders) -> bytes:
    """Return the head of an answer; raise `ValueError` for a header that would forge another."""
    lines = [f"HTTP/1.1 {start_line.code} {start_line.reason}"]
    lines += [f"{name}: {value}" for name, value in headers.get_all()]
    text = "\r\n".join(lines)
    if text.count("\n") != len(lines) - 1 or text.count("\r") != len(lines) - 1:
        raise ValueError(f"CR or LF in a header: {text!r}")
    return text.encode("latin1") + b"\r\n\r\n"
