"""Pages of another origin, and scripts in a page, against the policy and the cookie."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

from playwright.sync_api import Error, Page

from indico.tests.browser.browser_test import BrowserTest

EMAIL = "protected@example.com"
# A page of an attacker. Its origin is another one, but the same site: so the cookie is sent.
EVIL = """<!doctype html><title>evil</title>
<form id=logout method=post action="{url}/logout"><input name=everywhere value=yes></form>
<form id=login method=post action="{url}/login"><input name=email value=a></form>
<form id=action method=post action="{url}/auth/logout_all" enctype=text/plain>
<input name='{{"a' value='":1}}'></form>
<iframe src="{url}/dashboard"></iframe>
"""
CALL = """async ([path, type]) => {
  const answer = await fetch(path, {method: "POST", body: "{}", headers: {"Content-Type": type}});
  return [answer.status, (await answer.json()).data];
}"""


class EvilHandler(BaseHTTPRequestHandler):
    page: ClassVar[bytes]

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(self.page)

    def log_message(self, format: str, *args: object) -> None: ...


class ProtectionTest(BrowserTest):
    evil: ClassVar[str]
    cookies: ClassVar[Any]
    page: Page

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        EvilHandler.page = EVIL.format(url=cls.url).encode()
        server = ThreadingHTTPServer(("127.0.0.1", 0), EvilHandler)
        threading.Thread(target=server.serve_forever).start()
        cls.addClassCleanup(server.server_close)
        cls.addClassCleanup(server.shutdown)
        cls.evil = f"http://127.0.0.1:{server.server_port}/"
        test = cls()
        page = test.open()
        test.register(page, EMAIL)
        cls.cookies = page.context.cookies()
        test.doCleanups()

    def setUp(self) -> None:
        """Open a window with a session."""
        self.page = self.open()
        self.page.context.add_cookies(self.cookies)
        self.page.goto("/dashboard")
        self.assertEqual(self.path(self.page), "/dashboard")

    def test_forms_of_another_origin(self) -> None:
        page = self.page
        for form in ("logout", "login", "action"):
            page.goto(self.evil)
            with page.expect_navigation() as navigation:
                page.evaluate(f"document.getElementById('{form}').submit()")
            self.assertEqual(navigation.value.status, 403, form)
            self.assertIn("Not allowed", page.inner_text("main"))
        page.goto("/dashboard")
        self.assertEqual(self.path(page), "/dashboard")

    def test_calls_of_another_origin(self) -> None:
        page = self.page
        page.goto(self.evil)
        options = "{method: 'POST', mode: 'no-cors', credentials: 'include', body: '{}'}"
        with page.expect_response(f"{self.url}/auth/logout_all") as response:
            page.evaluate(f"fetch('{self.url}/auth/logout_all', {options}).catch(() => 0)")
        self.assertEqual(response.value.status, 403)
        page.goto("/dashboard")
        self.assertEqual(self.path(page), "/dashboard")

    def test_calls_of_its_own(self) -> None:
        page = self.page
        status, user = page.evaluate(CALL, ["/user/get", "application/json"])
        self.assertEqual((status, user["email"]), (200, EMAIL))
        self.assertEqual(page.evaluate(CALL, ["/user/get", "text/plain"])[0], 415)
        page.goto("/docs")
        self.assertEqual(page.evaluate(CALL, ["/user/get", "application/json"])[0], 200)

    def test_no_frame(self) -> None:
        page = self.page
        page.goto(self.evil)
        self.assertNotIn("Dashboard", page.frames[1].content())

    def test_no_script_and_no_style_in_the_page(self) -> None:
        page = self.page
        with self.assertRaises(Error):
            page.add_script_tag(content="window.ran = true")
        with self.assertRaises(Error):
            page.add_script_tag(url="https://evil.example/script.js")
        with self.assertRaises(Error):
            page.add_style_tag(content="body { display: none }")
        self.assertIsNone(page.evaluate("window.ran ?? null"))

    def test_no_script_reads_the_cookie(self) -> None:
        page = self.page
        self.assertEqual(page.evaluate("document.cookie"), "")
        (cookie,) = page.context.cookies()
        self.assertEqual((cookie["httpOnly"], cookie["sameSite"]), (True, "Lax"))
