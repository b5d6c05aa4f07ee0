"""Requests and answers as handlers see them, on every HTTP server."""

from __future__ import annotations

import json
from typing import Any

from tornado.testing import gen_test
from tornado.web import RequestHandler

from ..server_test import exchange, read_answer
from .http_servers import HTTPServerTest, get


class PlainHandler(RequestHandler):
    def get(self) -> None:
        self.write("plain")

    head = get


class StatusHandler(RequestHandler):
    def get(self, status: str) -> None:
        self.set_status(int(status))

    head = get


class FlushHandler(RequestHandler):
    """Handler that sends a Content-Length only if asked."""

    async def get(self) -> None:
        if length := self.get_query_argument("length", ""):
            self.set_header("Content-Length", length)
        for piece in ("one ", "", "two ", "three"):
            self.write(piece)
            await self.flush()

    head = get


class RequestHandlerOfAll(RequestHandler):
    """Handler that answers with the parts of a request that people read."""

    def get(self) -> None:
        request = self.request
        self.write(
            {
                "remote_ip": request.remote_ip,
                "protocol": request.protocol,
                "full_url": request.full_url(),
                "host": request.host,
                "host_name": request.host_name,
                "version": request.version,
                "uri": request.uri,
                "path": request.path,
                "query": request.query,
                "argument": self.get_arguments("a"),
                "fields": request.headers.get_list("X-A"),
                "joined": request.headers.get("x-a"),
                "cookie": self.get_cookie("c"),
                "body": request.body.decode(),
                "positive_time": request.request_time() >= 0,
            }
        )

    post = get


class AnswerTest(HTTPServerTest):
    routes = [  # noqa: RUF012
        (r"/", PlainHandler),
        (r"/flush", FlushHandler),
        (r"/status/(\d+)", StatusHandler),
    ]

    @gen_test(timeout=60)
    async def test_head_204_and_304_have_no_body(self) -> None:
        reader, writer = await self.connect()
        for request in (
            get(b"/").replace(b"GET", b"HEAD"),
            get(b"/flush?length=13").replace(b"GET", b"HEAD"),
            get(b"/status/204"),
            get(b"/status/304"),
        ):
            writer.write(request + get(b"/status/200", b"Connection: x"))
            head = await reader.readuntil(b"\r\n\r\n")
            self.assertIn(head.split()[1], (b"200", b"204", b"304"))
            self.assertNotIn(b"chunked", head)
            self.assertEqual((await read_answer(reader))[0::2], (200, b""))

    @gen_test(timeout=60)
    async def test_204_and_304_have_no_length(self) -> None:
        for status in (b"204", b"304"):
            head, body = await self.everything(get(b"/status/" + status, b"Connection: close"))
            self.assertNotIn("content-length", head.lower())
            self.assertEqual(body, "")

    @gen_test(timeout=60)
    async def test_unknown_length_is_chunked(self) -> None:
        head, body = await self.everything(get(b"/flush", b"Connection: close"))
        self.assertIn("\r\nTransfer-Encoding: chunked", head)
        self.assertEqual(body, "4\r\none \r\n4\r\ntwo \r\n5\r\nthree\r\n0\r\n\r\n")

    @gen_test(timeout=60)
    async def test_known_length_is_not_chunked(self) -> None:
        head, body = await self.everything(get(b"/flush?length=13", b"Connection: close"))
        self.assertNotIn("Transfer-Encoding", head)
        self.assertEqual(body, "one two three")

    @gen_test(timeout=60)
    async def test_unknown_length_ends_with_the_connection_in_http_1_0(self) -> None:
        head, body = await self.everything(get(b"/flush", version=b"1.0"))
        self.assertNotIn("Transfer-Encoding", head)
        self.assertNotIn("Keep-Alive", head)
        self.assertEqual(body, "one two three")

    @gen_test(timeout=60)
    async def test_a_length_that_lies_ends_the_connection(self) -> None:
        for length in (b"12", b"14"):
            with self.assertLogs(level="ERROR"):
                head, body = await self.everything(get(b"/flush?length=" + length) + get())
            self.assertIn("200 OK", head)
            self.assertLess(len(body), 14)
        await self.assert_serves()

    @gen_test(timeout=60)
    async def test_keep_alive(self) -> None:
        reader, writer = await self.connect()
        for _ in range(1000):
            writer.write(get())
            status, headers, body = await read_answer(reader)
            self.assertEqual((status, body), (200, b"plain"))
            self.assertNotIn("connection", headers)
        self.assertEqual(await self._app.admission.drained(5), 0)


class RequestTest(HTTPServerTest):
    routes = [(r"/.*", RequestHandlerOfAll)]  # noqa: RUF012

    async def seen(self, request: bytes) -> Any:
        return json.loads((await exchange(self.get_http_port(), request))[2])

    @gen_test(timeout=60)
    async def test_all(self) -> None:
        fields = (b"X-A: 1", b"x-a: 2", b"Cookie: c=d", b"Content-Length: 4")
        seen = await self.seen(get(b"/p%20q?a=1&a=%C3%A4", *fields) + b"body")
        self.assertEqual(
            seen,
            {
                "remote_ip": "127.0.0.1",
                "protocol": "http",
                "full_url": "http://a/p%20q?a=1&a=%C3%A4",
                "host": "a",
                "host_name": "a",
                "version": "HTTP/1.1",
                "uri": "/p%20q?a=1&a=%C3%A4",
                "path": "/p%20q",
                "query": "a=1&a=%C3%A4",
                "argument": ["1", "ä"],
                "fields": ["1", "2"],
                "joined": "1,2",
                "cookie": "d",
                "body": "body",
                "positive_time": True,
            },
        )

    @gen_test(timeout=60)
    async def test_who_asks_is_not_taken_from_headers(self) -> None:
        fields = (b"X-Forwarded-For: 192.0.2.1", b"X-Real-Ip: 192.0.2.1", b"X-Scheme: https")
        seen = await self.seen(get(b"/", *fields, b"X-Forwarded-Proto: https"))
        self.assertEqual((seen["remote_ip"], seen["protocol"]), ("127.0.0.1", "http"))

    @gen_test(timeout=60)
    async def test_bytes_that_are_not_ascii(self) -> None:
        seen = await self.seen(get(b"/%C3%A4?a=%C3%A4", "X-A: ä".encode("latin1")))
        self.assertEqual((seen["argument"], seen["fields"]), (["ä"], ["ä"]))
        self.assertEqual(seen["path"], "/%C3%A4")


class DetachHandler(RequestHandler):
    """Handler that detaches the connection, and greets."""

    async def get(self) -> None:
        stream = self.detach()
        await stream.write(b"no HTTP")
        stream.close()


class DetachTest(HTTPServerTest):
    routes = [(r"/", DetachHandler)]  # noqa: RUF012

    @gen_test(timeout=60)
    async def test_the_stream_is_the_handlers(self) -> None:
        reader, writer = await self.connect()
        writer.write(get())
        self.assertEqual(await reader.read(), b"no HTTP")
