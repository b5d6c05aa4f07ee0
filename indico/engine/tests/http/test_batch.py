"""Batches: each call inside is checked, limited and logged like a request of its own."""

from __future__ import annotations

import asyncio
import gzip
import json
from typing import Any

from tornado.testing import gen_test

from ...http.action_handler import ActionHandler
from ...http.application import Application, operating_routes
from ...http.batch import BatchRoute
from ...http.decorators import type_check, unpack
from ...log import LOGGER
from ..sample import app as sample
from ..server_test import ServerTest, exchange
from ..telemetry.scrape import Scraped


class StepHandler(ActionHandler):
    steps: list[str]
    begun: asyncio.Event
    go_on: asyncio.Event

    @unpack("name")
    @type_check(str)
    async def step(self, name: str) -> str:
        self.steps.append(f"begin {name}")
        await asyncio.sleep(0)
        self.steps.append(f"end {name}")
        return name

    async def waits(self) -> None:
        self.begun.set()
        try:
            await self.go_on.wait()
        finally:
            self.steps.append("ended")

    async def text(self) -> None:
        self.write(b"no ")
        await self.flush()
        self.finish(b"JSON")

    async def number(self) -> None:
        self.finish(b"5")

    async def client(self) -> Any:
        headers = self.request.headers
        return [self.request.remote_ip, self.request.protocol, headers.get("X-Custom")]


class BatchTest(ServerTest):
    def setUp(self) -> None:
        super().setUp()
        StepHandler.steps = []
        StepHandler.begun, StepHandler.go_on = asyncio.Event(), asyncio.Event()

    def make_app(self, settings: Any) -> Application:
        step = (r"/step/(?P<action>[a-z]+)", StepHandler)
        routes = [*sample.ROUTES, step, BatchRoute, *operating_routes(settings)]
        return Application(routes, settings)

    def batch(self, *calls: Any, token: str | None = None, **more: Any) -> Any:
        named = [{"action": call} if isinstance(call, str) else call for call in calls]
        response = self.post("/batch", {"calls": named, **more}, token, X_Request_Id="the-id")
        return self.data(response)["answers"]

    def steps(self, **more: Any) -> list[str]:
        calls = [{"action": "step/step", "body": {"name": name}} for name in "abc"]
        answers = self.batch(*calls, **more)
        self.assertEqual([answer["data"] for answer in answers], ["a", "b", "c"])
        return StepHandler.steps


class CallsTest(BatchTest):
    def test_each_has_its_own_envelope(self) -> None:
        token = self.register()["token"]
        answers = self.batch(
            "system/ping",
            {"action": "system/echo", "body": {"a": [1, 2.5, None]}},
            "user/get",
            {"action": "user/update", "body": {"update_user": {"name": 5}}},
            "user/nosuch",
            "nosuch/get",
            token=token,
        )
        self.assertEqual(answers[0], {"status": 200, "data": "pong"})
        self.assertEqual(answers[1]["data"], {"a": [1, 2.5, None]})
        self.assertEqual(answers[2]["data"]["email"], "ada@example.com")
        self.assertEqual(answers[3]["error"]["details"][0]["path"], "update_user.name")
        self.assertEqual([answer["status"] for answer in answers], [200, 200, 200, 400, 404, 404])

    def test_anonymous(self) -> None:
        answers = self.batch("system/ping", "user/get")
        self.assertEqual([answer["status"] for answer in answers], [200, 401])
        self.assertEqual(answers[1]["error"]["code"], "unauthenticated")

    def test_at_the_same_time(self) -> None:
        steps = self.steps()
        self.assertEqual(steps[:3], ["begin a", "begin b", "begin c"])

    def test_in_order(self) -> None:
        steps = [f"{word} {name}" for name in "abc" for word in ("begin", "end")]
        self.assertEqual(self.steps(in_order=True), steps)

    def test_each_has_a_line_in_the_log(self) -> None:
        with self.assertLogs(LOGGER, "INFO") as logs:
            self.batch("system/ping", "user/get", in_order=True)
        wanted = ("/system/ping 200", "/user/get 401", "/batch 200")
        for line, part, request_id in zip(
            logs.output, wanted, ("the-id.0", "the-id.1", "the-id"), strict=True
        ):
            self.assertIn(f"POST {part}", line)
            self.assertIn(f"id={request_id} ", line)
        self.assertIn("from=127.0.0.1", logs.output[0])

    def test_each_is_counted(self) -> None:
        before = self.counted("system", "ping"), self.counted("batch", "batch")
        self.batch("system/ping", "system/ping")
        after = self.counted("system", "ping"), self.counted("batch", "batch")
        self.assertEqual(after, (before[0] + 2, before[1] + 1))

    def counted(self, resource: str, action: str) -> float:
        scraped = Scraped(self.fetch("/metrics").body.decode())
        return scraped.sum("sample_requests_total", resource=resource, action=action)

    def test_a_long_id(self) -> None:
        body = {"calls": [{"action": "user/get"}]}
        response = self.post("/batch", body, X_Request_Id="a" * 128)
        (answer,) = self.data(response)["answers"]
        self.assertEqual(answer["error"]["request_id"], "a" * 120 + ".0")

    def test_headers_reach_each_call(self) -> None:
        raw = gzip.compress(json.dumps({"calls": [{"action": "step/client"}]}).encode())
        response = self.post("/batch", raw, X_Custom="x", Content_Encoding="gzip")
        (answer,) = self.data(response)["answers"]
        self.assertEqual(answer["data"], ["127.0.0.1", "http", "x"])

    def test_an_action_that_writes_something_else(self) -> None:
        for answer in self.batch("step/text", "step/number"):
            self.assertEqual((answer["status"], answer["error"]["code"]), (500, "internal"))


