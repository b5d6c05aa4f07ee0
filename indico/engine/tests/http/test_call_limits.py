"""`limit` on actions and REST methods, the setting `rate_limit`, and what clients are told."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, ClassVar
from unittest import TestCase

from tornado.httpclient import HTTPResponse

from ...error import NotFound
from ...http.action_handler import ActionHandler
from ...http.application import Application
from ...http.batch import BatchRoute
from ...http.call_limits import limit, take_tokens
from ...http.decorators import type_check, unpack
from ...http.json_handler import JSONHandler
from ...http.kept_answers import KEPT
from ...http.rest_handler import RestHandler
from ...live.routes import live_routes
from ...mongo.connection import disconnect
from ..carriers import CARRIERS, Call
from ..environment import DRIVER, HTTP_SERVER, LANE
from ..limits.bucket_test import pass_time
from ..sample.accounts import SESSIONS, auth, find_session
from ..sample.app import AuthHandler, Settings
from ..server_test import ServerTest


class NoteHandler(ActionHandler):
    @auth
    @limit("2/hour", per="user")
    async def by_user(self) -> str:
        return "done"

    @auth
    @limit("2/hour", per="token")
    async def by_token(self) -> None: ...

    @limit("2/hour", per="address")
    async def by_address(self) -> None: ...

    @limit("2/hour", per="field:email")
    @unpack("email", note=None)
    @type_check(str, int)
    async def by_field(self, email: str, note: int | None) -> None: ...

    @limit("2/hour", per="field:numbers")
    @unpack(numbers=None)
    async def by_numbers(self, numbers: Any) -> None: ...

    @limit("3/hour", per="address")
    @limit("2/minute", per="field:email")
    @unpack("email")
    async def by_two(self, email: str) -> None:
        if email == "nobody":
            raise NotFound

    async def unlimited(self) -> None: ...

    @auth
    async def with_a_token(self) -> None: ...


class PlainHandler(JSONHandler):
    async def get(self) -> None:
        await take_tokens(self)
        self.respond("done")


class NotesHandler(RestHandler):
    @limit("2/hour", per="address")
    @unpack(page=1)
    async def get(self, page: Any) -> str:
        return f"page {page}"

    @limit("2/hour", per="address")
    async def post(self) -> None: ...

    @auth
    async def delete(self) -> None: ...


class LimitTest(ServerTest):
    varies_with = (DRIVER, LANE, HTTP_SERVER)
    settings: ClassVar[dict[str, Any]] = {"trusted_proxies": "127.0.0.1"}

    def make_app(self, settings: Any) -> Application:
        routes = [
            (r"/note/(?P<action>[a-z_]+)", NoteHandler),
            (r"/auth/(?P<action>[a-z_]+)", AuthHandler),
            ("/notes", NotesHandler),
            ("/plain", PlainHandler),
            BatchRoute,
            *live_routes(settings, SESSIONS, find_session),
        ]
        return Application(routes, settings)

    def refused(self, answer: HTTPResponse) -> Any:
        """Return the error of an answer, which must be that of a limit."""
        error = self.error(answer, 429, "rate_limited")
        self.assertEqual(str(error["retry_after"]), answer.headers["Retry-After"])
        self.assertTrue(error["retryable"])
        return error

    def allows_two(self, call: Callable[[], HTTPResponse]) -> None:
        for _ in range(2):
            self.assertLess(call().code, 300)
        self.refused(call())


class ValuesTest(LimitTest):
    def test_none(self) -> None:
        answer = self.fetch("/plain")
        self.assertEqual(self.data(answer), "done")
        self.assertNotIn("RateLimit", answer.headers)

    def test_user(self) -> None:
        ada, eve = (self.register(email)["token"] for email in ("a@b", "e@b"))
        self.allows_two(lambda: self.post("/note/by_user", token=ada))
        another = self.login("a@b")["token"]
        self.refused(self.post("/note/by_user", token=another))
        self.data(self.post("/note/by_user", token=eve))

    def test_token(self) -> None:
        first = self.register("a@b")["token"]
        self.allows_two(lambda: self.post("/note/by_token", token=first))
        self.data(self.post("/note/by_token", token=self.login("a@b")["token"]))

    def test_no_token(self) -> None:
        for _ in range(3):
            self.error(self.post("/note/by_user"), 401, "unauthenticated")

    def from_address(self, address: str) -> HTTPResponse:
        return self.post("/note/by_address", X_Forwarded_For=address)

    def test_address(self) -> None:
        self.allows_two(lambda: self.from_address("192.0.2.1"))
        self.data(self.from_address("192.0.2.2"))

    def test_network(self) -> None:
        self.data(self.from_address("2001:db8::1"))
        self.data(self.from_address("2001:db8:0:0:ffff::2"))
        self.refused(self.from_address("2001:db8::3"))
        self.data(self.from_address("2001:db8:0:1::1"))

    def test_field(self) -> None:
        emails = iter(("a@b", "A@B", "\uff41@b"))
        self.allows_two(lambda: self.post("/note/by_field", {"email": next(emails)}))
        self.data(self.post("/note/by_field", {"email": "e@b"}))

    def test_long_value(self) -> None:
        body = {"email": "a" + "\u0301" * 20_000 + "\u0323" * 20_000}
        self.allows_two(lambda: self.post("/note/by_field", body))

    def test_value_that_is_no_text(self) -> None:
        self.allows_two(lambda: self.post("/note/by_numbers", {"numbers": [1, 2.5]}))
        self.data(self.post("/note/by_numbers", {"numbers": [1]}))

    def test_field_that_was_not_sent(self) -> None:
        for _ in range(3):
            self.data(self.post("/note/by_numbers"))

    def test_wrong_calls_are_not_counted(self) -> None:
        for _ in range(3):
            answer = self.post("/note/by_field", {"email": "a@b", "note": "x"})
            self.error(answer, 400, "invalid_argument", "note")
        self.allows_two(lambda: self.post("/note/by_field", {"email": "a@b", "note": 1}))

    def test_methods_have_limits_of_their_own(self) -> None:
        codes = [self.fetch("/notes", method=name).code for name in ("GET", "HEAD", "GET", "HEAD")]
        self.assertEqual(codes, [200, 200, 429, 429])
        codes = [self.fetch("/notes", method="POST", body="{}").code for _ in range(3)]
        self.assertEqual(codes, [204, 204, 429])

    def test_as_time_passes(self) -> None:
        self.allows_two(lambda: self.from_address("192.0.2.1"))
        self.run_async(pass_time(1800))
        self.data(self.from_address("192.0.2.1"))

    def test_batch(self) -> None:
        calls = [{"action": "note/by_address"}] * 3
        answers = self.data(self.post("/batch", {"calls": calls, "in_order": True}))["answers"]
        self.assertEqual([answer["status"] for answer in answers], [200, 200, 429])
        self.assertGreater(answers[2]["error"]["retry_after"], 0)
        self.refused(self.post("/note/by_address"))

    def test_carriers_share_limits(self) -> None:
        statuses = [carrier(self, Call("note/by_address"))["status"] for carrier in CARRIERS]
        self.assertEqual(statuses, [200, 200] + [429] * (len(CARRIERS) - 2))


class HeadersTest(LimitTest):
    def told(self, answer: HTTPResponse) -> tuple[list[str], list[str]]:
        """Return the policies and what is left of each, without the times."""
        policies, left = (answer.headers[name] for name in ("RateLimit-Policy", "RateLimit"))
        return policies.split(", "), [each.partition(";t=")[0] for each in left.split(", ")]

    def test_each_answer(self) -> None:
        address, email = '"Note.by_two by address 3/hour"', '"Note.by_two by email 2/minute"'
        policies = [f"{address};q=3;w=3600", f"{email};q=2;w=60"]
        answer = self.post("/note/by_two", {"email": "a@b"})
        self.assertEqual(self.told(answer), (policies, [f"{address};r=2", f"{email};r=1"]))
        times = [int(each.rpartition("=")[2]) for each in answer.headers["RateLimit"].split(", ")]
        self.assertTrue(0 < times[0] <= 1200 and 0 < times[1] <= 30, times)

    def test_errors(self) -> None:
        answer = self.post("/note/by_two", {"email": "nobody"})
        self.error(answer, 404, "not_found")
        self.assertEqual(len(self.told(answer)[1]), 2)

    def test_refusal_shows_the_limits_that_are_reached(self) -> None:
        for _ in range(3):
            answer = self.post("/note/by_two", {"email": str(_)})
        answer = self.post("/note/by_two", {"email": "a@b"})
        self.refused(answer)
        self.assertEqual(self.told(answer)[1], ['"Note.by_two by address 3/hour";r=0'])
        waits = answer.headers["Retry-After"], answer.headers["RateLimit"].rpartition("t=")[2]
        self.assertEqual(*waits)
        self.assertNotIn("Ratelimit", self.post("/note/unlimited").headers)

    def test_rest(self) -> None:
        answer = self.fetch("/notes?page=2")
        self.assertEqual((answer.code, json.loads(answer.body)), (200, "page 2"))
        self.assertEqual(self.told(answer)[1], ['"Notes.get by address 2/hour";r=1'])

    def test_headers_that_were_made_before(self) -> None:
        """A header of a deprecated action is made before its limit is known."""

        class OldHandler(ActionHandler):
            async def add(self) -> None:
                self.set_header("X-Own", "a")
                self.add_headers({"X-More": "b"})
                self.add_headers({"X-Most": "c"})

        self._app.add_handlers(".*", [(r"/old/(?P<action>[a-z]+)", OldHandler)])
        headers = self.post("/old/add").headers
        self.assertEqual([headers[f"X-{name}"] for name in ("Own", "More", "Most")], [*"abc"])


class KeyedTest(LimitTest):
    indexed = (KEPT,)

    def test_refusals_are_not_kept(self) -> None:
        self.allows_two(lambda: self.post("/note/by_address"))
        self.refused(self.post("/note/by_address", Idempotency_Key="k"))
        self.run_async(pass_time(3600))
        for left, replayed in ((1, None), (0, "true")):
            answer = self.post("/note/by_address", Idempotency_Key="k")
            self.data(answer)
            self.assertEqual(answer.headers.get("Idempotent-Replayed"), replayed)
            self.assertIn(f";r={left};", answer.headers["RateLimit"])
            self.assertEqual(len(answer.headers.get_list("RateLimit")), 1)


class AllCallsTest(LimitTest):
    settings: ClassVar[dict[str, Any]] = {**LimitTest.settings, "rate_limit": "2/hour"}

    def test_calls_with_a_token(self) -> None:
        token = self.register()["token"]
        headers = {"Authorization": f"Bearer {token}"}
        self.data(self.post("/note/with_a_token", token=token))
        self.assertEqual(self.fetch("/notes", method="DELETE", headers=headers).code, 204)
        answer = self.post("/note/by_user", token=token)
        self.refused(answer)
        self.assertIn('"calls by token 2/hour";r=0;', answer.headers["RateLimit"])
        self.data(self.post("/note/by_user", token=self.login()["token"]))

    def test_other_calls(self) -> None:
        for _ in range(3):
            self.data(self.post("/note/unlimited"))


class WithoutDatabaseTest(LimitTest):
    def test_open(self) -> None:
        self.run_async(disconnect())
        for _ in range(3):
            self.data(self.post("/note/by_address"))
        self.run_async(self.connect())


class ShutTest(LimitTest):
    settings: ClassVar[dict[str, Any]] = {"limits_without_database": "shut"}

    def test_shut(self) -> None:
        self.run_async(disconnect())
        self.error(self.post("/note/by_address"), 503, "unavailable")
        self.data(self.post("/note/unlimited"))
        self.run_async(self.connect())


class UnfitTest(TestCase):
    """Limits that are refused when the class is made, rather than in a call."""

    def refusal(self, make: Callable[[], Any]) -> str:
        with self.assertRaises(TypeError) as raised:
            make()
        return str(raised.exception)

    def test_wrong_arguments(self) -> None:
        refusal = self.refusal(lambda: limit("10/minute", per="moon"))
        self.assertIn("per='moon' must be user, address, token, or like field:email", refusal)
        self.assertIn("'10' is no limit", self.refusal(lambda: limit("10", per="user")))

    def test_no_token(self) -> None:
        def make() -> Any:
            class Handler(ActionHandler):
                @limit("1/hour", per="user")
                async def add(self) -> None: ...

        self.assertIn("Handler.add: @limit(per='user') needs @auth", self.refusal(make))

    def test_no_field(self) -> None:
        def make() -> Any:
            class Handler(RestHandler):
                @limit("1/hour", per="field:email")
                @unpack("mail")
                async def get(self, mail: Any) -> None: ...

        refusal = self.refusal(make)
        self.assertIn("Handler.get: @limit(per='field:email') needs the field email", refusal)

    def test_a_name_that_no_header_can_have(self) -> None:
        def make() -> Any:
            @limit("1/hour", per="address")
            async def add(self: Any) -> None: ...

            return type("\u20acHandler", (ActionHandler,), {"add": add})

        self.assertIn("must be ASCII", self.refusal(make))


class SettingsTest(TestCase):
    def test_rates(self) -> None:
        for given, shown in (("10/minute", "10/minute"), ("off", "None"), (False, "None")):
            self.assertEqual(str(Settings(rate_limit=given).rate_limit), shown)
        with self.assertRaisesRegex(ValueError, "is no limit, like 10/minute"):
            Settings(rate_limit="10")
        with self.assertRaises(ValueError):
            Settings(rate_limit=10)
