"""`/`: what the server is, and whether it works."""

from __future__ import annotations

from unittest.mock import patch

from indico.engine.http import health
from indico.tests.web.page_test import PageTest


class HomeTest(PageTest):
    def test_valid(self) -> None:
        text = self.page(self.visit("/"))
        self.assertIn("The server works", text)
        self.assertIn("Log in", text)
        self.assertEqual(self.visit("/", method="HEAD").code, 200)

    def test_with_a_session(self) -> None:
        self.enter()
        self.assertIn("Log out", self.page(self.visit("/")))

    def test_not_healthy(self) -> None:
        self._app.stopping = True
        with patch.object(health, "ping", lambda: self.answer(False)):
            text = self.page(self.visit("/"))
        self.assertIn("MongoDB does not answer. The server is stopping.", text)

    async def answer(self, value: bool) -> bool:
        return value

    def test_docs(self) -> None:
        self.assertIn(b'href="/docs"', self.visit("/").body)


class WithoutDocsTest(PageTest):
    settings = {"docs": False}  # noqa: RUF012

    def test_no_link_to_them(self) -> None:
        self.assertNotIn(b'href="/docs"', self.visit("/").body)


class GermanTest(PageTest):
    language = "de-AT,de;q=0.9,en;q=0.8"

    def test_valid(self) -> None:
        answer = self.visit("/")
        self.assertIn(b'<html lang="de" dir="ltr">', answer.body)
        self.assertIn("Der Server arbeitet", self.page(answer))
        self.assertIn("Bitte ausfüllen.", self.page(self.send("/login", email="a@b.test"), 400))
