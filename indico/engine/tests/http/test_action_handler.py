"""The contract of a call: dispatch, the envelope, request ids, errors, a client that leaves."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from unittest.mock import patch

from pydantic import BaseModel
from tornado.testing import gen_test
from tornado.web import HTTPError, RequestHandler

from ...error import Conflict, ServerError
from ...http.action_handler import ActionHandler
from ...http.application import MAX_TARGET_LENGTH, Application
from ...http.decorators import type_check, unpack
from ...http.json_handler import JSONHandler
from ...log import LOGGER, JSONFormatter
from ..sample.app import SampleHandler
from ..server_process import ENGINE
from ..server_test import ServerTest, exchange


class Sent(BaseModel):
    name: str


class ThingHandler(ActionHandler):
    """Actions of every kind that a person may write."""

    ended: list[str]
    started: asyncio.Event

    async def returns(self) -> Any:
        return {"a": 1}

    async def responds(self) -> Any:
        self.respond("made", code=201)
        return "ignored"

    async def does_neither(self) -> None:
        pass

    async def whole(self, body: Any) -> Any:
        return list(body)

    async def types(self) -> Any:
        clock = time(3, 4, 5)
        return {
            "time": datetime.combine(date(2026, 1, 2), clock.replace(microsecond=678999), UTC),
            "naive": datetime(2026, 1, 2),
            "elsewhere": datetime(2026, 1, 2, tzinfo=timezone(timedelta(hours=2))),
            "day": date(2026, 1, 2),
            "clock": clock,
            "price": Decimal("12.50"),
        }

    async def model(self) -> Any:
        return {"field": Sent(name="a")}

    async def unknown_type(self) -> Any:
        return {"a": object()}

    async def fails(self) -> None:
        raise ZeroDivisionError("secret of the inside")

    async def fails_on_purpose(self) -> None:
        raise ServerError("secret of the inside")

    async def refuses(self) -> None:
        raise Conflict("Not now.", details=[{"path": "a", "reason": "b", "message": "c"}])

    @unpack("status")
    async def raises(self, status: int) -> None:
        raise HTTPError(status, "secret of the inside")

    async def logs(self) -> None:
        LOGGER.warning("here")
        await asyncio.gather(asyncio.sleep(0), self._log_later())

    async def _log_later(self) -> None:
        await asyncio.sleep(0)
        LOGGER.warning("later")

    async def answers_twice(self) -> Any:
        self.respond(1)
        self.respond(2)

    async def waits(self) -> None:
        self.started.set()
        try:
            await asyncio.sleep(60)
        finally:
            self.ended.append("waits")

    async def _private(self) -> None:
        raise AssertionError

    def not_a_coroutine(self) -> None:
        raise AssertionError

    async def get(self) -> str:  # type: ignore[override]
        return "the action called get"


class SubHandler(ThingHandler):
    """A subclass that inherits actions, replaces one, and removes one."""

    async def returns(self) -> Any:
        return {"a": 2}

    types: Any = None


class EarlyHandler(JSONHandler):
    """A handler whose client leaves while it is prepared."""

    started: asyncio.Event
    ended: asyncio.Event

    async def prepare(self) -> None:  # type: ignore[override]
        self.started.set()
        while not self.client_gone:
            await asyncio.sleep(0.01)
        self.ended.set()


class ForeignHandler(RequestHandler):
    def get(self) -> None:
        self.write("foreign")


THING_ROUTES = [
    (r"/foreign", ForeignHandler),
    (r"/early", EarlyHandler),
    (r"/thing/(?P<action>[a-zA-Z_]+)?", ThingHandler),
    (r"/sub/(?P<action>[a-zA-Z_]+)?", SubHandler),
]


class ThingTest(ServerTest):
    def get_app(self) -> Application:
        app = super().get_app()
        app.add_handlers(".*", THING_ROUTES)
        return app


class DispatchTest(ThingTest):
    def test_answers(self) -> None:
        self.assertEqual(self.data(self.post("/thing/returns")), {"a": 1})
        self.assertEqual(self.data(self.post("/thing/responds"), 201), "made")
        self.assertIsNone(self.data(self.post("/thing/does_neither")))
        self.assertEqual(self.data(self.post("/thing/whole", {"x": 1, "y": 2})), ["x", "y"])
        self.assertEqual(self.data(self.post("/thing/whole", b"")), [])
        self.assertEqual(self.data(self.post("/thing/model")), {"field": {"name": "a"}})
        self.assertEqual(self.data(self.post("/thing/get")), "the action called get")

    def test_headers(self) -> None:
        response = self.post("/thing/returns")
        self.assertEqual(response.headers["Content-Type"], "application/json")
        self.assertEqual(response.headers["Cache-Control"], "no-store")
        self.assertNotIn("Server", response.headers)
        self.assertNotIn("Etag", response.headers)

    def test_times(self) -> None:
        answer = self.data(self.post("/thing/types"))
        self.assertEqual(
            answer,
            {
                "time": "2026-01-02T03:04:05.678Z",
                "naive": "2026-01-02T00:00:00.000Z",
                "elsewhere": "2026-01-01T22:00:00.000Z",
                "day": "2026-01-02",
                "clock": "03:04:05",
                "price": "12.50",
            },
        )

    def test_inherited(self) -> None:
        self.assertEqual(self.data(self.post("/sub/returns")), {"a": 2})
        self.assertIsNone(self.data(self.post("/sub/does_neither")))
        self.error(self.post("/sub/types"), 404, "not_found")

    def test_not_found(self) -> None:
        names = ["finish", "clear_all_cookies", "prepare", "__init__", "settings", "post"]
        names += ["nosuch", "", "_private", "not_a_coroutine", "respond", "body", "request"]
        names += ["get_status", "returns/", "returns2", "RETURNS", "actions", "%ff", "a b"]
        for path in [f"/thing/{name.replace(' ', '%20')}" for name in names]:
            with self.subTest(path=path):
                self.error(self.post(path), 404, "not_found")
        for path in ("/", "", "/user/", "/user/finish", "/nosuch/get", "/user", "//", "/%00"):
            with self.subTest(path=path):
                self.error(self.post(path), 404, "not_found")
                self.error(self.fetch(path or "/"), 404, "not_found") if path[:5] != "/user" else 0

    def test_wrong_method(self) -> None:
        for method in ("GET", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "FOO"):
            with self.subTest(method=method):
                request = f"{method} /thing/get HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n"
                if method == "HEAD":
                    response = self.fetch("/thing/get", method="HEAD")
                    self.assertEqual((response.code, response.body), (405, b""))
                    continue
                status, headers, body = self.raw(request.encode() + b"{}")
                self.assertEqual((status, headers["allow"]), (405, "POST"))
                self.assertEqual(json.loads(body)["error"]["code"], "method_not_allowed")

    def test_paths_that_are_remembered(self) -> None:
        long = "x" * MAX_TARGET_LENGTH
        for path in ("/nosuch", f"/thing/{long}", "/nosuch/returns"):
            self.error(self.post(path), 404, "not_found")
        self.post("/thing/returns", Host=long)
        self.assertEqual(self._app._targets, {})
        self.post("/thing/returns")
        self.assertEqual([path for _, path in self._app._targets], ["/thing/returns"])

    def test_more_paths_than_are_remembered(self) -> None:
        with patch(f"{ENGINE}.http.application.MAX_TARGETS", 3):
            for number in range(8):
                missing = f"/thing/missing{'x' * number}"
                self.error(self.post(missing), 404, "not_found")
                self.assertEqual(self.data(self.post("/thing/returns")), {"a": 1})

    def test_a_handler_of_tornado(self) -> None:
        response = self.fetch("/foreign")
        self.assertEqual((response.code, response.body), (200, b"foreign"))
        self.assertEqual(self._app.admission.in_flight, 0)

    def test_responding_twice_is_a_fault_of_ours(self) -> None:
        with self.assertLogs(LOGGER, logging.ERROR) as logs:
            self.assertEqual(self.data(self.post("/thing/answers_twice")), 1)
        self.assertIn("answers_twice failed", logs.output[0])


class ActionNameTest(ThingTest):
    """Names and signatures that are refused when the class is made."""

    def make(self, name: str, action: Any) -> None:
        type("MadeHandler", (SampleHandler,), {name: action})

    def test_valid(self) -> None:
        async def action(self: Any) -> None: ...

        for name in ("get", "put", "delete", "patch", "head", "options", "list", "Search_all"):
            self.make(name, action)

    def test_names_of_tornado(self) -> None:
        async def action(self: Any) -> None: ...

        names = ["finish", "prepare", "settings", "clear_all_cookies", "post", "request"]
        for name in [
            *names,
            "respond",
            "body",
            "config",
            "user_id",
            "session",
            "scope",
            "ui",
            "application",
        ]:
            with self.subTest(name=name), self.assertRaisesRegex(TypeError, f"MadeHandler.{name} "):
                self.make(name, action)

    def test_names_that_no_route_has(self) -> None:
        async def action(self: Any) -> None: ...

        for name in ("top10", "caf\u00e9"):
            with self.assertRaisesRegex(TypeError, "letters and _ only"):
                self.make(name, action)

    def test_arguments_without_unpack(self) -> None:
        async def action(self: Any, a: int, b: int) -> None: ...

        with self.assertRaisesRegex(TypeError, "MadeHandler.search takes 2 arguments"):
            self.make("search", action)

    def test_types_without_unpack(self) -> None:
        @type_check(int)
        async def takes_nothing(self: Any) -> None: ...

        @type_check(int, str)
        async def takes_the_body(self: Any, body: Any) -> None: ...

        for action in (takes_nothing, takes_the_body):
            with self.assertRaisesRegex(TypeError, "MadeHandler.search: @type_check without"):
                self.make("search", action)


class ErrorTest(ThingTest):
    def failure(self, path: str) -> tuple[Any, str]:
        """Return the error answer of `path`, and the log."""
        with self.assertLogs(LOGGER, logging.ERROR) as logs:
            response = self.post(path, X_Request_Id="the-id")
        self.error(response, 500, "internal")
        return response, "\n".join(logs.output)

    def test_internal(self) -> None:
        for path in ("/thing/fails", "/thing/fails_on_purpose", "/thing/unknown_type"):
            with self.subTest(path=path):
                response, log = self.failure(path)
                self.assertNotIn(b"secret", response.body)
                self.assertNotIn(b"trace", response.body)
                self.assertIn("Traceback", log)
                self.assertIn("the-id", log)

    def test_refusal_is_not_logged_as_an_error(self) -> None:
        with self.assertNoLogs(LOGGER, logging.ERROR):
            response = self.post("/thing/refuses")
        error = self.error(response, 409, "conflict", "a")
        self.assertEqual(error["details"], [{"path": "a", "reason": "b", "message": "c"}])
        self.assertEqual(json.loads(response.body)["data"], "Not now.")

    def test_errors_of_tornado(self) -> None:
        codes = [
            (400, 400, "invalid_argument"),
            (401, 401, "unauthenticated"),
            (403, 403, "permission_denied"),
            (404, 404, "not_found"),
            (405, 405, "method_not_allowed"),
            (409, 409, "conflict"),
            (415, 415, "unsupported_media_type"),
            (418, 400, "invalid_argument"),
            (429, 429, "rate_limited"),
            (500, 500, "internal"),
            (502, 500, "internal"),
            (503, 503, "unavailable"),
            (504, 504, "deadline_exceeded"),
        ]
        for raised, status, code in codes:
            with self.subTest(raised=raised):
                response = self.post("/thing/raises", {"status": raised})
                self.error(response, status, code)
                self.assertNotIn(b"secret", response.body)


class DebugTest(ThingTest):
    settings = {"debug": True}  # noqa: RUF012

    def test_trace(self) -> None:
        error = self.error(self.post("/thing/fails"), 500, "internal")
        self.assertIn("secret of the inside", "".join(error["trace"]))
        self.assertNotIn("trace", self.error(self.post("/thing/refuses"), 409, "conflict", "a"))


class RequestIdTest(ThingTest):
    def test_kept(self) -> None:
        for sane in ("a", "0f-1.2_3:4/5+6=", "x" * 128):
            response = self.post("/thing/returns", X_Request_Id=sane)
            self.assertEqual(response.headers["X-Request-Id"], sane)

    def test_replaced(self) -> None:
        for bad in ("", "x" * 129, "a b", "a;b", "\u00e9", '"', "<script>"):
            sent = self.post("/thing/returns", X_Request_Id=bad).headers["X-Request-Id"]
            self.assertRegex(sent, r"^[0-9a-f]{16}$")

    def test_on_every_answer(self) -> None:
        for path in ("/thing/returns", "/thing/fails", "/nosuch", "/healthz"):
            self.assertIn("X-Request-Id", self.post(path).headers)
            self.assertIn("X-Request-Id", self.fetch(path).headers)

    def test_in_the_log(self) -> None:
        token = self.register()
        with self.assertLogs(LOGGER, logging.INFO) as logs:
            self.post("/auth/check?q=query", token=token["token"], X_Request_Id="the-id")
        (record,) = logs.records
        fields = dict(record.fields)  # type: ignore[attr-defined]
        self.assertGreater(fields.pop("milliseconds"), 0)
        self.assertEqual(
            fields,
            {
                "method": "POST",
                "path": "/auth/check",
                "status": 200,
                "remote_ip": "127.0.0.1",
                "request_id": "the-id",
                "user_id": token["user"]["id"],
            },
        )
        self.assertNotIn("query", record.getMessage())
        self.assertNotIn(token["token"], record.getMessage())

    def lines_of(self, path: str, **headers: str) -> list[dict[str, Any]]:
        """Return the JSON lines that the log has for a call of `path`."""
        stream = io.StringIO()
        handler = logging.StreamHandler(stream)
        handler.setFormatter(JSONFormatter("sample"))
        with self.assertLogs(LOGGER, logging.INFO):
            LOGGER.addHandler(handler)  # `assertLogs` has taken all handlers away
            self.post(path, **headers)
        return [json.loads(line) for line in stream.getvalue().splitlines()]

    def test_in_all_lines(self) -> None:
        for path in ("/thing/logs", "/thing/fails"):
            for sent in ("one", "two"):
                lines = self.lines_of(path, X_Request_Id=sent)
                self.assertEqual([line["request_id"] for line in lines], [sent] * len(lines))
                self.assertEqual(len(lines), 3 if path == "/thing/logs" else 2, lines)
                self.assertFalse(any("trace_id" in line for line in lines))

    def test_the_trace_too(self) -> None:
        for path in ("/thing/logs", "/thing/fails", "/nosuch", "/healthz", "/thing/nosuch"):
            for sent in ("0af7651916cd43dd8448eb211c80319c", "1" * 32):
                lines = self.lines_of(path, traceparent=f"00-{sent}-b7ad6b7169203331-01")
                self.assertEqual([line["trace_id"] for line in lines], [sent] * len(lines), path)
            lines = self.lines_of(path, traceparent="wrong")
            self.assertFalse(any("trace_id" in line for line in lines))


class ClientGoneTest(ThingTest):
    @gen_test
    async def test_the_action_ends(self) -> None:
        ThingHandler.started, ThingHandler.ended = asyncio.Event(), []
        with (
            patch.object(self.io_loop.asyncio_loop, "call_exception_handler") as fault,  # type: ignore[attr-defined]
            self.assertLogs(LOGGER) as logs,
        ):
            _, writer = await asyncio.open_connection("127.0.0.1", self.get_http_port())
            writer.write(b"POST /thing/waits HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}")
            await asyncio.wait_for(ThingHandler.started.wait(), 5)
            writer.close()
            while not ThingHandler.ended:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.05)
        self.assertEqual([record.levelname for record in logs.records], ["INFO"])
        self.assertIn("/thing/waits 499", logs.output[0])
        fault.assert_not_called()
        self.assertEqual(await self._app.admission.drained(1), 0)

    @gen_test
    async def test_before_there_is_an_action_to_end(self) -> None:
        EarlyHandler.started, EarlyHandler.ended = asyncio.Event(), asyncio.Event()
        with self.assertNoLogs(LOGGER, logging.WARNING):
            _, writer = await asyncio.open_connection("127.0.0.1", self.get_http_port())
            writer.write(b"GET /early HTTP/1.1\r\nHost: a\r\n\r\n")
            await asyncio.wait_for(EarlyHandler.started.wait(), 5)
            writer.close()
            await asyncio.wait_for(EarlyHandler.ended.wait(), 5)
        self.assertEqual(await self._app.admission.drained(1), 0)

    @gen_test
    async def test_in_the_middle_of_its_body(self) -> None:
        with self.assertNoLogs(LOGGER):
            _, writer = await asyncio.open_connection("127.0.0.1", self.get_http_port())
            writer.write(b"POST /system/echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{")
            while not self._app.admission.in_flight:
                await asyncio.sleep(0.01)
            self.assertEqual(await self._app.admission.drained(0.01), 1)
            writer.close()
            self.assertEqual(await self._app.admission.drained(1), 0)
        port = self.get_http_port()
        status, _, _ = await exchange(port, b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertEqual(status, 200)
