"""Too much work: `max_delay_seconds`, `max_in_flight` and `request_timeout_seconds`."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable
from typing import Any, ClassVar, cast
from unittest import skipIf
from unittest.mock import patch

from tornado.testing import gen_test

from ... import files
from ...error import Conflict
from ...http.action_handler import ActionHandler
from ...http.rest_handler import RestHandler
from ...log import LOGGER
from ...mongo.collection import Collection, Document
from ...mongo.driver import mongodb
from ...mongo.waiting import FEW
from ..environment import CHOSEN
from ..load import compute
from ..mongo.proxy import Proxy
from ..server_process import ENGINE
from ..server_test import ServerTest, exchange, mongodb_uri, read_answer
from ..telemetry.scrape import Scraped

THINGS = Collection("things", Document)


class WorkHandler(ActionHandler):
    go_on: asyncio.Event
    at_work = 0
    ended: ClassVar[list[str]] = []

    async def waits(self) -> str:
        WorkHandler.at_work += 1
        await self.go_on.wait()
        return "done"

    async def begins(self) -> None:
        self.write(b"[")
        await self.flush()
        await asyncio.sleep(0.4)
        self.finish(b"]")

    async def asks_the_database(self) -> None:
        """Insert one document after the other, without an end."""
        try:
            while True:
                await THINGS.insert({"a": 1})
        finally:
            self.ended.append("asks_the_database")

    async def asks_once(self) -> None:
        slow = "function() { sleep(500); return true; }"
        await THINGS.aggregate([{"$match": {"$expr": {"$function": _function(slow)}}}])

    async def blocks(self) -> str:
        """Keep the event loop busy."""
        compute(0.02)
        return "done"

    async def does_not_end(self) -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await asyncio.sleep(0.1)
            self.ended.append("does_not_end")
            raise Conflict from None

    async def leaves_work(self) -> None:
        async def later() -> None:
            await asyncio.sleep(0.4)
            await THINGS.aggregate([{"$limit": 1}])
            self.ended.append("later")

        WorkHandler.later = asyncio.create_task(later())

    later: asyncio.Task[None]


def _function(body: str) -> dict[str, Any]:
    return {"body": body, "args": [], "lang": "js"}


class FaultyHandler(ActionHandler):
    """A handler that fails when it is made."""

    def initialize(self) -> None:
        raise ValueError


class StreamHandler(RestHandler):
    async def get(self) -> None:
        await self.stream(self._pieces())

    async def _pieces(self) -> AsyncIterator[bytes]:
        yield b"a" * 100_000
        await asyncio.sleep(0.4)
        yield b"b" * 100_000


class WorkTest(ServerTest):
    def setUp(self) -> None:
        super().setUp()
        WorkHandler.at_work = 0
        WorkHandler.go_on = asyncio.Event()
        WorkHandler.ended.clear()
        work = (r"/job/(?P<action>[a-zA-Z_]+)?", WorkHandler)
        self._app.add_handlers(
            ".*", [work, (r"/stream", StreamHandler), ("/faulty", FaultyHandler)]
        )

    async def begin(self, count: int) -> list[asyncio.Task[Any]]:
        """Begin calls that wait, and return them once all are at work."""
        wanted = WorkHandler.at_work + count
        calls = [asyncio.create_task(self.ask("/job/waits")) for _ in range(count)]
        while WorkHandler.at_work < wanted:
            await asyncio.sleep(0.01)
        return calls

    async def end(self, calls: list[asyncio.Task[Any]]) -> None:
        WorkHandler.go_on.set()
        for status, _, body in await asyncio.gather(*calls):
            self.assertEqual((status, json.loads(body)["data"]), (200, "done"))
        WorkHandler.at_work = 0
        WorkHandler.go_on = asyncio.Event()

    async def refused(self) -> float:
        _, _, page = await self.ask("/metrics", "GET")
        return Scraped(page.decode()).sum("sample_requests_refused_total")

    async def ask(self, path: str, method: str = "POST", body: bytes = b"") -> Any:
        head = f"{method} {path} HTTP/1.1\r\nHost: a\r\nX-Request-Id: the-id\r\n"
        length = f"Content-Length: {len(body)}\r\n\r\n"
        return await exchange(self.get_http_port(), (head + length).encode() + body)


class InFlightTest(WorkTest):
    settings = {"max_in_flight": 2}  # noqa: RUF012

    @gen_test
    async def test_one_too_many(self) -> None:
        calls = await self.begin(2)
        before = await self.refused()
        with self.assertLogs(LOGGER) as logs:
            for path in ("/job/waits", "/user/get?secret=5", "/nosuch"):
                status, headers, body = await self.ask(path, body=b"{" * 5000)
                answer = json.loads(body)
                self.assertEqual((status, answer["status"]), (503, 503))
                self.assertEqual(answer["error"]["code"], "unavailable")
                self.assertEqual(answer["error"]["request_id"], "the-id")
                self.assertEqual(headers["x-request-id"], "the-id")
                self.assertEqual(headers["retry-after"], "1")
                self.assertEqual(headers["content-type"], "application/json")
                self.assertIn("date", headers)
        self.assertIn("POST /user/get 503 overloaded id=the-id", logs.output[1])
        self.assertEqual(await self.refused(), before + 3)
        await self.end(calls)
        self.assertEqual((await self.ask("/system/ping"))[0], 200)

    @gen_test
    async def test_what_is_parsed_is_answered_as_what_need_not_be(self) -> None:
        """Compare the refusal of a request in pieces with that of a whole request."""
        calls = await self.begin(2)
        lines = b"POST /a?b=c HTTP/1.1\r\nHost: a\r\nX-Request-Id: one\r\nContent-Length: 2\r\n\r\n"
        port = self.get_http_port()
        whole = await exchange(port, lines + b"{}")
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for piece in (lines[:30], lines[30:], b"{}"):
            writer.write(piece)
            await asyncio.sleep(0.05)
        parsed = await read_answer(reader)
        writer.close()
        for _, headers, _ in (whole, parsed):
            headers.pop("date")
        self.assertEqual(whole, parsed)
        await self.end(calls)

    @gen_test
    async def test_a_burst(self) -> None:
        """Send more requests in one turn of the loop than are admitted."""
        port, before = self.get_http_port(), await self.refused()
        burst = [await asyncio.open_connection("127.0.0.1", port) for _ in range(20)]
        for _, writer in burst:
            writer.write(b"POST /job/waits HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
        while await self.refused() < before + 18:
            await asyncio.sleep(0.01)
        self.assertEqual(WorkHandler.at_work, 2)
        WorkHandler.go_on.set()
        answers = [await read_answer(reader) for reader, _ in burst]
        self.assertEqual(sorted(status for status, _, _ in answers), [200] * 2 + [503] * 18)
        for _, writer in burst:
            writer.close()

    @gen_test
    async def test_a_handler_that_can_not_be_made_is_no_work(self) -> None:
        with self.assertLogs(level="ERROR"):
            for _ in range(3):
                await self.ask("/faulty")
        self.assertEqual((await self.ask("/system/ping"))[0], 200)

    @gen_test
    async def test_rest_clients_know_it_too(self) -> None:
        calls = await self.begin(2)
        _, _, body = await self.ask("/items?a=b", "PUT")
        answer = json.loads(body)
        self.assertEqual((answer["code"], answer["method"]), (503, "PUT"))
        self.assertEqual((answer["uri"], answer["message"]), ("/items?a=b", answer["data"]))
        await self.end(calls)

    @gen_test
    async def test_health_is_excepted(self) -> None:
        calls = await self.begin(2)
        for path in ("/healthz", "/readyz", "/metrics?a=b"):
            for method in ("GET", "HEAD"):
                self.assertEqual((await self.head(method, path))[0], 200, path)
        status, _, body = await self.ask("/readyz", "GET", b"{}")
        self.assertEqual((status, json.loads(body)["data"]["checks"]["mongodb"]), (200, "ok"))
        await self.end(calls)

    async def head(self, method: str, path: str) -> tuple[int, bytes]:
        """Return the status, and all bytes of the answer."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.get_http_port())
        writer.write(f"{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        text = await reader.read()
        writer.close()
        return int(text.split()[1]), text

    @gen_test
    async def test_the_answer_to_head_has_no_body(self) -> None:
        calls = await self.begin(2)
        status, text = await self.head("HEAD", "/job/waits")
        self.assertEqual((status, text.partition(b"\r\n\r\n")[2]), (503, b""))
        await self.end(calls)

    @gen_test
    async def test_a_body_that_is_not_readable_is_one_too_many_too(self) -> None:
        head = b"POST /system/echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
        for line in (b"Content-Type: multipart/mixed", b"Content-Encoding: gzip"):
            request = head + line + b"\r\n\r\n1\r\n{\r\n0\r\n\r\n"
            calls = await self.begin(2)
            self.assertEqual((await exchange(self.get_http_port(), request))[0], 503)
            await self.end(calls)
            self.assertIn((await exchange(self.get_http_port(), request))[0], (400, 415))

    @gen_test
    async def test_its_connection_is_kept(self) -> None:
        calls = await self.begin(2)
        reader, writer = await asyncio.open_connection("127.0.0.1", self.get_http_port())
        for path, status in (("/nosuch", b"503"), ("/healthz", b"200"), ("/nosuch", b"503")):
            writer.write(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            self.assertEqual(head.split()[1], status)
            (length,) = [int(line[15:]) for line in head.split(b"\r\n") if b"-Length: " in line]
            await reader.readexactly(length)
        writer.close()
        await self.end(calls)

    @gen_test
    async def test_a_client_that_comes_again_at_once(self) -> None:
        calls = await self.begin(2)
        reader, writer = await asyncio.open_connection("127.0.0.1", self.get_http_port())
        for _ in range(4):
            writer.write(b"GET /nosuch HTTP/1.1\r\nHost: a\r\n\r\n")
            self.assertEqual((await read_answer(reader))[0], 503)
        writer.close()
        await self.end(calls)

    @gen_test
    async def test_a_body_on_its_way_is_no_work_yet(self) -> None:
        head = b"POST /system/echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{"
        slow = [await asyncio.open_connection("127.0.0.1", self.get_http_port()) for _ in range(3)]
        for _, writer in slow:
            writer.write(head)
        while self._app.admission.in_flight < len(slow):
            await asyncio.sleep(0.01)
        self.assertEqual((await self.ask("/system/ping"))[0], 200)
        calls = await self.begin(2)
        for reader, writer in slow:  # the server is full by now
            writer.write(b"}")
            self.assertEqual((await reader.readline()).split()[1], b"503")
            writer.close()
        await self.end(calls)

    @gen_test
    async def test_requests_one_after_the_other(self) -> None:
        self._app.admission._limit = 1
        reader, writer = await asyncio.open_connection("127.0.0.1", self.get_http_port())
        ping = b"POST /system/ping HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"
        for count in (20, 1, 20):
            writer.write(ping * count)
            answers = [await read_answer(reader) for _ in range(count)]
            self.assertEqual([status for status, _, _ in answers], [200] * count)
        writer.close()

    @gen_test
    async def test_a_client_that_leaves(self) -> None:
        calls = await self.begin(2)
        for path in (b"/healthz", b"/nosuch"):
            _, writer = await asyncio.open_connection("127.0.0.1", self.get_http_port())
            writer.write(b"POST " + path + b" HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{")
            await asyncio.sleep(0.05)
            writer.close()
        await self.end(calls)
        self.assertEqual(await self._app.admission.drained(5), 0)


@skipIf(CHOSEN["http_server"] == "tornado", "Tornado's own server reads on")
class ImpatientTest(WorkTest):
    """Clients that come again at once, on a server that never reads them again."""

    settings = {"max_in_flight": 1}  # noqa: RUF012
    paused = True

    def setUp(self) -> None:
        self.enterContext(patch(f"{ENGINE}.http.server.PAUSE_SECONDS", 3600))
        super().setUp()

    @gen_test
    async def test_the_second_time(self) -> None:
        calls = await self.begin(1)
        known = set(self.connections)
        reader, writer = await asyncio.open_connection("127.0.0.1", self.get_http_port())
        for reading in (True, not self.paused):
            writer.write(b"GET /nosuch HTTP/1.1\r\nHost: a\r\n\r\n")
            self.assertEqual((await read_answer(reader))[0], 503)
            (connection,) = self.connections - known
            self.assertEqual(connection.transport.is_reading(), reading)
        connection.close()
        self.assertEqual(await reader.read(), b"")
        writer.close()
        await self.end(calls)

    @property
    def connections(self) -> Any:
        return cast(Any, self.http_server).connections


class ProxiedTest(ImpatientTest):
    """The same behind a proxy, whose connections are shared by clients."""

    settings = ImpatientTest.settings | {"trusted_proxies": ["127.0.0.1"]}
    paused = False


class WaitingTest(WorkTest):
    covers = False

    @gen_test(timeout=60)
    async def test_calls_that_only_wait_are_no_load(self) -> None:
        files.raise_limit()
        calls = []
        for _ in range(3):
            calls += await self.begin(400)
        self.assertEqual((await self.ask("/system/ping"))[0], 200)
        await self.end(calls)


class DelayedTest(WorkTest):
    """A server for which a delay of a few milliseconds is too much."""

    settings = {"max_delay_seconds": 0.005, "request_timeout_seconds": 60}  # noqa: RUF012

    async def refuses(self, path: str) -> str:
        """Ask on five connections until one is refused; return the first warning."""
        refused: list[Any] = []

        async def ask() -> None:
            while not refused:
                answer = await self.ask(path)
                if answer[0] == 503:
                    refused.append(answer)

        with self.assertLogs(LOGGER, "WARNING") as logs:
            await asyncio.gather(*(ask() for _ in range(5)))
        for _, headers, body in refused:
            self.assertEqual(json.loads(body)["error"]["code"], "unavailable")
            self.assertEqual(headers["retry-after"], "1")
        return logs.output[0]

    async def accepts(self) -> None:
        """Ask until a request is accepted."""
        while (await self.ask("/system/ping"))[0] != 200:
            await asyncio.sleep(0.001)


class LoopDelayTest(DelayedTest):
    @gen_test(timeout=60)
    async def test_the_event_loop(self) -> None:
        calls = await self.begin(5)
        warning = await self.refuses("/job/blocks")
        self.assertIn("too much load, new requests are refused: the event loop", warning)
        self.assertEqual((await self.ask("/healthz", "GET"))[0], 200)
        await self.accepts()
        await self.end(calls)

    @gen_test(timeout=60)
    async def test_measuring_ends_with_the_requests(self) -> None:
        await self.accepts()
        while self._app.admission._window._measuring:
            await asyncio.sleep(0.001)


class DatabaseDelayTest(DelayedTest):
    """A MongoDB that keeps all calls waiting, of which only few may be on their way."""

    def setUp(self) -> None:
        self.proxy = self.enterContext(Proxy(mongodb_uri()))
        super().setUp()

    def uri(self) -> str:
        return f"{self.proxy.uri}&maxPoolSize=2"

    async def refuses_while(self, waiting: list[Awaitable[Any]]) -> None:
        calls = asyncio.gather(*waiting, return_exceptions=True)
        self.assertIn("MongoDB's queue", await self.refuses("/system/ping"))
        self.proxy.thaw()
        await calls
        await self.accepts()

    @gen_test(timeout=60)
    async def test_batches_that_are_full(self) -> None:
        await THINGS.find_by_id(1)
        self.proxy.freeze()
        with patch(f"{ENGINE}.mongo.batches.MAX_COUNT", 2):
            await self.refuses_while([THINGS.find_by_id(n) for n in range(20)])

    @gen_test(timeout=60)
    async def test_few_connections(self) -> None:
        await THINGS.find({})
        self.proxy.freeze()
        await self.refuses_while([THINGS.find({}) for _ in range(2 * FEW)])


class DatabaseTest(WorkTest):
    """Operations that MongoDB takes long for."""

    def insert_things(self) -> None:
        self.run_async(mongodb["things"].insert_many([{} for _ in range(50)]))

    def assert_nothing_runs(self) -> None:
        deadline = time.monotonic() + 15  # without an end the operations take 25 s
        while time.monotonic() < deadline and self.running():
            time.sleep(0.05)
        self.assertEqual(self.running(), [])

    def running(self) -> list[Any]:
        """Return the operations of this test that still run in MongoDB."""
        pipeline = [{"$currentOp": {}}, {"$match": {"ns": f"{self.database}.things"}}]
        cursor = mongodb.client.admin.aggregate(pipeline)

        async def found() -> list[Any]:
            opened = await cursor if asyncio.iscoroutine(cursor) else cursor
            listed: list[Any] = await opened.to_list(None)
            return listed

        return self.run_async(found())


class ClientTimeoutTest(DatabaseTest):
    """`Connect-Timeout-Ms`, from a client that gives less time than the server."""

    def test_an_action_that_waits(self) -> None:
        response = self.post("/job/waits", Connect_Timeout_Ms="20")
        self.error(response, 504, "deadline_exceeded")

    def test_an_operation_on_its_way_ends_in_mongodb(self) -> None:
        self.insert_things()
        response = self.post("/job/asks_once", Connect_Timeout_Ms="100")
        self.error(response, 504, "deadline_exceeded")
        self.assert_nothing_runs()

    def test_an_answer_in_time(self) -> None:
        response = self.post("/system/wait", {"seconds": 0.01}, Connect_Timeout_Ms="9999999999")
        self.data(response)
        self.data(self.post("/system/ping", Connect_Timeout_Ms="5000"))

    def test_malformed(self) -> None:
        for value in ("", "0", "01", "-5", "1.5", "5s", "x", "5,5", "12345678901"):
            for path in ("/system/ping", "/items"):
                response = self.post(path, Connect_Timeout_Ms=value)
                self.assertEqual(response.code, 400, value)
                (detail,) = json.loads(response.body)["error"]["details"]
                self.assertEqual(detail["path"], "Connect-Timeout-Ms")
                self.assertEqual(detail["reason"], "timeout")

    def test_two_of_them(self) -> None:
        head = b"POST /system/ping HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n"
        status, _, body = self.raw(head + b"Connect-Timeout-Ms: 5000\r\n" * 2 + b"\r\n")
        self.assertEqual((status, json.loads(body)["error"]["code"]), (400, "invalid_argument"))


class TimeoutTest(DatabaseTest):
    settings = {"request_timeout_seconds": 0.25}  # noqa: RUF012

    def test_an_action_that_waits(self) -> None:
        response = self.post("/job/waits")
        self.error(response, 504, "deadline_exceeded")

    def test_each_has_its_own_time(self) -> None:
        self.data(self.post("/system/ping"))
        self.run_async(asyncio.sleep(0.1))
        began = time.monotonic()
        self.error(self.post("/job/waits"), 504, "deadline_exceeded")
        self.assertGreater(time.monotonic() - began, 0.24)

    def test_a_client_with_more_time(self) -> None:
        answer = self.post("/job/waits", Connect_Timeout_Ms="60000")
        self.error(answer, 504, "deadline_exceeded")

    def test_its_database_work_stops(self) -> None:
        self.error(self.post("/job/asks_the_database"), 504, "deadline_exceeded")
        self.assertEqual(WorkHandler.ended, ["asks_the_database"])
        inserted = len(self.stored("things"))
        self.assertGreater(inserted, 0)
        self.run_async(asyncio.sleep(0.3))
        self.assertEqual(len(self.stored("things")), inserted)

    def test_an_operation_on_its_way_ends_in_mongodb(self) -> None:
        self.insert_things()
        self.error(self.post("/job/asks_once"), 504, "deadline_exceeded")
        self.assert_nothing_runs()

    def test_an_action_that_does_not_want_to_end(self) -> None:
        with patch.object(LOGGER, "error"):
            self.error(self.post("/job/does_not_end"), 504, "deadline_exceeded")
            self.run_async(self.wait_for("does_not_end"))
        self.assertEqual(self.data(self.post("/system/ping")), "pong")

    async def wait_for(self, ended: str) -> None:
        while ended not in WorkHandler.ended:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0)

    def test_an_answer_that_has_begun_takes_its_time(self) -> None:
        response = self.fetch("/stream", decompress_response=False)
        self.assertEqual((response.code, len(response.body)), (200, 200_000))
        response = self.post("/job/begins")
        self.assertEqual((response.code, response.body), (200, b"[]"))

    def test_what_an_action_leaves_to_another_task(self) -> None:
        self.data(self.post("/job/leaves_work"))
        self.run_async(asyncio.wait_for(WorkHandler.later, 5))
        self.assertEqual(WorkHandler.ended, ["later"])
