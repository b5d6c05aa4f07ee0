"""Calls over TCP: a line each, answered in any order, logged and counted like requests."""

from __future__ import annotations

import contextlib
import json
import ssl
from collections.abc import Sequence
from typing import Any

from tornado.testing import gen_test

from ...log import LOGGER, JSONFormatter
from ...offload.thread import LARGE_BYTES
from ...telemetry import metrics
from ..http.http_servers import get, until
from ..http.test_tls import certificate, server_context
from ..server_test import exchange
from .line_server_test import LineServerTest, StepHandler


class CallTest(LineServerTest):
    @gen_test(timeout=60)
    async def test_valid(self) -> None:
        client = await self.join()
        for own in (1, -5, "one", "", None):
            answer = await client.ask("step/ping", id=own)
            self.assertEqual(answer, {"id": own, "status": 200, "data": "pong"})
        self.assertEqual(await client.ask("step/ping"), {"id": None, "status": 200, "data": "pong"})
        body = {"a": [1, 2.5, None, "\u00e9\n"], "b": {}}
        self.assertEqual((await client.ask("step/echo", body))["data"], body)

    @gen_test(timeout=60)
    async def test_answers_come_in_any_order(self) -> None:
        client = await self.join()
        client.send({"id": 1, "action": "step/waits"}, {"id": 2, "action": "step/ping"})
        self.assertEqual((await client.answer())["id"], 2)
        StepHandler.go_on.set()
        self.assertEqual(await client.answer(), {"id": 1, "status": 200, "data": "done"})

    @gen_test(timeout=60)
    async def test_lines_in_pieces(self) -> None:
        client = await self.join()
        for byte in b'\n\r\n {"id": 7, "action": "step/ping"} \r\n':
            client.send(bytes([byte]))
            await client.writer.drain()
            if byte == ord(":"):  # so that some pieces reach the server one by one
                await self.assert_serves()
        self.assertEqual((await client.answer())["id"], 7)
        lines = [{"id": number, "action": "step/ping"} for number in range(200)]
        client.send("\n\n".join(map(json.dumps, lines)).encode() + b"\n")
        numbers = {(await client.answer())["id"] for _ in lines}
        self.assertEqual(numbers, set(range(200)))

    @gen_test(timeout=60)
    async def test_a_large_line(self) -> None:
        body = {"a": "x" * 3 * LARGE_BYTES, "b": ["\u20ac"] * 1000}
        answer = await (await self.join()).ask("step/echo", body, id=1)
        self.assertEqual((answer["status"], answer["data"]), (200, body))

    @gen_test(timeout=60)
    async def test_what_is_a_header_over_http(self) -> None:
        client = await self.join()
        more = {"token": "t", "idempotency_key": "k", "timeout_ms": 60_000, "request_id": "the-id"}
        headers = (await client.ask("step/headers", **more))["data"]
        self.assertEqual(headers["Authorization"], "Bearer t")
        self.assertEqual(headers["Idempotency-Key"], "k")
        self.assertEqual(headers["Connect-Timeout-Ms"], "60000")
        self.assertEqual(headers["X-Request-Id"], "the-id")
        self.assertNotIn("Authorization", (await client.ask("step/headers"))["data"])

    @gen_test(timeout=60)
    async def test_the_client_s_address(self) -> None:
        answer = await (await self.join()).ask("step/client")
        self.assertEqual(answer["data"], ["127.0.0.1", "http"])


class SeenTest(LineServerTest):
    """A log and metrics that show the calls."""

    @gen_test(timeout=60)
    async def test_the_log_shows_the_carrier(self) -> None:
        with self.assertLogs(LOGGER, "INFO") as logs:
            client = await self.join()
            await client.ask("step/ping", request_id="the-id")
            await client.ask("nosuch/ping", request_id="another")
            client.send(b"no JSON\n")
            await client.answer()
            await exchange(self.get_http_port(), get(b"/step/ping"))
        called, unknown, wrong, over_http = logs.records
        self.assertRegex(
            called.getMessage(),
            r"^POST /step/ping 200 \S+ ms id=the-id user=- from=127.0.0.1 by=tcp$",
        )
        self.assertEqual(
            unknown.getMessage(), "POST /nosuch/ping 404 id=another from=127.0.0.1 by=tcp"
        )
        self.assertRegex(wrong.getMessage(), r"^POST / 400 id=\w{16} from=127.0.0.1 by=tcp$")
        self.assertNotIn("by=", over_http.getMessage())
        fields = [json.loads(JSONFormatter("sample").format(each)) for each in logs.records]
        self.assertEqual([each.get("carrier") for each in fields], ["tcp", "tcp", "tcp", None])
        methods = [each["method"] for each in fields]
        self.assertEqual(methods, ["POST", "POST", "POST", "GET"])

    @gen_test(timeout=60)
    async def test_calls_are_counted(self) -> None:
        counted = {
            ("step", "ping", "200"): {"action": "step/ping"},
            ("unknown", "unknown", "404"): {"action": "nosuch/ping"},
            ("unknown", "unknown", "400"): {},
        }
        before = [self.counted(*labels) for labels in counted]
        client = await self.join()
        for message in counted.values():
            client.send(message)
            await client.answer()
        after = [self.counted(*labels) for labels in counted]
        self.assertEqual(after, [number + 1 for number in before])

    def counted(self, resource: str, action: str, status: str) -> float:
        labels = {"resource": resource, "action": action, "status": status}
        return metrics.REGISTRY.get_sample_value("requests_total", labels) or 0

    @gen_test(timeout=60)
    async def test_connections_are_counted(self) -> None:
        before = self.connections()
        clients = [await self.join() for _ in range(3)]
        await until(lambda: self.connections() == before + 3)
        for client in clients:
            client.close()
        await until(lambda: self.connections() == before)

    def connections(self) -> float:
        return metrics.REGISTRY.get_sample_value("tcp_connections") or 0


