"""The Python client, against the real app, and against servers that lose an answer."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from unittest import TestCase

from tornado.testing import bind_unused_port, gen_test

from clients import python
from clients.python import (
    BlockingClient,
    CallError,
    Client,
    Conflict,
    DeadlineExceeded,
    InvalidArgument,
    NoAnswer,
    RateLimited,
    Unauthenticated,
    Unavailable,
)
from clients.python.error import KINDS
from indico import error
from indico.engine.http.application import Application
from indico.error import IndicoError
from indico.routes.handler import Cursor, IndicoHandler, Limit, Page
from indico.tests.server_test import PASSWORD, ServerTest
from indico.utils import idempotent, not_idempotent, read_only, type_check, unpack

EMAIL = "ada@example.com"
ANSWER = b'{"status": 200, "data": "pong"}'


class FlakyHandler(IndicoHandler):
    """Actions that fail a few times first."""

    failures: list[IndicoError]
    calls = 0

    async def _fail(self) -> str:
        FlakyHandler.calls += 1
        if self.failures:
            raise self.failures.pop(0)
        return "done"

    @idempotent
    async def replace(self) -> str:
        return await self._fail()

    @not_idempotent
    async def add(self) -> str:
        return await self._fail()

    @read_only
    @unpack(limit=2, cursor=None)
    @type_check(Limit, Cursor)
    async def letters(self, limit: int, cursor: str | None) -> Page[str]:
        return await self.page(letters, limit, cursor)

    @unpack("seconds")
    async def wait(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


async def letters(limit: int, after: list[int] | None) -> tuple[list[str], list[int] | None]:
    start = after[0] if after else 0
    end = start + limit
    return list("abcde"[start:end]), [end] if end < 5 else None


def answer(body: bytes, status: bytes = b"200 OK", lines: bytes = b"") -> bytes:
    length = b"Content-Length: %d\r\n" % len(body)
    return b"HTTP/1.1 " + status + b"\r\n" + lines + length + b"Connection: close\r\n\r\n" + body


@asynccontextmanager
async def scripted(*answers: bytes) -> AsyncIterator[tuple[Client, list[bytes]]]:
    """Yield a client of a server with these answers, the last one for good, and what it got."""
    got: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answers[min(len(got), len(answers)) - 1])
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, Client(f"http://127.0.0.1:{port}/") as client:
        yield client, got


class ClientTest(ServerTest):
    def get_app(self) -> Application:
        app = super().get_app()
        app.add_handlers(".*", [(r"/flaky/(?P<action>[a-z]+)", FlakyHandler)])
        FlakyHandler.failures, FlakyHandler.calls = [], 0
        return app

    def setUp(self) -> None:
        super().setUp()
        self.register()

    def client(self, **options: Any) -> Client:
        return Client(self.get_url(""), **options)


class CallTest(ClientTest):
    @gen_test
    async def test_valid(self) -> None:
        async with self.client() as client:
            opened = await client.login(EMAIL, PASSWORD)
            self.assertEqual(opened["user"]["email"], EMAIL)
            changes = {"update_user": {"name": "Ada"}}
            self.assertEqual((await client.call("user/update", changes))["name"], "Ada")
            self.assertEqual((await client.call("user/get"))["name"], "Ada")
            self.assertIsNone(await client.call("flaky/wait", {"seconds": 0}))

    @gen_test
    async def test_errors_by_their_code(self) -> None:
        async with self.client(token="x") as client:
            with self.assertRaises(Unauthenticated) as wrong:
                await client.call("user/get")
            self.assertEqual((wrong.exception.status, wrong.exception.retryable), (401, False))
            self.assertRegex(str(wrong.exception), r"needs a valid token.* \(unauthenticated\)$")
            body = {"email": EMAIL, "password": PASSWORD}
            with self.assertRaises(Conflict) as taken:
                await client.call("auth/register", body)
            self.assertEqual(taken.exception.details[0]["path"], "email")
            self.assertTrue(taken.exception.request_id)
            with self.assertRaises(InvalidArgument):
                await client.call("auth/login", {"emal": EMAIL})

    @gen_test
    async def test_pages(self) -> None:
        async with self.client() as client:
            for body in (None, {"limit": 1}, {"limit": 5}):
                items = client.items("flaky/letters", body)
                self.assertEqual([item async for item in items], list("abcde"))

    @gen_test
    async def test_blocking(self) -> None:
        def work() -> Any:
            with BlockingClient(self.get_url(""), timeout=20) as client:
                client.login(EMAIL, PASSWORD)
                with self.assertRaises(Conflict):
                    client.call("auth/register", {"email": EMAIL, "password": PASSWORD})
                return list(client.items("flaky/letters"))

        self.assertEqual(await asyncio.to_thread(work), list("abcde"))


class RetryTest(ClientTest):
    @gen_test
    async def test_until_it_succeeds(self) -> None:
        FlakyHandler.failures = [
            error.Unavailable(retry_after=0),
            error.RateLimited(retry_after=0),
            error.Overloaded(retry_after=0),
        ]
        async with self.client() as client:
            self.assertEqual(await client.call("flaky/replace"), "done")
        self.assertEqual(FlakyHandler.calls, 4)

    @gen_test
    async def test_not_where_the_action_does_not_allow_it(self) -> None:
        FlakyHandler.failures = [error.RateLimited(retry_after=0), error.Unavailable(retry_after=0)]
        async with self.client() as client:
            with self.assertRaises(Unavailable):
                await client.call("flaky/add")
        self.assertEqual(FlakyHandler.calls, 2)

    @gen_test
    async def test_no_longer_than_it_may(self) -> None:
        async with self.client(retries=1) as client:
            FlakyHandler.failures = [error.RateLimited(retry_after=0) for _ in range(3)]
            with self.assertRaises(RateLimited):
                await client.call("flaky/replace")
            self.assertEqual(FlakyHandler.calls, 2)
            FlakyHandler.failures = [error.RateLimited(retry_after=60)]
            with self.assertRaises(RateLimited) as raised:
                await client.call("flaky/replace")
            self.assertEqual((FlakyHandler.calls, raised.exception.retry_after), (3, 60))

    @gen_test
    async def test_the_server_knows_the_deadline(self) -> None:
        async with self.client(timeout=0.05) as client:
            with self.assertRaises(DeadlineExceeded):
                await client.call("flaky/wait", {"seconds": 30})
            await client.call("flaky/wait", {"seconds": 0.06}, timeout=5)


class LostAnswerTest(ServerTest):
    @gen_test
    async def test_a_repeatable_call(self) -> None:
        async with scripted(b"", answer(ANSWER)) as (client, got):
            self.assertEqual(await client.call("system/ping", repeatable=True), "pong")
            self.assertEqual(len(got), 2)

    @gen_test
    async def test_any_other(self) -> None:
        async with scripted(b"", answer(ANSWER)) as (client, got):
            with self.assertRaises(NoAnswer) as raised:
                await client.call("note/create")
            self.assertEqual((len(got), raised.exception.status), (1, 0))

    @gen_test
    async def test_a_call_that_happens_once(self) -> None:
        keys = []
        for _ in range(2):
            async with scripted(b"", b"", answer(ANSWER)) as (client, got):
                self.assertEqual(await client.call("note/create", once=True), "pong")
                sent = re.findall(rb"Idempotency-Key: (\S{36})\r\n", b"".join(got))
                self.assertEqual((len(got), len(sent), len(set(sent))), (3, 3, 1))
                keys.append(sent[0])
        self.assertNotEqual(*keys)

    @gen_test
    async def test_nobody_listens(self) -> None:
        """Call a port that is closed: no call was made, so each may be tried again."""
        closed, port = bind_unused_port()
        closed.close()
        async with Client(f"http://127.0.0.1:{port}", retries=1) as client:
            with self.assertRaises(NoAnswer) as raised:
                await client.call("note/create")
        self.assertTrue(raised.exception.retryable)

    @gen_test
    async def test_the_answer_of_a_proxy(self) -> None:
        page = answer(b"<html>", b"502 Bad Gateway", b"Retry-After: 0\r\n")
        async with scripted(page, answer(ANSWER)) as (client, got):
            with self.assertRaises(CallError) as raised:
                await client.call("note/create")
            self.assertEqual((raised.exception.status, raised.exception.code), (502, ""))
            self.assertEqual(str(raised.exception), "502 Bad Gateway (502)")
            self.assertEqual(await client.call("note/get", repeatable=True), "pong")
        for body in (b"[]", b"{}", b""):
            async with scripted(answer(body, b"302 Found", b"Location: /\r\n")) as (client, got):
                with self.assertRaises(CallError):
                    await client.call("note/get", repeatable=True)
                self.assertEqual(len(got), 1)

    @gen_test
    async def test_a_code_of_a_newer_server(self) -> None:
        envelope = {"status": 418, "data": "No.", "error": {"code": "teapot"}}
        async with scripted(answer(json.dumps(envelope).encode(), b"418 No")) as (client, got):
            with self.assertRaises(CallError) as raised:
                await client.call("pot/brew")
        self.assertEqual((raised.exception.code, len(got)), ("teapot", 1))


class KindsTest(TestCase):
    def test_each_code_has_a_class(self) -> None:
        kinds = [kind for kind in vars(error).values() if isinstance(kind, type)]
        codes = {kind.code for kind in kinds if issubclass(kind, IndicoError)}
        self.assertEqual(KINDS.keys(), codes | {"no_answer"})
        for kind in KINDS.values():
            self.assertIs(getattr(python, kind.__name__), kind)
