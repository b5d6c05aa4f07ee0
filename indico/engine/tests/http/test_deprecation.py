"""Headers and answers of deprecated actions, before and after their sunset."""

from __future__ import annotations

import json
from datetime import date
from typing import Any
from unittest import TestCase

from tornado.httpclient import HTTPResponse

from ...error import NotFound
from ...http.action import record_of
from ...http.action_handler import ActionHandler
from ...http.application import Application
from ...http.decorators import unpack
from ...http.deprecation import deprecated
from ...http.rest_handler import RestHandler
from ..sample.accounts import auth
from ..server_test import ServerTest
from ..telemetry.scrape import Scraped

SINCE = date(2024, 1, 1)
FAR = date(9999, 12, 31)
PAST = date(2024, 6, 30)


class OldHandler(ActionHandler):
    @deprecated(since=SINCE, sunset=FAR, use="/user/update")
    @unpack("name")
    async def rename(self, name: str) -> str:
        return name

    @deprecated(since=SINCE)
    async def fails(self) -> None:
        raise NotFound

    @deprecated(since=SINCE, sunset=PAST, use="/user/update")
    @auth
    async def gone(self) -> None: ...

    @deprecated(since=SINCE, sunset=PAST)
    async def gone_for_good(self) -> None: ...

    async def young(self) -> None: ...


class OldItems(RestHandler):
    @deprecated(since=SINCE, sunset=FAR)
    async def get(self) -> Any:
        return {}

    @deprecated(since=SINCE, sunset=PAST)
    async def put(self) -> None: ...


class DeprecatedTest(ServerTest):
    def get_app(self) -> Application:
        app = super().get_app()
        app.add_handlers(".*", [(r"/old/(?P<action>[a-z_]+)", OldHandler), ("/old", OldItems)])
        return app

    def told(self, response: HTTPResponse) -> list[str | None]:
        return [response.headers.get(name) for name in ("Deprecation", "Sunset", "Link")]

    def counted(self, action: str) -> float:
        page = self.fetch("/metrics").body.decode()
        return Scraped(page).sum("sample_deprecated_requests_total", action=action)

    def test_before_the_sunset(self) -> None:
        before = self.counted("rename")
        response = self.post("/old/rename", {"name": "Ada"})
        self.assertEqual(self.data(response), "Ada")
        sunset, link = "Fri, 31 Dec 9999 00:00:00 GMT", '</user/update>; rel="successor-version"'
        self.assertEqual(self.told(response), ["@1704067200", sunset, link])
        self.assertEqual(self.counted("rename"), before + 1)

    def test_on_errors(self) -> None:
        for response, code in (
            (self.post("/old/rename"), "invalid_argument"),
            (self.post("/old/rename", b"{"), "malformed"),
            (self.post("/old/fails"), "not_found"),
        ):
            self.assertEqual(json.loads(response.body)["error"]["code"], code)
            self.assertEqual(self.told(response)[0], "@1704067200")

    def test_after_the_sunset(self) -> None:
        before = self.counted("gone")
        response = self.post("/old/gone")
        self.assertFalse(self.error(response, 410, "gone")["retryable"])
        self.assertIn(b"This was withdrawn on 2024-06-30: call /user/update.", response.body)
        self.assertEqual(self.told(response)[1], "Sun, 30 Jun 2024 00:00:00 GMT")
        self.assertEqual(self.counted("gone"), before + 1)
        self.assertIn(b"on 2024-06-30.", self.post("/old/gone_for_good").body)

    def test_rest(self) -> None:
        for method in ("GET", "HEAD"):
            response = self.fetch("/old", method=method)
            self.assertEqual((response.code, self.told(response)[0]), (200, "@1704067200"))
        response = self.fetch("/old", method="PUT", body="{}")
        self.assertEqual((response.code, self.told(response)[0]), (410, "@1704067200"))

    def test_others(self) -> None:
        self.assertEqual(self.told(self.post("/old/young")), [None] * 3)


class DeclarationTest(TestCase):
    def test_facts(self) -> None:
        facts = record_of(OldHandler.actions["rename"]).deprecation
        assert facts is not None
        self.assertEqual((facts.since, facts.sunset, facts.use), (SINCE, FAR, "/user/update"))

    def test_wrong(self) -> None:
        with self.assertRaisesRegex(TypeError, "the sunset, 2023-12-31, is before 2024-01-01"):
            deprecated(since=SINCE, sunset=date(2023, 12, 31))
        with self.assertRaisesRegex(TypeError, "use='user/update' must be a path"):
            deprecated(since=SINCE, use="user/update")
