"""Pages, forms, static files, and errors as pages."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tornado.httpclient import HTTPResponse
from tornado.httputil import HTTPHeaders

from ...error import APIError, Overloaded
from ...http.application import Application
from ...http.html_handler import HTMLHandler
from ...http.static_files import StaticFiles
from ..sample.app import ROUTES
from ..server_test import ServerTest
from .test_accept import BROWSER

HTML = {"Accept": BROWSER}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class FormHandler(HTMLHandler):
    async def get(self) -> None:
        self.finish("<p>a page</p>")

    async def post(self) -> None:
        self.finish(json.dumps(self.form))


class BrokenHandler(HTMLHandler):
    async def get(self) -> None:
        raise RuntimeError("this is wrong inside")


def error_page(
    error: APIError, request_id: str, headers: HTTPHeaders, trace: Sequence[str]
) -> bytes:
    return f"<h1>{error.status}</h1>{request_id}{''.join(trace)}".encode()


class PageTest(ServerTest):
    """Base of tests with pages beside the sample's actions."""

    def make_app(self, settings: Any) -> Application:
        routes = [*ROUTES, (r"/form", FormHandler), (r"/broken", BrokenHandler)]
        return Application(routes, settings, error_page=error_page)

    def send(self, body: str | bytes, **headers: str) -> HTTPResponse:
        return self.fetch("/form", method="POST", body=body, headers={**FORM, **headers})


class SecureHeadersTest(PageTest):
    settings = {"cors_origins": ["https://friend.example"]}  # noqa: RUF012

    def test_on_pages_and_errors(self) -> None:
        for path in ("/form", "/nosuch", "/user/get", "/broken"):
            headers = self.fetch(path, headers=HTML).headers
            self.assertEqual(headers["Content-Type"], "text/html; charset=utf-8", path)
            policy = headers["Content-Security-Policy"]
            self.assertIn("default-src 'none'", policy)
            self.assertIn("frame-ancestors 'none'", policy)
            self.assertNotIn("unsafe", policy)
            self.assertEqual(headers["X-Content-Type-Options"], "nosniff")
            self.assertEqual(headers["Referrer-Policy"], "same-origin")
            self.assertEqual(headers["Cross-Origin-Opener-Policy"], "same-origin")
            self.assertIn("camera=()", headers["Permissions-Policy"])
            self.assertNotIn("Strict-Transport-Security", headers)

    def test_no_page_is_shared_with_origins_of_the_api(self) -> None:
        sent = {"Origin": "https://friend.example"}
        self.assertNotIn("Access-Control-Allow-Origin", self.fetch("/form", headers=sent).headers)
        shared = self.post("/system/ping", **sent).headers
        self.assertEqual(shared["Access-Control-Allow-Origin"], "https://friend.example")


class FormTest(PageTest):
    def form(self, response: HTTPResponse) -> Any:
        self.assertEqual(response.code, 200, response.body)
        return json.loads(response.body)

    def test_valid(self) -> None:
        self.assertEqual(
            self.form(self.send("name=Ada+L%C3%B6&empty=&twice=1&twice=2")),
            {"name": "Ada Lö", "twice": "2"},
        )
        self.assertEqual(self.form(self.send("")), {})

    def test_after_another_page_of_the_same_path(self) -> None:
        """The second request with a path takes another way, and one with a query a third."""
        for _ in range(3):
            self.assertEqual(self.form(self.send("name=Ada")), {"name": "Ada"})
        answer = self.fetch("/form?next=/", method="POST", body="name=Ada", headers=FORM)
        self.assertEqual(self.form(answer), {"name": "Ada"})

    def test_wrong(self) -> None:
        for body in (b"\xff", "name=%ff", "&".join(f"n{n}=1" for n in range(101))):
            self.error(self.send(body), 400, "invalid_argument")

    def test_another_type(self) -> None:
        answer = self.fetch("/form", method="POST", body="{}", headers={"Content-Type": "a/b"})
        self.error(answer, 415, "unsupported_media_type")

    def test_head(self) -> None:
        answer = self.fetch("/form", method="HEAD")
        self.assertEqual((answer.code, answer.body), (200, b""))

    def test_foreign_origin(self) -> None:
        for headers in (
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
        ):
            self.error(self.send("name=Ada", **headers), 403, "permission_denied")
        self.form(self.send("name=Ada", **{"Sec-Fetch-Site": "same-origin"}))


