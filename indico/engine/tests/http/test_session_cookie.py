"""The cookie of a browser's session: who may send it, and what a forged one is worth."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from tornado.httpclient import HTTPResponse
from tornado.web import create_signed_value

from ...http.application import Application
from ...http.batch import BatchRoute
from ...http.html_handler import HTMLHandler
from ...http.rest_handler import RestHandler
from ...http.session_cookie import clear_cookie, set_cookie
from ..sample.accounts import auth
from ..sample.app import ROUTES
from ..server_test import ServerTest

OLD, NEW = "the key of last year", "the key of this year"
JSON = {"Content-Type": "application/json"}


class EntryHandler(HTMLHandler):
    """A page that takes a token, and one that gives it up."""

    async def post(self) -> None:
        if token := self.form.get("token"):
            set_cookie(self, token, datetime.now(UTC) + timedelta(days=400))
        else:
            clear_cookie(self)
        self.finish("entered")


class MineHandler(RestHandler):
    @auth
    async def get(self) -> dict[str, str]:
        """Return what is only for the token's user."""
        return {"user_id": str(self.user_id)}


class CookieTest(ServerTest):
    """Base of tests whose browser has a session, in `cookie`."""

    def make_app(self, settings: Any) -> Application:
        entry = [(r"/entry", EntryHandler), (r"/mine", MineHandler)]
        return Application([*ROUTES, BatchRoute, *entry], settings)

    def setUp(self) -> None:
        super().setUp()
        body = {"email": "ada@example.com", "password": "correct horse"}
        self.token = self.data(self.post("/auth/register", body, **JSON), 201)["token"]
        self.cookie = self.enter(f"token={self.token}").headers["Set-Cookie"].partition(";")[0]

    def enter(self, form: str, **headers: str) -> HTTPResponse:
        headers = {"Content-Type": "application/x-www-form-urlencoded", **headers}
        return self.fetch("/entry", method="POST", body=form, headers=headers)

    def call(
        self,
        path: str = "/user/get",
        body: str = "{}",
        kind: str = "application/json",
        cookie: str = "",
        **headers: str,
    ) -> HTTPResponse:
        """Call an action as a browser does, with its cookie; names have _ for -."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        sent |= {"Cookie": cookie or self.cookie, "Content-Type": kind}
        return self.fetch(path, method="POST", body=body, headers=sent)


class ActionTest(CookieTest):
    settings = {"trusted_origins": ["https://friend.example"]}  # noqa: RUF012

    def origin(self) -> str:
        return f"http://127.0.0.1:{self.get_http_port()}"

    def test_valid(self) -> None:
        for kind in ("application/json", "Application/JSON; charset=utf-8"):
            self.assertEqual(self.data(self.call(kind=kind))["email"], "ada@example.com")
        for headers in (
            {"Origin": self.origin()},
            {"Sec_Fetch_Site": "same-origin", "Origin": self.origin()},
            {"Sec_Fetch_Site": "none"},
            {"Origin": "https://friend.example"},
            {"Sec_Fetch_Site": "cross-site", "Origin": "https://friend.example"},
        ):
            with self.subTest(headers):
                self.data(self.call(**headers))

    def test_foreign_origin(self) -> None:
        """No type of the body makes up for it."""
        for headers in (
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"Origin": self.origin() + "1"},
            {"Sec_Fetch_Site": "cross-site"},
            {"Sec_Fetch_Site": "same-site", "Origin": self.origin()},
            {"Sec_Fetch_Site": "cross-site", "Origin": "https://evil.example"},
        ):
            for kind in ("application/json", "text/plain"):
                with self.subTest(headers, kind=kind):
                    self.error(self.call(kind=kind, **headers), 403, "permission_denied")
        self.data(self.call())

    def test_other_types(self) -> None:
        """A form of another site can send these."""
        for kind in ("text/plain", "application/x-www-form-urlencoded", "application/jsonx"):
            self.error(self.call(kind=kind), 415, "unsupported_media_type")

    def test_a_token_beats_the_cookie(self) -> None:
        foreign = {"Origin": "https://evil.example"}
        self.data(self.call(kind="text/plain", Authorization=f"Bearer {self.token}", **foreign))
        wrong = self.call(Authorization="Bearer wrong")
        self.error(wrong, 401, "unauthenticated")

    def test_an_action_without_a_token(self) -> None:
        answer = self.call("/system/ping", kind="text/plain", Origin="https://evil.example")
        self.assertEqual(self.data(answer), "pong")

    def test_logout(self) -> None:
        self.data(self.call("/auth/logout"))
        self.error(self.call(), 401, "unauthenticated")

    def test_in_a_batch(self) -> None:
        calls = json.dumps({"calls": [{"action": "user/get"}]})
        for headers, kind, status in (
            ({}, "application/json", 200),
            ({}, "text/plain", 415),
            ({"Origin": "https://evil.example"}, "application/json", 403),
        ):
            with self.subTest(kind, **headers):
                answer = self.data(self.call("/batch", calls, kind, **headers))
                self.assertEqual(answer["answers"][0]["status"], status)

    def test_by_rest(self) -> None:
        for headers, status in (({}, 200), ({"Sec-Fetch-Site": "cross-site"}, 403)):
            answer = self.fetch("/mine", headers={"Cookie": self.cookie, **headers})
            self.assertEqual(answer.code, status)


class ForgedTest(CookieTest):
    def test_wrong(self) -> None:
        name, _, value = self.cookie.partition("=")
        value = value.strip('"')
        key = self.config.secret_key.get_secret_value()
        for forged in (
            self.token,
            value[:-1] + ("0" if value[-1] != "0" else "1"),
            create_signed_value("another key of mine", name, self.token).decode(),
            create_signed_value(key, "other", self.token).decode(),
            create_signed_value(key, name, self.token, version=1).decode(),
            create_signed_value(key, name, b"\xff").decode(),
            "",
        ):
            with self.subTest(forged):
                answer = self.call(cookie=f'{name}="{forged}"')
                self.error(answer, 401, "unauthenticated")


class RotationTest(CookieTest):
    settings = {"secret_key": NEW, "old_secret_keys": [OLD]}  # noqa: RUF012

    def test_keys(self) -> None:
        name = self.cookie.partition("=")[0]
        versions = self._app.settings["cookie_secret"]
        for key, status in ((NEW, 200), (OLD, 200), ("a key of somebody else", 401)):
            for version in versions:
                signed = create_signed_value({version: key}, name, self.token, key_version=version)
                valid = status == 200 and versions[version] == key
                answer = self.call(cookie=f'{name}="{signed.decode()}"')
                self.assertEqual(answer.code, 200 if valid else 401)

    def test_new_cookies_have_the_new_key(self) -> None:
        versions = self._app.settings["cookie_secret"]
        self.assertEqual(versions[self._app.settings["key_version"]], NEW)


class AttributesTest(CookieTest):
    def test_in_development(self) -> None:
        sent = self.enter("token=t").headers["Set-Cookie"]
        name, *attributes = sent.split("; ")
        self.assertTrue(name.startswith("sample_session="))
        kept = sorted(each for each in attributes if not each.startswith("expires="))
        self.assertEqual(kept, ["HttpOnly", "Path=/", "SameSite=Lax"])

    def test_cleared(self) -> None:
        self.assertTrue(self.enter("").headers["Set-Cookie"].startswith('sample_session="";'))


class ProductionTest(ServerTest):
    settings = {  # noqa: RUF012
        "environment": "production",
        "secret_key": NEW,
        "mongodb_uri": "mongodb://never.used",
    }

    def make_app(self, settings: Any) -> Application:
        return Application([(r"/entry", EntryHandler)], settings)

    def test_attributes(self) -> None:
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        for form in ("token=t", ""):
            answer = self.fetch("/entry", method="POST", body=form, headers=kind)
            name, *attributes = answer.headers["Set-Cookie"].split("; ")
            self.assertTrue(name.startswith("__Host-sample_session="))
            self.assertLessEqual({"Secure", "HttpOnly", "Path=/", "SameSite=Lax"}, set(attributes))
            self.assertNotIn("domain", answer.headers["Set-Cookie"].lower())
            self.assertIn("Strict-Transport-Security", answer.headers)
