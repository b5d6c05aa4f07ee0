"""Neither a fast sender nor a slow reader makes the server hold more than a little."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any

import psutil
from tornado.testing import gen_test
from tornado.web import HTTPError, RequestHandler, stream_request_body

from ..server_test import read_answer
from .http_servers import HTTPServerTest, get, post_head, settled, until

MEBIBYTE = 1 << 20
# The kernel's buffers on both sides of a connection may hold 10 MiB.
A_LITTLE = 24 * MEBIBYTE


class LargeHandler(RequestHandler):
    """Handler whose answer has 32 KiB."""

    answered = 0

    def get(self) -> None:
        type(self).answered += 1
        self.write(b"x" * 32_768)


class PiecesHandler(RequestHandler):
    """Handler whose answer has 50 MiB, in pieces."""

    written = 0

    async def get(self) -> None:
        for _ in range(800):
            self.write(b"x" * 65_536)
            await self.flush()
            type(self).written += 65_536


@stream_request_body
class SlowHandler(RequestHandler):
    """Handler that reads a body once `open` is set."""

    open: asyncio.Event
    received = 0

    def prepare(self) -> None:
        self.digest = hashlib.sha256()

    async def data_received(self, chunk: bytes) -> None:
        type(self).received += len(chunk)
        await self.open.wait()
        self.digest.update(chunk)

    def post(self) -> None:
        self.write(self.digest.hexdigest())


@stream_request_body
class PickyHandler(RequestHandler):
    """Handler that accepts 10 bytes, or refuses a body before it comes."""

    def prepare(self) -> None:
        if self.get_query_argument("refuse", ""):
            raise HTTPError(403)
        connection: Any = self.request.connection
        connection.set_max_body_size(10)

    def data_received(self, chunk: bytes) -> None:
        pass

    def post(self) -> None:
        self.write("taken")


class BackPressureTest(HTTPServerTest):
    covers = False
    settings = {"max_body_bytes": 1 << 30}  # noqa: RUF012
    routes = [  # noqa: RUF012
        (r"/large", LargeHandler),
        (r"/pieces", PiecesHandler),
        (r"/slow", SlowHandler),
        (r"/picky", PickyHandler),
    ]

    def setUp(self) -> None:
        super().setUp()
        LargeHandler.answered = PiecesHandler.written = SlowHandler.received = 0
        SlowHandler.open = asyncio.Event()

    @gen_test(timeout=60)
    async def test_pipelined_requests_whose_answers_nobody_reads(self) -> None:
        reader, writer = await self.connect()
        before = psutil.Process().memory_info().rss
        writer.write(get(b"/large") * 10_000)
        await until(lambda: LargeHandler.answered)
        answered = await settled(lambda: LargeHandler.answered)
        self.assertLess(answered * 32_768, A_LITTLE)
        self.assertLess(psutil.Process().memory_info().rss - before, 2 * A_LITTLE)
        for _ in range(answered + 100):
            self.assertEqual((await read_answer(reader))[0], 200)

    @gen_test(timeout=60)
    async def test_pipelined_requests_are_all_answered(self) -> None:
        reader, writer = await self.connect()
        writer.write(b"".join(get(b"/picky?%d" % number) for number in range(2000)))
        for _ in range(2000):
            self.assertEqual((await read_answer(reader))[0], 405)

    @gen_test(timeout=60)
    async def test_large_answer_to_a_slow_reader(self) -> None:
        reader, writer = await self.connect()
        before = psutil.Process().memory_info().rss
        writer.write(get(b"/pieces", version=b"1.0"))
        await until(lambda: PiecesHandler.written)
        self.assertLess(await settled(lambda: PiecesHandler.written), A_LITTLE)
        self.assertLess(psutil.Process().memory_info().rss - before, 2 * A_LITTLE)
        await reader.readuntil(b"\r\n\r\n")
        received = 0
        while data := await reader.read(MEBIBYTE):
            received += len(data)
        self.assertEqual(received, 50 * MEBIBYTE)

    @gen_test(timeout=60)
    async def test_large_body_to_a_slow_handler(self) -> None:
        body = bytes(range(256)) * 4096 * 32
        digest = hashlib.sha256(body).hexdigest()
        length = b"Content-Length: %d" % len(body)
        self.assertEqual(await self.slowly_taken(length, body), digest)
        chunks = b"%x\r\n%s\r\n" % (len(body), body) + b"0\r\n\r\n"
        self.assertEqual(await self.slowly_taken(b"Transfer-Encoding: chunked", chunks), digest)

    async def slowly_taken(self, field: bytes, body: bytes) -> str:
        """Return the answer of a handler that reads nothing until the sender has to wait."""
        SlowHandler.open.clear()
        SlowHandler.received = 0
        reader, writer = await self.connect()
        writer.write(post_head(b"/slow", field) + body)
        await until(lambda: SlowHandler.received)
        unsent = await settled(writer.transport.get_write_buffer_size)
        self.assertLessEqual(SlowHandler.received, 65_536)
        self.assertGreater(unsent, len(body) - A_LITTLE)
        SlowHandler.open.set()
        return (await read_answer(reader))[2].decode()

    @gen_test(timeout=60)
    async def test_a_body_that_its_handler_refuses(self) -> None:
        request = post_head(b"/picky?refuse=1", b"Content-Length: 1000")
        head, _ = await self.everything(request)
        self.assertEqual(head.split()[1], "403")

    @gen_test(timeout=60)
    async def test_the_handlers_own_limit(self) -> None:
        for fields, body, status in (
            (b"Content-Length: 10", b"0123456789", b"200"),
            (b"Content-Length: 11", b"0123456789a", b"400"),
            (b"Transfer-Encoding: chunked", b"a\r\n0123456789\r\n0\r\n\r\n", b"200"),
            (b"Transfer-Encoding: chunked", b"b\r\n0123456789a\r\n0\r\n\r\n", b"400"),
        ):
            reader, writer = await self.connect()
            writer.write(post_head(b"/picky", fields) + body)
            self.assertEqual((await reader.readline()).split()[1], status)
