"""Bodies that a client gets wrong: the server refuses them, stores nothing, and goes on."""

from __future__ import annotations

import asyncio
import gc
import gzip
import json
import os
import threading
import tracemalloc
from typing import Annotated, Any

import psutil
from pydantic import AfterValidator
from tornado.testing import gen_test
from tornado.web import RequestHandler, stream_request_body

from ...http.action_handler import ActionHandler
from ...http.decorators import type_check, unpack
from ...http.rest_handler import RestHandler
from ...log import LOGGER
from ...offload.thread import LARGE_BYTES
from ...validation import MAX_DEPTH
from ..server_test import PASSWORD, ServerTest, exchange, read_answer

REGISTER = json.dumps({"email": "ada@example.com", "password": PASSWORD}).encode()
MEBIBYTE = 1 << 20
HEAD = b"POST /system/echo HTTP/1.1\r\nHost: a\r\n"
PING = b"POST /system/ping HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"


def nested(depth: int) -> bytes:
    """Return an object of `depth` levels."""
    return b'{"a":' * depth + b"1" + b"}" * depth


class JSONTest(ServerTest):
    def test_malformed(self) -> None:
        bodies = [
            b"",
            b" ",
            b"{} x",
            b'{"a":1,}',
            b"{'a':1}",
            b'{"a":NaN}',
            b'{"a":Infinity}',
            b'{"a":-Infinity}',
            b'{"a":1e400}',
            b'{"a":01}',
            b'{"a":"\xff"}',
            b'{"a":"\\ud800"}',
            b'{"\\udc00":1}',
            b'{"a":"\n"}',
            '{"a":1}'.encode("utf-16"),
            '{"a":1}'.encode("utf-8-sig"),
            b"[]",
            b'"x"',
            b"null",
            b"1",
            b"true",
            b"[" * 100_000,
            b'{"a":' * 100_000,
            nested(MAX_DEPTH + 1),
            b'{"a":' + b"[" * MAX_DEPTH + b"]" * MAX_DEPTH + b"}",
        ]
        for body in bodies:
            with self.subTest(body=body[:20]):
                self.error(self.post("/auth/register", body), 400, "malformed")
        self.assertEqual(self.stored("sample_users"), [])

    def test_a_form(self) -> None:
        for body in (b"email=ada%40example.com&password=x", b"a+b=1", b"a="):
            answer = self.post("/system/echo", body)
            self.error(answer, 400, "malformed")
            self.assertIn(b"It looks like a form: send a JSON object.", answer.body)
        for body in (b"a", b"=a", b'{"a"=1}', b"[a=1]"):
            self.assertNotIn(b"looks like", self.post("/system/echo", body).body)

    def test_deepest(self) -> None:
        for body in (nested(MAX_DEPTH), json.dumps({"a": [[]] * 1000}).encode()):
            self.assertEqual(self.data(self.post("/system/echo", body)), json.loads(body))

    def test_content_type_does_not_matter(self) -> None:
        for kind in ("application/json", "application/x-www-form-urlencoded", "text/plain", "x"):
            answer = self.data(self.post("/system/echo", {"a": 1}, Content_Type=kind))
            self.assertEqual(answer, {"a": 1})

    def test_multipart(self) -> None:
        for kind in ("multipart/form-data; boundary=a", " MULTIPART/mixed"):
            response = self.post("/auth/register", REGISTER, Content_Type=kind)
            self.error(response, 415, "unsupported_media_type")
        self.assertEqual(self.stored("sample_users"), [])

    def test_integers_beyond_64_bits(self) -> None:
        for number in (2**63, -(2**63) - 1, 2**64, 10**30, -(10**5000)):
            sign, digits = ("-" if number < 0 else ""), number
            with self.subTest(bits=digits.bit_length()):
                text = f"{sign}1{'0' * 5000}" if digits.bit_length() > 9999 else str(number)
                body = f'{{"a": [{{"b": {text}}}], "c": {text}}}'.encode()
                response = self.post("/system/echo", body)
                if digits.bit_length() > 9999:
                    self.error(response, 400, "malformed")
                else:
                    self.error(response, 400, "invalid_argument", "a.0.b", "c")

    def test_an_integer_beside_a_deep_value_that_is_dropped(self) -> None:
        deep = b"[" * 1000 + b"]" * 1000
        body = b'{"a":%b,"a":1,"b":%d}' % (deep, 2**63)
        self.error(self.post("/system/echo", body), 400, "invalid_argument", "b")

    def test_a_long_integer_that_is_dropped(self) -> None:
        body = b'{"a":[%d],"a":1,"b":1e20}' % 10**19
        self.assertEqual(self.data(self.post("/system/echo", body)), {"a": 1, "b": 1e20})

    def test_many_integers_beyond_64_bits(self) -> None:
        """Each problem names its path, and the client chooses the length of a path."""
        numbers = ",".join(["1" * 20] * 20_000)
        body = f'{{"{"k" * 500_000}": [{numbers}]}}'.encode()
        response = self.post("/system/echo", body)
        self.assertEqual(response.code, 400)
        self.assertEqual(len(json.loads(response.body)["error"]["details"]), 100)
        self.assertLess(len(response.body), 100_000)

    def test_integers_of_64_bits(self) -> None:
        body = {"a": 2**63 - 1, "b": -(2**63), "c": "9" * 40, "d": 0.12345678901234567890123}
        self.assertEqual(self.data(self.post("/system/echo", body)), body)

    def test_digits_that_are_no_integer_beyond_64_bits(self) -> None:
        for text in (
            b'"' + b"9" * 40 + b'"',
            b'"\\\\\\"' + b": " + b"9" * 40 + b'"',
            b"1234567890123456789",
            b"9" * 20 + b".5",
            b"9" * 20 + b"e2",
            b"1.5E-" + b"0" * 30 + b"1",
            b"-0." + b"9" * 40,
        ):
            body = b'{"a":[1, %b]}' % text
            with self.subTest(body=body):
                self.assertEqual(self.data(self.post("/system/echo", body)), json.loads(body))

    def test_an_integer_beyond_64_bits_wherever_it_stands(self) -> None:
        for text, path in (
            (b'{"a":%b}', "a"),
            (b'{"a": \n%b}', "a"),
            (b'{"a":"\\\\","b":[0,%b ]}', "b.1"),
            (b'{"a":"\\"","b":[%b,"]"]}', "b.0"),
            (b'{"a":[[],{"b":1.5}],"c":{"d":[true,%b]}}', "c.d.1"),
        ):
            for number in (2**63, 10**25, -(10**19)):
                response = self.post("/system/echo", text % str(number).encode())
                with self.subTest(text=text):
                    self.error(response, 400, "invalid_argument", path)