class ErrorPageTest(PageTest):
    def test_who_asks_for_html(self) -> None:
        for path, status in (("/nosuch", 404), ("/user/get", 405), ("/broken", 500)):
            answer = self.fetch(path, headers=HTML)
            self.assertEqual(answer.code, status)
            shown = f"<h1>{status}</h1>{answer.headers['X-Request-Id']}"
            self.assertEqual(answer.body.decode(), shown)
            for headers in ({}, {"Accept": "*/*"}, {"Accept": "application/json"}):
                answer = self.fetch(path, headers=headers)
                self.assertEqual(answer.headers["Content-Type"], "application/json")
                self.assertIn("error", json.loads(answer.body))

    def test_too_much_load(self) -> None:
        self._app.admission.is_full = lambda: True  # type: ignore[method-assign]
        self._app.overloaded = self._app.admission.is_full
        answer = self.fetch("/form", headers=HTML)
        self.assertEqual((answer.code, answer.headers["Retry-After"]), (503, "1"))
        head = b"GET /page HTTP/1.1\r\nAccept: %b\r\n\r\n"

        async def refuse(accept: bytes) -> bytes | None:
            return self._app.refuse(head % accept)

        self.assertIsNone(self.run_async(refuse(b"text/html")))  # the parser answers
        self.assertIsNotNone(self.run_async(refuse(b"*/*")))
        self.assertEqual(answer.headers["Content-Type"], "text/html; charset=utf-8")
        self.assertIn("Content-Security-Policy", answer.headers)
        self.assertTrue(answer.body.startswith(b"<h1>503</h1>"), answer.body)
        answer = self.fetch("/form")
        self.assertEqual(answer.code, 503)
        self.error(answer, 503, Overloaded.code)


class DebugTest(PageTest):
    settings = {"debug": True}  # noqa: RUF012

    def test_trace(self) -> None:
        self.assertIn(b"this is wrong inside", self.fetch("/broken", headers=HTML).body)


class StaticFilesTest(ServerTest):
    def make_app(self, settings: Any) -> Application:
        folder = Path(self.enterContext(tempfile.TemporaryDirectory(prefix="test-")))
        Path(folder, "style.css").write_text("p { color: red }")
        Path(folder, "data.unknown").write_text("data")
        Path(folder, "inner").mkdir()
        self.files = StaticFiles(folder)
        return Application([self.files.route], settings)

    def test_valid(self) -> None:
        path = self.files.url("style.css")
        self.assertRegex(path, r"^/static/style\.[0-9a-f]{16}\.css$")
        answer = self.fetch(path)
        self.assertEqual((answer.code, answer.body), (200, b"p { color: red }"))
        self.assertEqual(answer.headers["Content-Type"], "text/css")
        self.assertEqual(answer.headers["Cache-Control"], "public, max-age=31536000, immutable")
        self.assertEqual(self.fetch(path, method="HEAD").code, 200)

    def test_unknown_type(self) -> None:
        answer = self.fetch(self.files.url("data.unknown"))
        self.assertEqual(answer.headers["Content-Type"], "application/octet-stream")

    def test_digest_of_another_version(self) -> None:
        answer = self.fetch(f"/static/style.{'0' * 16}.css")
        self.assertEqual((answer.code, answer.headers["Cache-Control"]), (200, "no-cache"))

    def test_not_found(self) -> None:
        for name in (f"other.{'0' * 16}.css", "style.css", f"..%2Fstyle.{'0' * 16}.css", "inner"):
            self.error(self.fetch(f"/static/{name}"), 404, "not_found")
        self.assertEqual(self.fetch(self.files.url("style.css"), method="POST", body="").code, 405)
