from __future__ import annotations

import asyncio
import unicodedata
from typing import Any
from unittest.mock import patch

import psutil
from tornado.testing import gen_test

from indico.engine import offload
from indico.engine.http.application import Application
from indico.engine.tests.environment import measured
from indico.engine.tests.offload import work
from indico.engine.tests.offload.test_offload import FolderTest, Marker, eventually, gone
from indico.routes.handler import IndicoHandler
from indico.service.text import keywords
from indico.tests.server_test import ServerTest
from indico.utils import LOGGER, unpack

TEXT = """
A process pool runs functions in other processes. The event loop stays free while a process works:
the pool hands it a function, and the process hands back a result. When a process crashes, the pool
starts another process; when the pool is full, the event loop says so.
"""


class TextTest(ServerTest, FolderTest):
    """A pool of one process, for which one call may wait. All tests of a class share it."""

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        offload.configure(1, 1)
        cls.addClassCleanup(offload.configure, 0, offload.DEFAULT_QUEUE)

    def setUp(self) -> None:
        super().setUp()
        self.token = self.register()["token"]

    def keywords(self, text: Any, **more: Any) -> Any:
        return self.post("/text/keywords", {"text": text, **more}, self.token)

    def words(self, text: str, limit: int = 10) -> list[str]:
        return [found["word"] for found in self.items(text, limit=limit)]

    def items(self, text: str, **more: Any) -> Any:
        page = self.data(self.keywords(text, **more))
        self.assertEqual((set(page), page["next_cursor"]), ({"items", "next_cursor"}, None))
        return page["items"]


class KeywordsTest(TextTest):
    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.enterClassContext(measured())

    def test_valid(self) -> None:
        found = self.items(TEXT)
        self.assertEqual(len(found), 10)
        self.assertEqual([keyword["word"] for keyword in found[:3]], ["process", "pool", "event"])
        scores = [keyword["score"] for keyword in found]
        self.assertEqual(scores[0], 1)
        self.assertEqual(scores, sorted(scores, reverse=True))
        self.assertGreater(scores[-1], 0)
        self.assertEqual(self.items(TEXT, limit=1), found[:1])
        self.assertEqual(self.items(TEXT, limit=100)[:10], found)

    def test_nothing_to_say(self) -> None:
        for text in ("", "the of and", "1 2 3", "a b c", "\x00 -- ' ! \U0001f511"):
            self.assertEqual(self.words(text), [], text)
        self.assertEqual(self.items("hello"), [{"word": "hello", "score": 1}])

    def test_words_of_all_scripts(self) -> None:
        text = "Stra\u00dfe, l\u2019\u00e9t\u00e9 and well-known \u6771\u4eac; \u0939\u093f\u0928"
        found = {
            "stra\u00dfe",
            "l'\u00e9t\u00e9",
            "well-known",
            "\u6771\u4eac",
            "\u0939\u093f\u0928",
        }
        self.assertEqual(set(self.words(text)), found)
        self.assertEqual(self.words(unicodedata.normalize("NFD", text)), self.words(text))

    def test_anonymous(self) -> None:
        self.error(self.post("/text/keywords", {"text": TEXT}), 401, "unauthenticated")

    def test_missing_field(self) -> None:
        response = self.post("/text/keywords", {"limit": 5}, self.token)
        self.error(response, 400, "invalid_argument", "text")

    def test_wrong_type(self) -> None:
        for text in (5, None, ["a"], "a" * 200_001):
            self.error(self.keywords(text), 400, "invalid_argument", "text")
        for limit in (0, 101, "1", 1.5, True, None):
            self.error(self.keywords(TEXT, limit=limit), 400, "invalid_argument", "limit")
        self.assertEqual(self.words("ab " * 66_666), ["ab"])


