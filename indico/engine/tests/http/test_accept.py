"""`Accept` and its like: what a client prefers."""

from __future__ import annotations

from unittest import TestCase

from tornado.httputil import HTTPHeaders

from ...http.accept import wants_html, weights

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"


class WeightsTest(TestCase):
    def test_valid(self) -> None:
        self.assertEqual(
            list(weights("de;q=0.5, en-GB, fr ; q=0.8;x=1,pt;q=0").items()),
            [("en-gb", 1), ("fr", 0.8), ("de", 0.5), ("pt", 0)],
        )

    def test_wrong(self) -> None:
        for header in ("", ",", ";", "q=1;;", "de;q=2;q", "a" * 100_000, "a b", ";q=" * 9999):
            with self.subTest(header[:20]):
                self.assertIsInstance(weights(header), dict)


class HTMLTest(TestCase):
    def test_who_asks(self) -> None:
        for accept, wanted in (
            (BROWSER, True),
            ("application/json;q=0.9, Text/HTML", True),
            ("application/json, text/html;q=0.9", False),
            ("application/json, text/html", False),
            ("text/html;q=0", False),
            ("*/*", False),
            ("", False),
        ):
            with self.subTest(accept):
                self.assertEqual(wants_html(HTTPHeaders({"Accept": accept})), wanted)
        self.assertFalse(wants_html(HTTPHeaders()))
