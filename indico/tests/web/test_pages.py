"""Rules for every page: who may see it, its headers, its texts."""

from __future__ import annotations

import dataclasses
import re
from typing import Any, get_type_hints
from unittest import TestCase

from tornado.httputil import HTTPHeaders

from indico.config import Settings
from indico.error import NotFound
from indico.tests.server_process import ROOT
from indico.tests.web.page_test import PageTest
from indico.web.error_page import error_page
from indico.web.language import LANGUAGES, choose
from indico.web.routes import PAGES
from indico.web.texts import Texts

# Pages that need no session. Add one here only on purpose.
PUBLIC = {"/", "/login", "/register"}
WEB = ROOT / "indico/web"


def paths() -> dict[str, Any]:
    """Return the handler of each page by its path."""
    return {pattern.replace("([^/]+)", "0" * 24): kind for pattern, kind in PAGES}


class MapTest(PageTest):
    def test_every_page_needs_a_session_or_is_public(self) -> None:
        for path, kind in paths().items():
            answer = self.visit(path)
            if path in PUBLIC:
                self.page(answer)
            elif answer.code != 405:
                self.leads_to(answer, f"/login?next={path.replace('/', '%2F')}")
            # 303 is /logout, which logs nobody out; 405 is a page without a form.
            statuses = (400, 405) if path in PUBLIC else (303, 403, 405)
            self.assertIn(self.send(path).code, statuses, f"{kind} {path}")

    def test_headers(self) -> None:
        self.enter()
        for path in paths():
            headers = self.visit(path).headers
            self.assertNotIn("unsafe", headers["Content-Security-Policy"], path)
            self.assertEqual(headers["Cache-Control"], "no-store", path)

    def test_foreign_forms(self) -> None:
        self.enter()
        for path in paths():
            answer = self.send(path, "https://evil.example")
            self.assertIn(answer.code, (403, 405), path)

    def test_files(self) -> None:
        page = self.visit("/").body.decode()
        for path in re.findall(r'(?:href|src)="(/static/.*?)"', page):
            answer = self.fetch(path)
            self.assertEqual(
                (answer.code, "immutable" in answer.headers["Cache-Control"]), (200, True)
            )


class WithoutPagesTest(PageTest):
    settings = {"pages": False}  # noqa: RUF012

    def test_off(self) -> None:
        for path in paths():
            self.error_of(path)

    def error_of(self, path: str) -> None:
        answer = self.visit(path)
        self.assertEqual((answer.code, answer.headers["Content-Type"]), (404, "application/json"))


class ErrorPageTest(TestCase):
    def render(self, error: Any, language: str = "en", trace: tuple[str, ...] = ()) -> str:
        page = error_page(Settings())
        assert page is not None
        headers = HTTPHeaders({"Accept-Language": language})
        return page(error, "request-7", headers, trace).decode()

    def test_own_text_of_a_status(self) -> None:
        self.assertIn("Nicht gefunden", self.render(NotFound(), "de"))
        self.assertIn("request-7", self.render(NotFound()))

    def test_other_status(self) -> None:
        error = NotFound("<i>Gone</i>")
        type_ = type("Teapot", (NotFound,), {"status": 418})
        self.assertIn("&lt;i&gt;Gone&lt;/i&gt;", self.render(type_(error.message)))

    def test_trace(self) -> None:
        self.assertIn("line 1", self.render(NotFound(), trace=("line 1\n", "line 2\n")))


class LanguageTest(TestCase):
    def test_choice(self) -> None:
        for header, code in (
            ("", "en"),
            ("de", "de"),
            ("fr, de-CH;q=0.5", "de"),
            ("de;q=0, fr", "en"),
            ("en-US,de;q=0.9", "en"),
            ("__init__", "en"),
        ):
            self.assertEqual(choose(header).code, code, header)

    def test_every_language_says_the_same(self) -> None:
        """The same words, statuses and places for values."""
        english = dataclasses.asdict(LANGUAGES["en"])
        for code, texts in LANGUAGES.items():
            self.assertEqual(texts.code, code)
            for name, text in dataclasses.asdict(texts).items():
                if isinstance(text, dict):
                    self.assertEqual(text.keys(), english[name].keys(), f"{code} {name}")
                else:
                    self.assertTrue(text, f"{code} {name}")
                    places = [re.findall(r"\{\w*\}", each) for each in (text, english[name])]
                    self.assertEqual(sorted(places[0]), sorted(places[1]), f"{code} {name}")


class TemplateTest(TestCase):
    templates = sorted((WEB / "templates").iterdir())

    def test_texts_are_elsewhere(self) -> None:
        """A template has no words of its own: these come from `texts/`, or from the data."""
        for file in self.templates:
            text = re.sub(r"\{%.*?%\}|\{\{.*?\}\}|<[^>]*>", " ", file.read_text())
            self.assertEqual(re.findall(r"\w+", text), [], file.name)

    def test_nothing_inline(self) -> None:
        """The policy of the pages forbids scripts and styles in the HTML."""
        for file in self.templates:
            text = file.read_text()
            self.assertNotRegex(text, r"(?i)<style|\sstyle=|\son\w+=|javascript:|<script(?! src)")

    def test_every_text_is_used(self) -> None:
        files = [*self.templates, *WEB.glob("*.py")]
        used = set(re.findall(r"texts\.(\w+)", "".join(file.read_text() for file in files)))
        self.assertEqual(used - {"__name__", "__path__"}, set(get_type_hints(Texts)))