class ValuesTest(ServerTest):
    """`max_body_values`: commas and brackets in strings are no values."""

    settings = {"max_body_values": 4}  # noqa: RUF012
    most = (
        b'{"a":[1,2,3]}',
        b'{"a":{"b":{},"c":3}}',
        b'{"a":[[[]]]}',
        b'{"a":1,"b":",,,[[[{{{","c":"\\",\\",","d":"\\\\"}',
        b'{"%b":"%b"}' % (b"," * 100, b'\\"[' * 100),
    )
    too_many = (
        b'{"a":[1,2,3,4]}',
        b'{"a":"\\\\","b":2,"c":3,"d":4,"e":5}',
        b'{"a":"\\\\\\"","b":2,"c":3,"d":4,"e":5}',
        b'{"a":[[[[]]]]}',
        b'{"a":{"b":"","c":"","d":"","e":""}}',
        b'{"a":[1,2,3,4',
        b"[" * 100,
    )

    def test_most(self) -> None:
        for body in self.most:
            with self.subTest(body=body):
                self.assertEqual(self.data(self.post("/system/echo", body)), json.loads(body))

    def test_too_many(self) -> None:
        for body in self.too_many:
            with self.subTest(body=body):
                self.error(self.post("/system/echo", body), 413, "too_large")


