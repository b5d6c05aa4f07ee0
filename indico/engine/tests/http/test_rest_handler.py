"""REST resources: methods, `@auth`, errors, streams."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, cast

from tornado.iostream import StreamClosedError
from tornado.testing import gen_test

from ...error import Conflict
from ...http.application import Application
from ...http.decorators import type_check, unpack
from ...http.rest_handler import RestHandler
from ...log import LOGGER
from ...mongo.driver import ObjectId
from ..sample.accounts import auth
from ..sample.app import Settings, make_app
from ..server_test import ServerTest, exchange


class ThingHandler(RestHandler):
    user_id: ObjectId

    async def get(self, name: str) -> Any:
        return {"name": name}

    async def post(self, name: str) -> None:
        self.respond(self.body, code=201)

    @auth
    async def put(self, name: str) -> Any:
        return {"user": self.user_id}

    async def delete(self, name: str) -> None:
        if name == "conflict":
            raise Conflict


class BagHandler(RestHandler):
    @auth
    @unpack("size", color="red")
    @type_check(int, str)
    async def post(self, size: int, color: str) -> Any:
        return [size, color]


class SubHandler(ThingHandler):
    """A subclass that replaces one method."""

    async def get(self, name: str) -> None:
        """Answer without a body."""


class StreamHandler(RestHandler):
    async def get(self) -> None:
        await self.stream(self._pieces())

    def flush(self, include_footers: bool = False) -> asyncio.Future[None]:
        if self.get_query_argument("gone", None) and not include_footers:
            raise StreamClosedError
        return super().flush(include_footers)

    async def _pieces(self) -> AsyncIterator[bytes]:
        await asyncio.sleep(0)
        if size := int(self.get_query_argument("size", "0")):
            yield b"x" * size
        while self.get_query_argument("endless", None):
            yield b"x" * 100_000
        if self.get_query_argument("fail", None):
            raise Conflict


class RestTest(ServerTest):
    def get_app(self) -> Application:
        super().get_app()
        app = make_app(cast(Settings, self.config))
        app.add_handlers(
            ".*",
            [
                (r"/things/(\w+)", ThingHandler),
                (r"/subs/(\w+)", SubHandler),
                (r"/stream", StreamHandler),
                (r"/bags", BagHandler),
            ],
        )
        return app

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        raw = None if body is None else json.dumps(body)
        return self.fetch(
            path, method=method, body=raw, headers=headers, allow_nonstandard_methods=True
        )

    def test_answers(self) -> None:
        self.assertEqual(self.send("GET", "/things/a").body, b'{"name":"a"}')
        response = self.send("POST", "/things/a", {"x": [1, 2]})
        self.assertEqual((response.code, response.body), (201, b'{"x":[1,2]}'))
        self.assertEqual(response.headers["Content-Type"], "application/json")
        response = self.send("DELETE", "/things/a")
        self.assertEqual((response.code, response.body), (204, b""))
        self.assertNotIn("Content-Type", response.headers)

    def test_inherited(self) -> None:
        self.assertEqual(self.send("GET", "/subs/a").code, 204)
        self.assertEqual(self.send("POST", "/subs/a", {}).code, 201)
        allowed = "GET, POST, PUT, DELETE, HEAD, OPTIONS"
        self.assertEqual(self.send("PATCH", "/subs/a", {}).headers["Allow"], allowed)

    def test_auth(self) -> None:
        response = self.send("PUT", "/things/a", {})
        self.assertEqual(json.loads(response.body)["error"]["code"], "unauthenticated")
        self.assertEqual((response.code, response.headers["WWW-Authenticate"]), (401, "Bearer"))
        user = self.register()
        response = self.send("PUT", "/things/a", {}, Authorization=f"Bearer {user['token']}")
        self.assertEqual(json.loads(response.body), {"user": user["user"]["id"]})

    def test_fields(self) -> None:
        token = {"Authorization": f"Bearer {self.register()['token']}"}
        self.assertEqual(self.send("POST", "/bags", {"size": 2}, **token).body, b'[2,"red"]')
        for sent, headers, code in (
            ({"size": "2", "color": 1}, token, "invalid_argument"),
            (None, token, "malformed"),
            ({"size": "2"}, {}, "unauthenticated"),
        ):
            error = json.loads(self.send("POST", "/bags", sent, **headers).body)["error"]
            self.assertEqual(error["code"], code)
            if code == "invalid_argument":
                paths = [detail["path"] for detail in error["details"]]
                self.assertEqual(paths, ["size", "color"])

    def test_errors(self) -> None:
        response = self.send("DELETE", "/things/conflict?a=b")
        body = json.loads(response.body)
        self.assertEqual((response.code, body["code"], body["method"]), (409, 409, "DELETE"))
        self.assertEqual(body["uri"], "/things/conflict?a=b")
        self.assertEqual(body["message"], Conflict.default_message)
        self.assertEqual(set(body), {"method", "uri", "code", "message", "error"})

    def test_streams(self) -> None:
        for size in (0, 2, 200_000):
            response = self.send("GET", f"/stream?size={size}")
            self.assertEqual((response.code, response.body), (200, b"x" * size))
        response = self.send("HEAD", "/stream?size=2")
        self.assertEqual((response.code, response.body), (200, b""))
        self.assertNotIn("Content-Length", response.headers)

    def test_a_stream_that_fails_before_its_first_byte(self) -> None:
        response = self.send("GET", "/stream?fail=1")
        self.assertEqual(json.loads(response.body)["error"]["code"], "conflict")

    @gen_test
    async def test_a_stream_that_fails_in_the_middle(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.get_http_port())
        writer.write(b"GET /stream?size=200000&fail=1 HTTP/1.1\r\nHost: a\r\n\r\n")
        answer = await reader.read()
        writer.close()
        self.assertTrue(answer.startswith(b"HTTP/1.1 200 OK\r\n"))
        self.assertFalse(answer.endswith(b"0\r\n\r\n"))
        self.assertEqual(await self._app.admission.drained(5), 0)

    @gen_test
    async def test_a_client_that_leaves_in_the_middle(self) -> None:
        with self.assertNoLogs(LOGGER, "ERROR"):
            reader, writer = await asyncio.open_connection("127.0.0.1", self.get_http_port())
            writer.write(b"GET /stream?endless=1 HTTP/1.1\r\nHost: a\r\n\r\n")
            await reader.readuntil(b"\r\n\r\n")
            writer.close()
            self.assertEqual(await self._app.admission.drained(5), 0)

    @gen_test
    async def test_a_client_that_left_before_we_are_told(self) -> None:
        request = b"GET /stream?size=99999&gone=1 HTTP/1.1\r\nHost: a\r\n\r\n"
        with self.assertLogs(LOGGER, "INFO") as logs:
            await exchange(self.get_http_port(), request)
        self.assertEqual(len(logs.output), 1)
        self.assertIn(" 499 ", logs.output[0])

    def test_body_that_is_not_ours_to_read(self) -> None:
        response = self.send("POST", "/things/a", {}, **{"Content-Encoding": "br"})
        self.assertEqual(json.loads(response.body)["error"]["code"], "unsupported_media_type")