class BusyTest(TextTest):
    """A process that another call holds."""

    def setUp(self) -> None:
        super().setUp()
        self.marker = Marker(self.folder / "marker")

    async def hold(self) -> asyncio.Task[str]:
        call = asyncio.get_running_loop().create_task(work.hold(self.marker.path))
        await eventually(self.marker.written)
        return call

    async def release(self, call: asyncio.Task[str]) -> None:
        self.marker.path.unlink()
        self.assertEqual(await call, "held")

    async def fetch_keywords(self, token: str | None = None) -> Any:
        return await self.http_client.fetch(
            self.get_url("/text/keywords"),
            method="POST",
            headers={"Authorization": f"Bearer {token or self.token}"},
            body='{"text": "hello"}',
            raise_error=False,
        )

    @gen_test(timeout=60)
    async def test_others_are_answered_meanwhile(self) -> None:
        call = await self.hold()
        waiting = asyncio.ensure_future(self.fetch_keywords())
        for _ in range(20):
            ping = await self.http_client.fetch(
                self.get_url("/system/ping"), method="POST", body=""
            )
            self.assertEqual(ping.code, 200)
        self.assertFalse(waiting.done())
        await self.release(call)
        self.assertEqual((await waiting).code, 200)

    @gen_test(timeout=60)
    async def test_queue_is_full(self) -> None:
        call = await self.hold()
        waiting = asyncio.ensure_future(work.join("a"))
        await asyncio.sleep(0)
        full = await self.fetch_keywords()
        self.error(full, 503, "unavailable")
        self.assertEqual(full.headers["Retry-After"], "1")
        await self.release(call)
        self.assertEqual(await waiting, "a")
        self.assertEqual((await self.fetch_keywords()).code, 200)

    def test_a_share_for_each_user(self) -> None:
        self.addCleanup(offload.configure, 1, 1)
        offload.configure(1, 5, share=1)
        self.run_async(self.share(self.register("bob@example.com")["token"]))

    async def share(self, other: str) -> None:
        call = await self.hold()
        waiting = [asyncio.ensure_future(self.fetch_keywords(each)) for each in (None, other)]
        await eventually(lambda: len(offload._pool._calls) == 3)
        for token in (self.token, other):
            refused = await self.fetch_keywords(token)
            self.error(refused, 429, "rate_limited")
            self.assertEqual(refused.headers["Retry-After"], "1")
        await self.release(call)
        self.assertEqual([answer.code for answer in await asyncio.gather(*waiting)], [200] * 2)

    @gen_test(timeout=60)
    async def test_deadline(self) -> None:
        call = await self.hold()
        with patch.object(keywords, "_deadline_seconds", 0.1):
            self.error(await self.fetch_keywords(), 504, "deadline_exceeded")
        await self.release(call)

    @gen_test(timeout=60)
    async def test_client_leaves(self) -> None:
        """A call whose client has left is ended."""
        pid = await work.pid()
        psutil.Process(pid).suspend()
        _, writer = await asyncio.open_connection("127.0.0.1", self.get_http_port())
        body = b'{"text": "hello"}'
        head = f"POST /text/keywords HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {self.token}\r\n"
        writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        await eventually(lambda: any(call._process for call in offload._pool._calls))
        writer.close()
        await eventually(lambda: gone(pid))
        self.assertEqual((await self.fetch_keywords()).code, 200)


class WorkHandler(IndicoHandler):
    """Handler that offloads functions which fail."""

    @unpack("kind")
    async def fail(self, kind: str) -> None:
        await work.fail(kind)

    @unpack("how")
    async def crash(self, how: str) -> None:
        await work.crash(how)

    async def give(self) -> Any:
        return await work.give("function")


class FaultTest(TextTest):
    def get_app(self) -> Application:
        app = super().get_app()
        app.add_handlers(".*", [(r"/job/(?P<action>[a-zA-Z_]+)?", WorkHandler)])
        return app

    def test_our_own_errors(self) -> None:
        error = self.error(self.post("/job/fail", {"kind": "conflict"}), 409, "conflict", "a")
        self.assertEqual(error["details"][0]["reason"], "b")
        response = self.post("/job/fail", {"kind": "missing field"})
        self.error(response, 400, "invalid_argument", "a.b")

    def test_faults_are_in_the_log_as_they_were_there(self) -> None:
        for path, body, logged in (
            ("fail", {"kind": "zero"}, "in fail\n    raise ZeroDivisionError("),
            ("fail", {"kind": "of two"}, 'in fail\n    raise OfTwo("one", "two")'),
            ("crash", {"how": "exit"}, "ended, with code 3"),
            ("give", {}, "local object 'give.<locals>.<lambda>'"),
        ):
            with self.assertLogs(LOGGER, "ERROR") as logs:
                self.error(self.post(f"/job/{path}", body), 500, "internal")
            self.assertIn(logged, logs.output[0])
            self.assertEqual(self.words("hello"), ["hello"])