class LargeBody(ActionHandler):
    """An action that answers whether its field was validated in the thread of the event loop."""

    @unpack("checked", large="")
    @type_check(Annotated[str, AfterValidator(lambda _: threading.current_thread().name)], str)
    async def asks(self, checked: str, large: str) -> bool:
        return checked == threading.current_thread().name


class LargeItem(RestHandler):
    @unpack("large")
    @type_check(str)
    async def post(self, large: str) -> None:
        """Make nothing."""

    async def put(self) -> Any:
        return self.body


class LargeBodyTest(ServerTest):
    """Bodies that need some time to be looked at: the event loop does not wait for that."""

    covers = False

    def setUp(self) -> None:
        super().setUp()
        routes = [(r"/large/(?P<action>[a-z]+)", LargeBody), ("/item", LargeItem)]
        self._app.add_handlers(".*", routes)

    def test_default_limit(self) -> None:
        for values in (b"1,", b"[],"):
            body = b'{"s":"1234567890123456789","a":[' + values * 300_000 + b"1]}"
            response = self.post("/system/echo", gzip.compress(body), Content_Encoding="gzip")
            self.error(response, 413, "too_large")

    def test_where_it_is_validated(self) -> None:
        for large, same in (("", True), ("x" * LARGE_BYTES, False)):
            answer = self.post("/large/asks", {"checked": "", "large": large})
            self.assertEqual(self.data(answer), same)

    def test_errors(self) -> None:
        large = "x" * LARGE_BYTES
        self.error(self.post("/large/asks", b"{" + large.encode()), 400, "malformed")
        answer = self.post("/large/asks", {"checked": 1, "large": large})
        self.error(answer, 400, "invalid_argument", "checked")

    def test_none_is_kept_once_it_is_answered(self) -> None:
        """A body in a cycle of references would stay until the next garbage collection."""
        large = "x" * LARGE_BYTES
        objects = {"checked": "", "large": large}, {"large": large}, {"checked": 10**20}
        gc.disable()
        self.addCleanup(gc.enable)
        self.addCleanup(gc.unfreeze)
        for body in (*objects, "{" + large, "{"):
            raw = body if isinstance(body, str) else json.dumps(body)
            gc.freeze()  # so that `get_objects` shows only new objects
            self.post("/large/asks", raw.encode())
            self.run_async(self.until_forgotten(LargeBody))

    async def until_forgotten(self, kind: type) -> None:
        while any(type(each) is kind for each in gc.get_objects()):
            await asyncio.sleep(0.01)

    def test_rest(self) -> None:
        large = {"large": "x" * LARGE_BYTES}
        self.assertEqual(self.post("/item", large).code, 204)
        for body, status in ((json.dumps(large), 200), ("{" + large["large"], 400)):
            self.assertEqual(self.fetch("/item", method="PUT", body=body).code, status)

    def test_many_problems(self) -> None:
        """Send a body of which each value is a problem."""
        body = {"parts": [1] * 50_000}
        error = json.loads(self.post("/system/join", body).body)
        details = error["error"]["details"]
        self.assertEqual([each["path"] for each in details], [f"parts.{n}" for n in range(100)])
        self.assertEqual({each["reason"] for each in details}, {"string_type"})
        self.assertIn("There are 50000 problems in all.", error["data"])


