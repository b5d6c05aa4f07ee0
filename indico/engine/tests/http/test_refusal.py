"""The requests that are refused unparsed: no parser could read them in another way."""

from __future__ import annotations

import json
from typing import Any
from unittest import TestCase

from ...http.refusal import refusal_of_simple

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
    b"HEAD / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r",
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
            method, target, _ = data.split(b"\r\n")[0].decode().split()
            body = self.refused(data)
            self.assertEqual((body["method"], body["uri"]), (method, target))

    def test_long_targets_and_signs(self) -> None:
        for target in ("/" + "a" * 1000, '/%s%%"\\?%d'):
            self.assertEqual(self.refused(f"GET {target} HTTP/1.1\r\n\r\n".encode())["uri"], target)

    def test_all_others_are_parsed(self) -> None:
        for data in OTHERS:
            self.assertIsNone(refusal_of_simple(data), data)

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
            its_id = self.refused(head + lines + b"\r\n")["error"]["request_id"]
            self.assertEqual(its_id == "the-id", kept, lines)

    def refused(self, data: bytes) -> Any:
        """Return the body of the refusal, whose head must fit."""
        found = refusal_of_simple(data)
        assert found is not None, data
        refusal, its_id = found
        head, body = refusal.serialize(its_id, 1).split(b"\r\n\r\n")
        self.assertIn(f"\r\nX-Request-Id: {its_id}\r\n".encode(), head)
        self.assertIn(b"\r\nContent-Length: %d" % len(body), head)
        self.assertEqual(json.loads(body)["error"]["request_id"], its_id)
        return json.loads(body)
