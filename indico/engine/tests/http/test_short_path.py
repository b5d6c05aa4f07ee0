"""The short path of a usual request, and the requests and handlers that need the long one."""

from __future__ import annotations

import asyncio
import json
from typing import Any, ClassVar
from unittest.mock import patch

from tornado.httputil import HTTPServerRequest, RequestStartLine
from tornado.template import DictLoader
from tornado.testing import gen_test
from tornado.web import RequestHandler

from ...http.action_handler import ActionHandler
from ...http.application import Application
from ...http.json_handler import JSONHandler
from ...http.target import KnownRequest
from ..server_test import read_answer
from .http_servers import HTTPServerTest, post_head

HEADERS = {
    "content-type",
    "cache-control",
    "x-content-type-options",
    "x-request-id",
    "content-length",
    "date",
}
Answer = tuple[int, dict[str, str], bytes]


class AnyHandler(ActionHandler):
    """Actions whose answers differ from the usual answer in one thing each."""

    finished: ClassVar[list[int]] = []

    def on_finish(self) -> None:
        self.finished.append(self.get_status())

    async def usual(self) -> Any:
        return 1

    async def created(self) -> None:
        self.respond(1, code=201)

    async def no_content(self) -> None:
        self.set_status(204)
        self.finish()

    async def reason(self) -> None:
        self.set_status(200, "Fine")
        self.finish(b"1")

    async def header(self) -> Any:
        self.set_header("X-Own", "a")
        return 1

    async def cookie(self) -> Any:
        self.set_cookie("a", self.get_cookie("b", ""))
        return 1

    async def parts(self) -> Any:
        self.write(b" ")
        return 1

    async def cleared(self) -> Any:
        self.set_header("X-Own", "a")
        self.clear()
        return 1

    async def request_of_tornado(self) -> Any:
        request = self.request
        assert not (request.files or request.body_arguments)
        values = request.query_arguments, request.arguments
        named = {name: value[0].decode() for name, value in values[0].items()}
        return [type(request) is KnownRequest, self.get_argument("a", ""), named]

    async def template(self) -> None:
        self.finish(self.render_string("page.html"))


class OwnHandler(ActionHandler):
    """A handler that changes how each answer is written."""

    def set_default_headers(self) -> None:
        super().set_default_headers()
        self.set_header("X-Own", "b")

    async def usual(self) -> Any:
        return 1


class WritingHandler(ActionHandler):
    def write(self, chunk: Any) -> None:
        super().write(chunk.upper())

    async def usual(self) -> Any:
        return "a"


class PreparedHandler(JSONHandler):
    """A handler that is prepared by a coroutine, which may answer already."""

    async def prepare(self) -> None:  # type: ignore[override]
        super().prepare()
        await asyncio.sleep(0)
        if self.get_cookie("b"):
            self.finish(b"prepared")

    def post(self) -> None:
        self.write(b"2")  # and Tornado finishes it


class ProtectedHandler(JSONHandler):
    """A handler that takes nothing from other origins, as pages do."""

    _cross_origin_protection = RequestHandler._cross_origin_protection

    def post(self) -> None:
        self.finish(b"1")


class PathHandler(JSONHandler):
    """A handler with two parts of the path, which may be missing or no text."""

    def post(self, *parts: str | None) -> None:
        self.finish(json.dumps(parts).encode())


class DecodingHandler(PathHandler):
    def decode_argument(self, value: bytes, name: str | None = None) -> str:
        return value.hex()


class FailingHandler(JSONHandler):
    """A handler whose answer to an error fails too."""

    def post(self) -> None:
        raise ValueError("first")

    def send_error(self, status_code: int = 500, **kwargs: Any) -> None:
        self.finish(b"1")
        raise ValueError("second")