class SizeTest(ServerTest):
    settings = {"max_body_bytes": MEBIBYTE}  # noqa: RUF012

    def object_of(self, size: int) -> bytes:
        return b'{"a":"' + b"x" * (size - 8) + b'"}'

    def test_largest(self) -> None:
        body = self.object_of(MEBIBYTE)
        self.assertEqual(self.data(self.post("/system/echo", body)), json.loads(body))
        self.data(self.post("/system/echo", gzip.compress(body), Content_Encoding="gzip"))

    def test_too_large(self) -> None:
        for path in ("/system/echo", "/auth/register"):
            response = self.post(path, self.object_of(MEBIBYTE + 1))
            self.error(response, 413, "too_large")

    def test_too_large_chunked(self) -> None:
        status, _, body = self.raw(
            HEAD + b"Transfer-Encoding: chunked\r\n\r\n",
            *[b"10000\r\n" + b"x" * 0x10000 + b"\r\n"] * 32,
            b"0\r\n\r\n",
        )
        self.assertEqual((status, json.loads(body)["error"]["code"]), (413, "too_large"))

    @gen_test(timeout=60)
    async def test_the_connection_stays_usable_and_memory_does_not_grow(self) -> None:
        process = psutil.Process()
        reader, writer = await asyncio.open_connection("127.0.0.1", self.get_http_port())
        writer.write(HEAD + b"Content-Length: %d\r\n\r\n" % (100 * MEBIBYTE))
        before = most = process.memory_info().rss
        for _ in range(100):
            writer.write(b"x" * MEBIBYTE)
            await writer.drain()
            most = max(most, process.memory_info().rss)
        status, _, _ = await read_answer(reader)
        self.assertEqual(status, 413)
        self.assertLess(most - before, 16 * MEBIBYTE)
        writer.write(PING)
        self.assertEqual((await read_answer(reader))[0], 200)
        writer.close()

    def test_chunked(self) -> None:
        request = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
        status, _, body = self.raw(request, b'4\r\n{"a"\r\n', b"3\r\n:1}\r\n", b"0\r\n\r\n")
        self.assertEqual((status, json.loads(body)["data"]), (200, {"a": 1}))


class GzipTest(ServerTest):
    settings = {"max_body_bytes": MEBIBYTE}  # noqa: RUF012

    def send(self, body: bytes, encoding: str = "gzip") -> Any:
        return self.post("/system/echo", body, Content_Encoding=encoding)

    def test_valid(self) -> None:
        body = gzip.compress(b'{"a": "' + b"x" * 1000 + b'"}')
        for encoding in ("gzip", "GZIP", "x-gzip"):
            self.assertEqual(self.data(self.send(body, encoding)), {"a": "x" * 1000})
        for encoding in ("identity", ""):
            self.assertEqual(self.data(self.send(b'{"a": 1}', encoding)), {"a": 1})

    def test_several_members(self) -> None:
        body = gzip.compress(b'{"a":') + gzip.compress(b"1}")
        self.assertEqual(self.data(self.send(body)), {"a": 1})

    def test_incompressible(self) -> None:
        text = os.urandom(300_000).hex()
        self.assertEqual(
            self.data(self.send(gzip.compress(json.dumps({"a": text}).encode())))["a"], text
        )

    def test_malformed(self) -> None:
        good = gzip.compress(b'{"a": 1}')
        for body in (b"{}", good[:-1], good[:5], good + b"x", b"\x1f\x8b" + b"\xff" * 50):
            with self.subTest(body=body):
                self.error(self.send(body), 400, "malformed")

    def test_many_members(self) -> None:
        member = gzip.compress(b" ")
        rest = gzip.compress(b"{}")
        self.data(self.send(member * 99 + rest))
        self.error(self.send(member * 100 + rest), 400, "malformed")

    @gen_test(timeout=60)
    async def test_bodies_on_their_way_stay_packed(self) -> None:
        packed = gzip.compress(b'{"a":"' + b"x" * (MEBIBYTE - 8) + b'"}')
        head = HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        connections = [
            await asyncio.open_connection("127.0.0.1", self.get_http_port()) for _ in range(50)
        ]
        for _, writer in connections:
            writer.write(head + packed[:-1])
        while self._app.admission.in_flight < len(connections):
            await asyncio.sleep(0.01)
        self.assertLess(tracemalloc.get_traced_memory()[1], 16 * MEBIBYTE)
        for reader, writer in connections:
            writer.write(packed[-1:])
            self.assertEqual((await read_answer(reader))[0], 200)
            writer.close()

    def test_unknown_encoding(self) -> None:
        for encoding in ("br", "deflate", "gzip, gzip", "zstd"):
            self.error(self.send(b"{}", encoding), 415, "unsupported_media_type")

    def test_bomb(self) -> None:
        """Send a megabyte that unpacks to a gigabyte."""
        block = gzip.compress(b"\0" * (64 * MEBIBYTE))
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        self.error(self.send(block * 16), 413, "too_large")
        self.assertLess(tracemalloc.get_traced_memory()[1], 16 * MEBIBYTE)


