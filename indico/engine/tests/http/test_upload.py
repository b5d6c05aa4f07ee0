"""Handlers that read a body as it comes, with a limit of their own."""

from __future__ import annotations

import asyncio
import gzip
import json
import random
from typing import Any, ClassVar
from unittest.mock import patch

from tornado.httputil import HTTPConnection, HTTPServerRequest
from tornado.testing import gen_test
from tornado.web import HTTPError, stream_request_body

from ...http import body as body_module
from ...http.json_handler import JSONHandler
from ..server_test import exchange, read_answer
from .http_servers import HTTPServerTest, get, post_head, until

LIMIT = 1000


@stream_request_body
class UploadHandler(JSONHandler):
    """Handler of bodies that are larger than the limit of the settings."""

    closed: ClassVar[list[int]]
    size = 0

    async def prepare(self) -> None:  # type: ignore[override]
        super().prepare()
        await asyncio.sleep(0)
        if self.get_query_argument("refuse", ""):
            raise HTTPError(403)
        if self.get_query_argument("own", ""):
            connection: Any = self.request.connection
            connection.set_max_body_size(LIMIT)

    def data_received(self, chunk: bytes) -> None:
        self.size += len(chunk)
        if self.get_query_argument("hurry", ""):
            self.respond("enough")

    def on_connection_close(self) -> None:
        super().on_connection_close()
        self.closed.append(self.size)

    def post(self) -> None:
        self.respond([self.size, self.request.headers.get("Content-Type")])


def fixed(body: bytes) -> tuple[bytes, bytes]:
    """Return the field that tells the length of `body`, and `body` as it is sent."""
    return b"Content-Length: %d" % len(body), body


def chunked(body: bytes) -> tuple[bytes, bytes]:
    return b"Transfer-Encoding: chunked", b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)


class UploadTest(HTTPServerTest):
    settings = {"max_body_bytes": 100, "max_body_bytes_in_flight": 100}  # noqa: RUF012
    routes = [(r"/upload", UploadHandler)]  # noqa: RUF012

    def setUp(self) -> None:
        super().setUp()
        UploadHandler.closed = []

    async def upload(self, query: bytes, *fields: bytes, body: bytes) -> tuple[int, Any]:
        """Return status and data of the answer; data is None if it is not JSON."""
        reader, writer = await self.connect()
        writer.write(post_head(b"/upload?" + query, *fields) + body)
        status, headers, answer = await read_answer(reader)
        return status, json.loads(answer)["data"] if "content-type" in headers else None

    @gen_test
    async def test_over_the_limit_of_the_settings(self) -> None:
        for field, body in (fixed(b"x" * LIMIT), chunked(b"x" * LIMIT)):
            kind = b"Content-Type: image/png"
            answer = await self.upload(b"own=1", field, kind, body=body)
            self.assertEqual(answer, (200, [LIMIT, "image/png"]))

    @gen_test
    async def test_a_compressed_body_keeps_the_limit_of_the_settings(self) -> None:
        for size, status in ((100, 200), (101, 413)):
            field, body = fixed(gzip.compress(b"x" * size))
            encoding = b"Content-Encoding: gzip"
            self.assertEqual((await self.upload(b"own=1", field, encoding, body=body))[0], status)

    @gen_test
    async def test_compressed_beyond_the_memory_of_all_bodies(self) -> None:
        other = HTTPServerRequest("POST", "/", connection=HTTPConnection())
        self.assertTrue(self._app.admission.hold(other, 60))
        with patch.object(body_module, "SMALL_BYTES", 10):
            for plain in (random.randbytes(30), b"x" * 95):  # too many bytes before, and after
                field, packed = fixed(gzip.compress(plain))
                encoding = b"Content-Encoding: gzip"
                answer = await self.upload(b"own=1", field, encoding, body=packed)
                self.assertEqual(answer[0], 503)

    @gen_test
    async def test_unknown_encoding(self) -> None:
        field, body = fixed(b"x")
        answer = await self.upload(b"", field, b"Content-Encoding: br", body=body)
        self.assertEqual(answer[0], 415)

    @gen_test
    async def test_multipart(self) -> None:
        field, body = fixed(b"--a--")
        kind = b"Content-Type: multipart/form-data; boundary=a"
        self.assertEqual((await self.upload(b"", field, kind, body=body))[0], 200)

    @gen_test
    async def test_over_its_own_limit(self) -> None:
        for field, body in (fixed(b"x" * (LIMIT + 1)), chunked(b"x" * (LIMIT + 1))):
            self.assertEqual(await self.upload(b"own=1", field, body=body), (400, None))

    @gen_test
    async def test_no_limit_of_its_own(self) -> None:
        for field, body in (fixed(b"x" * 101), chunked(b"x" * 101)):
            status, _ = await self.upload(b"", field, body=body)
            self.assertEqual(status, 413)

    @gen_test
    async def test_a_client_is_told_to_go_on_once_the_handler_is_prepared(self) -> None:
        expect = b"Expect: 100-continue"
        for query, status in ((b"own=1", 100), (b"refuse=1", 403)):
            reader, writer = await self.connect()
            writer.write(post_head(b"/upload?" + query, b"Content-Length: 1000", expect))
            self.assertEqual((await read_answer(reader))[0], status)

    @gen_test
    async def test_too_long_a_body_is_not_asked_for(self) -> None:
        reader, writer = await self.connect()
        fields = (b"Content-Length: 1001", b"Expect: 100-continue")
        writer.write(post_head(b"/upload?own=1", *fields))
        answers = await reader.read()
        self.assertTrue(answers.endswith(b"HTTP/1.1 400 Bad Request\r\n\r\n"))
        self.assertEqual(b" 100 " in answers, self.on_tornado)

    @gen_test
    async def test_an_http_1_0_client_is_not_told_to_go_on(self) -> None:
        request = post_head(b"/upload", b"Content-Length: 1", b"Expect: 100-continue") + b"x"
        reader, writer = await self.connect()
        writer.write(request.replace(b"HTTP/1.1", b"HTTP/1.0"))
        answers = await reader.read()
        self.assertIn(b"HTTP/1.1 200 OK", answers)
        self.assertEqual(b" 100 " in answers, self.on_tornado)

    @gen_test
    async def test_an_answer_before_the_end_of_the_body(self) -> None:
        reader, writer = await self.connect()
        writer.write(post_head(b"/upload?hurry=1", b"Content-Length: 100") + b"x")
        self.assertEqual((await read_answer(reader))[0], 200)
        self.assertEqual(await reader.read(), b"")
        await until(lambda: UploadHandler.closed)
        self.assertEqual(UploadHandler.closed, [1])