class ShortPathTest(HTTPServerTest):
    routes: ClassVar[list[Any]] = [
        (r"/any/(?P<action>[a-zA-Z_]+)?", AnyHandler),
        (r"/own/(?P<action>[a-zA-Z_]+)?", OwnHandler),
        (r"/writing/(?P<action>[a-zA-Z_]+)?", WritingHandler),
        (r"/prepared", PreparedHandler),
        (r"/protected", ProtectedHandler),
        (r"/path/([^/]*)/([^/]+)?", PathHandler),
        (r"/decoding/([^/]*)", DecodingHandler),
        (r"/failing", FailingHandler),
    ]
    cached = True

    def get_app(self) -> Application:
        app = super().get_app()
        app.ui_methods["shout"] = lambda handler, text: text.upper() + handler.action_name
        pages = DictLoader({"page.html": "{{ shout('a page ') }}"})
        app.settings.update(template_loader=pages, compiled_template_cache=self.cached)
        return app

    async def ask(self, path: str, *fields: bytes, version: bytes = b"1.1") -> list[Answer]:
        """Return two answers to the same request, on one connection."""
        head = post_head(path.encode(), b"Content-Length: 2", *fields)
        request = head.replace(b"HTTP/1.1", b"HTTP/%b" % version) + b"{}"
        reader, writer = await self.connect()
        answers = []
        for _ in range(2):
            writer.write(request)
            answers.append(await read_answer(reader))
        return answers

    async def assert_answers(
        self, path: str, body: bytes, status: int = 200, **others: str
    ) -> None:
        for got, headers, data in await self.ask(path, b"Cookie: b=c"):
            with self.subTest(path=path):
                self.assertEqual((got, data), (status, body))
                own = {name: value for name, value in headers.items() if name not in HEADERS}
                self.assertEqual(own, {name.replace("_", "-"): v for name, v in others.items()})
                self.assertEqual(len(headers), len(HEADERS) + len(own))

    @gen_test
    async def test_answers(self) -> None:
        usual = b'{"status":200,"data":1}'
        AnyHandler.finished.clear()
        await self.assert_answers("/any/usual", usual)
        self.assertEqual(AnyHandler.finished, [200, 200])
        await self.assert_answers("/any/created", b'{"status":201,"data":1}', 201)
        await self.assert_answers("/any/reason", b"1")
        await self.assert_answers("/any/header", usual, x_own="a")
        await self.assert_answers("/any/cookie", usual, set_cookie="a=c; Path=/")
        await self.assert_answers("/any/parts", b" " + usual)
        await self.assert_answers("/any/cleared", usual)
        await self.assert_answers("/own/usual", usual, x_own="b")
        await self.assert_answers("/writing/usual", b'{"STATUS":200,"DATA":"A"}')
        self.assertEqual((await self.ask("/any/no_content"))[1][0], 204)

    @gen_test
    async def test_a_handler_that_is_prepared_by_a_coroutine(self) -> None:
        self.assertEqual((await self.ask("/prepared"))[1][2], b"2")
        await self.assert_answers("/prepared", b"prepared")

    @gen_test
    async def test_parts_of_the_path(self) -> None:
        for path, body in (
            ("/path/%C3%A9/b", b'["\\u00e9", "b"]'),
            ("/path//", b'["", null]'),
            ("/decoding/%ff", b'["ff"]'),
        ):
            await self.assert_answers(path, body)
        self.assertEqual([status for status, *_ in await self.ask("/path/%ff/")], [400, 400])

    @gen_test
    async def test_errors(self) -> None:
        with self.assertLogs("tornado.application", "ERROR") as logs:
            self.assertEqual((await self.ask("/failing"))[1][2], b"1")
        self.assertEqual(
            [r.getMessage() for r in logs.records], ["Exception in exception handler"] * 2
        )

    @gen_test
    async def test_origins(self) -> None:
        other = b"Origin: http://other.example", b"Sec-Fetch-Site: cross-site"
        for path, headers, status in (
            ("/any/usual", other, 200),
            ("/protected", (), 200),
            ("/protected", other, 403),
        ):
            answers = await self.ask(path, *headers)
            self.assertEqual([answer[0] for answer in answers], [status] * 2)

    @gen_test
    async def test_whether_the_connection_is_kept(self) -> None:
        for version, field, said, count in (
            (b"1.1", b"A: b", None, 2),
            (b"1.1", b"Connection: close", "close", 1),
            (b"1.0", b"Connection: keep-alive", "Keep-Alive", 2),
            (b"1.0", b"A: b", None, 1),
        ):
            with self.subTest(version=version, field=field):
                answers = await self.ask("/any/usual", field, version=version)
                self.assertEqual([status for status, _, _ in answers].count(200), count)
                self.assertEqual(answers[0][1].get("connection"), said)

    @gen_test
    async def test_a_server_that_drains(self) -> None:
        self._app.draining = True
        (_, headers, _), _ = await self.ask("/any/usual")
        self.assertEqual(headers["connection"], "close")

    async def data(self, path: str) -> list[Any]:
        return [json.loads(body)["data"] for _, _, body in await self.ask(path)]

    @gen_test
    async def test_requests(self) -> None:
        path = "/any/request_of_tornado"
        self.assertEqual(await self.data(path), [[False, "", {}], [True, "", {}]])
        self.assertEqual(await self.data(f"{path}?a=b"), [[False, "b", {"a": "b"}]] * 2)
        self.assertEqual(await self.data(f"{path}?"), [[False, "", {}]] * 2)
        self.assertEqual(await self.data(path), [[True, "", {}]] * 2)

    @gen_test
    async def test_a_page(self) -> None:
        for status, _, body in await self.ask("/any/template"):
            self.assertEqual((status, body), (200, b"A PAGE template"))

    @gen_test
    async def test_all_that_tornado_sets(self) -> None:
        """A newer Tornado may set more, which this engine's handlers and requests would miss."""
        made: list[AnyHandler] = []
        with patch.object(AnyHandler, "on_finish", lambda handler: made.append(handler)):
            await self.ask("/any/usual")
        request = made[-1].request
        self.assertIsInstance(request, KnownRequest)
        line = RequestStartLine("POST", "/any/usual", "HTTP/1.1")
        theirs = HTTPServerRequest(
            connection=request.connection, start_line=line, headers=request.headers
        )
        theirs.body, theirs._start_time = request.body, request._start_time
        for name, value in vars(theirs).items():
            with self.subTest(name=name):
                self.assertEqual(getattr(request, name), value)
        for name in vars(RequestHandler(self._app, theirs)):
            self.assertTrue(hasattr(AnyHandler(self._app, request), name), name)


class UncachedPagesTest(ShortPathTest):
    """Tornado reads templates anew for each request, as in its debug mode."""

    cached = False