class WrongLineTest(LineServerTest):
    settings = {"max_body_values": 1000}  # noqa: RUF012

    async def refused(self, sent: Any, code: str, *paths: str, own: Any = None) -> Any:
        """Return the error of a line, after which the connection must go on."""
        client = await self.join()
        client.send(sent)
        answer = await client.answer()
        error = answer["error"]
        self.assertEqual((answer["id"], error["code"]), (own, code), answer)
        self.assertEqual([detail["path"] for detail in error["details"]], list(paths))
        self.assertEqual((await client.ask("step/ping"))["data"], "pong")
        client.close()
        return error

    @gen_test(timeout=60)
    async def test_no_json_object(self) -> None:
        large = b"x" * 2 * LARGE_BYTES
        for line in (b"what?", b"[]", b'"x"', b"\xff", b'{"id": 1', b'{"a":' * 70, large):
            await self.refused(line + b"\n", "malformed")

    @gen_test(timeout=60)
    async def test_wrong_fields(self) -> None:
        invalid = "invalid_argument"
        await self.refused({}, invalid, "action")
        await self.refused({"id": 1, "action": "step"}, invalid, "action", own=1)
        call = {"id": "a", "action": "step/ping"}
        wrong: dict[str, Sequence[Any]] = {
            "body": ([], None, "x", 5),
            "token": (5, "a\r\nX-Real-Ip: 1", "\u00e9"),
            "idempotency_key": ("", "x" * 256, "\u00e9", 5),
            "timeout_ms": (0, -1, 10**10, "5", 1.5),
            "request_id": (5, []),
        }
        for name, values in wrong.items():
            for value in values:
                await self.refused({**call, name: value}, invalid, name, own="a")
        error = await self.refused({**call, "tokn": "x"}, invalid, "tokn", own="a")
        self.assertIn("did you mean token?", error["details"][0]["message"])
        await self.refused({"id": "a", "b": 1}, invalid, "action", "b", own="a")

    @gen_test(timeout=60)
    async def test_wrong_ids(self) -> None:
        wrong: Sequence[Any] = (1.5, [], {}, True)
        for own in wrong:
            await self.refused({"id": own, "action": "step/ping"}, "invalid_argument", "id")

    @gen_test(timeout=60)
    async def test_limits_of_a_body(self) -> None:
        sent = {"action": "step/echo", "body": {"a": 10**20}}
        await self.refused(sent, "invalid_argument", "body.a")
        await self.refused({"action": "step/echo", "body": {"a": [1] * 1001}}, "too_large")

    @gen_test(timeout=60)
    async def test_unknown_actions(self) -> None:
        for action in ("step/nosuch", "step/finish", "nosuch/ping", "healthz/get"):
            await self.refused({"id": 3, "action": action}, "not_found", own=3)
        for action in ("step/ping/", "/step/ping", "step/ping?a=b", "../step/ping", ""):
            await self.refused({"action": action}, "invalid_argument", "action")

    @gen_test(timeout=60)
    async def test_request_ids(self) -> None:
        call = {"action": "step/nosuch"}
        for sent in ({**call, "request_id": "a-sane.id"}, {"b": 1, "request_id": "a-sane.id"}):
            client = await self.join()
            client.send(sent)
            self.assertEqual((await client.answer())["error"]["request_id"], "a-sane.id")
        error = await self.refused({**call, "request_id": "no\nline"}, "not_found")
        self.assertRegex(error["request_id"], "^[0-9a-f]{16}$")


class TLSTest(LineServerTest):
    def certificate(self) -> Any:
        return server_context()

    @gen_test(timeout=60)
    async def test_valid(self) -> None:
        trusted = ssl.create_default_context(cadata=certificate()[0])
        client = await self.join(ssl=trusted, server_hostname="localhost")
        self.assertEqual((await client.ask("step/client"))["data"], ["127.0.0.1", "https"])
        body = {"a": "x" * 500_000}
        self.assertEqual((await client.ask("step/echo", body))["data"], body)

    @gen_test(timeout=60)
    async def test_what_is_no_tls_is_closed(self) -> None:
        with self.assertLogs("tornado.general", "WARNING"):
            client = await self.join()
            client.send({"action": "step/ping"})
            with contextlib.suppress(ConnectionError):
                self.assertNotIn(b"pong", await client.reader.read())
            await until(lambda: not self.lines.connections)