class WaitingHandler(ActionHandler):
    go_on: asyncio.Event

    async def waits(self, body: Any) -> None:
        await self.go_on.wait()


@stream_request_body
class UploadHandler(RequestHandler):
    size = 0

    def data_received(self, chunk: bytes) -> None:
        self.size += len(chunk)

    def post(self) -> None:
        self.write(str(self.size))


class SlowUploadHandler(UploadHandler):
    async def data_received(self, chunk: bytes) -> None:  # type: ignore[override]
        await asyncio.sleep(0.01)
        super().data_received(chunk)


class AllBodiesTest(ServerTest):
    """`max_body_bytes_in_flight`: two of these bodies fit in."""

    settings = {"max_body_bytes": 50_000, "max_body_bytes_in_flight": 90_000}  # noqa: RUF012
    body = b'{"a":"' + b"x" * 40_000 + b'"}'

    def setUp(self) -> None:
        super().setUp()
        self.writers: list[asyncio.StreamWriter] = []
        routes = [(r"/job/(?P<action>[a-z]+)", WaitingHandler), ("/upload", UploadHandler)]
        routes.append(("/slow", SlowUploadHandler))
        self._app.add_handlers(".*", routes)

    def tearDown(self) -> None:
        for writer in self.writers:
            writer.close()
        super().tearDown()

    def request(self, body: bytes, fields: bytes = b"", path: bytes = b"/system/echo") -> bytes:
        head = b"POST %b HTTP/1.1\r\nHost: a\r\n%bContent-Length: %d\r\n\r\n"
        return head % (path, fields, len(body)) + body

    async def begin(self, data: bytes) -> asyncio.StreamReader:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.get_http_port())
        self.writers.append(writer)
        writer.write(data)
        await writer.drain()
        return reader

    async def ask(self, data: bytes) -> int:
        """Return the status of the answer, which has what every refusal has if it is a 503."""
        status, headers, body = await exchange(self.get_http_port(), data)
        if status == 503:
            self.assertEqual(headers["retry-after"], "1")
            self.assertEqual(json.loads(body)["error"]["code"], "unavailable")
        return status

    async def until(self, status: int, data: bytes) -> None:
        while await self.ask(data) != status:
            await asyncio.sleep(0.01)

    @gen_test
    async def test_on_their_way(self) -> None:
        for _ in range(2):
            await self.begin(self.request(self.body)[:-1])
        await self.until(503, self.request(self.body))
        for _ in range(3):
            self.assertEqual(await self.ask(self.request(self.body)), 503)
        self.assertEqual(await self.ask(self.request(self.body[:8_000] + b'"}')), 200)
        self.writers[0].close()
        await self.until(200, self.request(self.body))

    @gen_test
    async def test_until_they_are_answered(self) -> None:
        WaitingHandler.go_on = asyncio.Event()
        waiting = [await self.begin(self.request(self.body, path=b"/job/waits")) for _ in range(2)]
        await self.until(503, self.request(self.body))
        WaitingHandler.go_on.set()
        for reader in waiting:
            self.assertEqual((await read_answer(reader))[0], 200)
        self.assertEqual(await self.ask(self.request(self.body)), 200)

    @gen_test
    async def test_unpacked(self) -> None:
        packed = self.request(gzip.compress(self.body), b"Content-Encoding: gzip\r\n")
        for _ in range(20):
            await self.begin(packed[:-1])
        self.assertEqual(await self.ask(packed), 200)
        for _ in range(2):
            await self.begin(self.request(self.body)[:-1])
        await self.until(503, self.request(self.body))
        self.assertEqual(await self.ask(packed), 503)

    @gen_test
    async def test_a_connection_is_kept(self) -> None:
        for _ in range(2):
            await self.begin(self.request(self.body)[:-1])
        await self.until(503, self.request(self.body))
        reader = await self.begin(self.request(self.body) + PING)
        self.assertEqual([(await read_answer(reader))[0] for _ in range(2)], [503, 200])

    @gen_test
    async def test_packed_streams(self) -> None:
        packed = gzip.compress(self.body)
        for path in (b"/upload", b"/slow"):
            data = self.request(packed, b"Content-Encoding: gzip\r\n", path)
            _, _, answer = await exchange(self.get_http_port(), data)
            self.assertEqual(answer, str(len(self.body)).encode())

    @gen_test
    async def test_streams_do_not_count(self) -> None:
        upload = self.request(self.body, path=b"/upload")
        streams = [await self.begin(upload[:-1]) for _ in range(3)]
        self.assertEqual(await self.ask(self.request(self.body)), 200)
        for writer, reader in zip(self.writers, streams, strict=True):
            writer.write(upload[-1:])
            self.assertEqual((await read_answer(reader))[2], str(len(self.body)).encode())


