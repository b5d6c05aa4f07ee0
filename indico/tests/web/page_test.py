"""`PageTest`: a test that asks for pages as a browser without JavaScript does."""

from __future__ import annotations

import re
from html import unescape
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode

from tornado.httpclient import HTTPResponse

from indico.tests.server_test import PASSWORD, ServerTest

ACCEPT = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
EMAIL = "ada@example.com"


class PageTest(ServerTest):
    """Base of tests with `visit` and `send`, which keep the cookies of one browser."""

    language = "en"

    def setUp(self) -> None:
        super().setUp()
        self.cookies: dict[str, str] = {}

    def visit(self, path: str, **options: Any) -> HTTPResponse:
        """Return the answer to GET; redirects are not followed."""
        headers = {"Accept": ACCEPT, "Accept-Language": self.language, **options.pop("headers", {})}
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={each}" for name, each in self.cookies.items())
        answer = self.fetch(path, follow_redirects=False, headers=headers, **options)
        for line in answer.headers.get_list("Set-Cookie"):
            for name, morsel in SimpleCookie(line).items():
                self.cookies.pop(name, None)
                if morsel.value:
                    self.cookies[name] = morsel.coded_value
        return answer

    def send(self, path: str, /, origin: str = "", **form: str) -> HTTPResponse:
        """Return the answer to a form, which a page of `origin` sends; "" is the right one."""
        origin = origin or f"http://127.0.0.1:{self.get_http_port()}"
        sent = {"Content-Type": "application/x-www-form-urlencoded", "Origin": origin}
        return self.visit(path, method="POST", body=urlencode(form), headers=sent)

    def page(self, answer: HTTPResponse, status: int = 200) -> str:
        """Return the text of a page, which must have this status, without its tags."""
        self.assertEqual(answer.code, status, answer.body)
        self.assertEqual(answer.headers["Content-Type"], "text/html; charset=utf-8")
        text = answer.body.decode()
        return " ".join(unescape(re.sub(r"<[^>]*>", " ", text.partition("<body>")[2])).split())

    def leads_to(self, answer: HTTPResponse, path: str) -> None:
        """Assert that an answer sends the browser on to this path."""
        self.assertEqual((answer.code // 100, answer.headers.get("Location")), (3, path))

    def enter(self, email: str = EMAIL, name: str = "Ada") -> None:
        """Make an account, and log in with this browser."""
        answer = self.send("/register", email=email, password=PASSWORD, name=name)
        self.leads_to(answer, "/dashboard?done=registered")

    def log_in(self, **more: str) -> HTTPResponse:
        return self.send("/login", **{"email": EMAIL, "password": PASSWORD, **more})