class RefusedUploadTest(HTTPServerTest):
    """Uploads while there is no room: the server reads no more of them than of other bodies."""

    settings = {"max_body_bytes": 100, "max_in_flight": 1}  # noqa: RUF012
    routes = [(r"/upload", UploadHandler)]  # noqa: RUF012

    def setUp(self) -> None:
        super().setUp()
        UploadHandler.closed = []

    def fill(self) -> None:
        """Admit a request, so that no other one is admitted."""
        request = HTTPServerRequest("POST", "/", connection=HTTPConnection())
        self.assertTrue(self._app.admission.admit(request))

    @gen_test
    async def test_the_handler_begins_with_the_head(self) -> None:
        reader, writer = await self.connect()
        writer.write(post_head(b"/upload?hurry=1", b"Content-Length: 100"))
        await until(lambda: self._app.admission.is_full())
        self.assertEqual((await exchange(self.get_http_port(), get()))[0], 503)
        writer.write(b"x")
        self.assertEqual((await read_answer(reader))[0], 200)
        await until(lambda: not self._app.admission.is_full())

    @gen_test
    async def test_the_server_was_full_before(self) -> None:
        self.fill()
        await self.is_refused()

    @gen_test
    async def test_the_server_is_full_once_the_handler_is_found(self) -> None:
        with patch.object(self._app.admission, "is_full", side_effect=[False, True] * 9):
            self._app.overloaded = lambda: False
            await self.is_refused()
        self.assertEqual(self._app.admission.in_flight, 0)

    async def is_refused(self) -> None:
        for length in (b"Content-Length: 101", b"Content-Length: 1\r\nExpect: 100-continue"):
            reader, writer = await self.connect()
            writer.write(post_head(b"/upload?own=1", length))
            await self.assert_refused(reader, closes=True)
        reader, writer = await self.connect()
        writer.write(post_head(b"/upload?own=1", b"Transfer-Encoding: chunked"))
        for _ in range(2):  # of unknown length
            writer.write(b"40\r\n" + b"x" * 64 + b"\r\n")
        await self.assert_refused(reader, closes=True)
        reader, writer = await self.connect()
        writer.write(post_head(b"/upload?own=1", b"Content-Length: 100") + b"x" * 99)
        writer.write(b"x")
        await self.assert_refused(reader, closes=False)
        self.assertEqual(UploadHandler.closed, [])

    async def assert_refused(self, reader: asyncio.StreamReader, closes: bool) -> None:
        status, headers, _ = await read_answer(reader)
        self.assertEqual((status, headers.get("connection") == "close"), (503, closes))
        if closes:
            self.assertEqual(await reader.read(), b"")