class WrongBatchTest(BatchTest):
    def refused(self, body: Any, *paths: str) -> None:
        self.error(self.post("/batch", body), 400, "invalid_argument", *paths)

    def test_no_batch_inside(self) -> None:
        self.refused({"calls": [{"action": "system/ping"}, {"action": "batch"}]}, "calls.1.action")
        self.refused({"calls": [{"action": "batch/", "body": {}}]}, "calls.0.action")
        self.assertEqual(self.batch("batch/batch")[0]["status"], 404)

    def test_only_actions(self) -> None:
        answers = self.batch("items/abc", "healthz/x")
        self.assertEqual([answer["status"] for answer in answers], [404, 404])
        for action in ("items", "/user/get", "user/get?a=b", "user//get", "../user/get", ""):
            self.refused({"calls": [{"action": action}]}, "calls.0.action")

    def test_number_of_calls(self) -> None:
        self.assertEqual(len(self.batch(*["system/ping"] * 50)), 50)
        self.refused({"calls": [{"action": "system/ping"}] * 51}, "calls")
        self.refused({"calls": []}, "calls")

    def test_missing_field(self) -> None:
        self.refused({"call": []}, "calls", "call")

    def test_wrong_type(self) -> None:
        self.refused({"calls": {}, "in_order": 1}, "calls", "in_order")
        self.refused({"calls": [{"action": "a/b", "body": []}]}, "calls.0.body")
        self.refused({"calls": [{"action": "a/b", "more": 1}]}, "calls.0.more")

    def test_malformed(self) -> None:
        self.error(self.post("/batch", b"["), 400, "malformed")


class LimitTest(BatchTest):
    settings = {"max_in_flight": 2}  # noqa: RUF012

    def test_each_call_takes_a_place(self) -> None:
        first, second = self.batch("system/ping", "system/ping", in_order=True)
        self.assertEqual((first["status"], second["status"]), (200, 200))
        first, second = self.batch("system/ping", "system/ping")
        self.assertEqual((first["status"], second["status"]), (200, 503))
        self.assertEqual(second.keys(), {"status", "data", "error"})
        self.assertEqual(second["error"]["request_id"], "the-id.1")
        self.assertEqual((second["error"]["retryable"], second["error"]["retry_after"]), (True, 1))

    @gen_test
    async def test_calls_end_with_their_client(self) -> None:
        body = b'{"calls": [{"action": "step/waits"}]}'
        head = b"POST /batch HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body)
        _, writer = await asyncio.open_connection("127.0.0.1", self.get_http_port())
        writer.write(head + body)
        await StepHandler.begun.wait()
        writer.close()
        while StepHandler.steps != ["ended"] or self._app.admission.in_flight:
            await asyncio.sleep(0.01)

    @gen_test
    async def test_a_deadline_of_the_client(self) -> None:
        body = b'{"calls": [{"action": "step/waits"}], "in_order": true}'
        head = b"POST /batch HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n" % len(body)
        sent = head + b"Connect-Timeout-Ms: 20\r\n\r\n" + body
        status, _, _ = await exchange(self.get_http_port(), sent)
        self.assertIn(status, (200, 504))
        while StepHandler.steps != ["ended"] or self._app.admission.in_flight:
            await asyncio.sleep(0.01)
