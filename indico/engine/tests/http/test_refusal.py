"""The requests that are refused unparsed: no parser could read them in another way."""

from __future__ import annotations

from unittest import TestCase

from ...http.overload import parse_simple, serialize

SIMPLE = (
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET /a?b=c HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\nAccept: */*\r\n\r\n",
    b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nX: y\r\n\r\n{}",
    b"POST /a HTTP/1.1\r\ncontent-length:0\r\nconnection:Keep-Alive\r\n\r\n",
)
OTHERS = (
    b"",
    b"\r\nGET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\n",
    b"GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.0\r\n\r\n",
    b"GET  / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\n\n",
    b"get / HTTP/1.1\r\n\r\n",
    b"GET http://a/ HTTP/1.1\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\n\r\n",
    b"GET /\xc3\xa9 HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n",
    b"GET / HTTP/1.1\r\nA : b\r\n\r\n",
    b"GET / HTTP/1.1\r\nA: b\x00\r\n\r\n",
    b"GET / HTTP/1.1\r\nA: b\nC: d\r\n\r\n",
    b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n",
    b"GET / HTTP/1.1\r\nConnection: keep-alive, upgrade\r\n\r\n",
    b"GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n",
    b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{",
    b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}{",
    b"POST / HTTP/1.1\r\nContent-Length: +2\r\n\r\n{}",
    b"POST / HTTP/1.1\r\nContent-Length : 2\r\n\r\n{}",
    b"POST / HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
    b"POST / HTTP/1.1\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
    b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n{}",
    b"GET /healthz HTTP/1.1\r\n\r\n",
    b"GET /metrics?a HTTP/1.1\r\n\r\n",
)


class SimpleTest(TestCase):
    def test_valid(self) -> None:
        for data in SIMPLE:
            request = parse_simple(data)
            assert request is not None, data
            method, target, _ = data.split(b"\r\n")[0].decode().split()
            self.assertEqual((request.method, request.uri), (method, target))

    def test_all_others_are_parsed(self) -> None:
        for data in OTHERS:
            self.assertIsNone(parse_simple(data), data)

    def test_id(self) -> None:
        head = b"GET / HTTP/1.1\r\nHost: a\r\n"
        for lines, kept in (
            (b"X-Request-Id: the-id\r\n", True),
            (b"x-request-id:the-id  \r\n", True),
            (b"X-Request-Id: the-id\r\nX-Request-Id: the-id\r\n", False),
            (b"X-Request-Id: the id\r\n", False),
            (b"X-Request-Id:\r\n", False),
            (b"Not-X-Request-Id: the-id\r\n", False),
        ):
            request = parse_simple(head + lines + b"\r\n")
            assert request is not None
            self.assertEqual(request.request_id == "the-id", kept, lines)
            self.assertIn(f"X-Request-Id: {request.request_id}\r\n".encode(), serialize(request))

    def test_the_answer_to_head_has_no_body(self) -> None:
        for method, empty in (b"HEAD", True), (b"GET", False):
            request = parse_simple(method + b" / HTTP/1.1\r\n\r\n")
            assert request is not None
            self.assertEqual(serialize(request).endswith(b"\r\n\r\n"), empty)