class SlowClientTest(ServerTest):
    settings = {"idle_timeout_seconds": 0.3, "body_timeout_seconds": 0.3}  # noqa: RUF012

    @gen_test(timeout=60)
    async def test_half_a_request_is_closed_and_nobody_else_sees_it(self) -> None:
        port = self.get_http_port()
        halves = [b"", b"POST /system/ec", HEAD, HEAD + b"Content-Length: 10\r\n\r\n{"]
        halves += [HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{"]
        connections = []
        with self.assertNoLogs(level="WARNING"):  # Tornado's server tells of a timeout at INFO
            with self.assertNoLogs(LOGGER):
                for half in halves * 20:  # each is sent at once, before the idle timeout
                    reader, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.write(half)
                    connections.append((reader, writer))
            status, _, _ = await exchange(port, PING)
            self.assertEqual(status, 200)
            for reader, writer in connections:
                self.assertEqual(await reader.read(), b"")
                writer.close()

    @gen_test(timeout=60)
    async def test_half_a_request_behind_a_whole_one(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.get_http_port())
        writer.write(PING + HEAD + b"Content-Length: 10\r\n\r\n{")
        self.assertEqual((await read_answer(reader))[0], 200)
        self.assertEqual(await reader.read(), b"")
        writer.close()


class FramingTest(ServerTest):
    def test_too_malformed_to_reach_a_handler(self) -> None:
        requests = [
            HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
            HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
            HEAD + b"Content-Length: -1\r\n\r\n",
            b"POST /system/ping HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
            b"rubbish\r\n\r\n",
        ]
        for request in requests:
            with self.subTest(request=request):
                self.assertEqual(self.raw(request)[0], 400)
        self.data(self.post("/system/ping"))

    def test_two_authorization_headers(self) -> None:
        token = self.register()["token"]
        line = f"Authorization: Bearer {token}\r\n".encode()
        request = b"POST /user/get HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n"
        self.assertEqual(self.raw(request + line + b"\r\n{}")[0], 200)
        status, _, body = self.raw(request + line + line + b"\r\n{}")
        self.assertEqual((status, json.loads(body)["error"]["code"]), (401, "unauthenticated"))

    def test_pipelined(self) -> None:
        async def both() -> list[int]:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.get_http_port())
            writer.write(PING + HEAD + b"Content-Length: 1\r\n\r\n[" + PING)
            statuses = [(await read_answer(reader))[0] for _ in range(3)]
            writer.close()
            return statuses

        self.assertEqual(self.run_async(both()), [200, 400, 200])

    def test_expect_continue(self) -> None:
        status, _, _ = self.raw(HEAD + b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        self.assertEqual(status, 100)
