"""The limits of passwords and registrations."""

from __future__ import annotations

import asyncio
import math
from typing import Any, ClassVar

from tornado.httpclient import HTTPResponse
from tornado.testing import gen_test

from indico import db
from indico.engine.tests.limits.bucket_test import pass_time
from indico.error import AuthError, RateLimited
from indico.service import accounts
from indico.service.login_limits import Caller
from indico.tests.server_test import PASSWORD, ServerTest
from indico.tests.web.page_test import PageTest

EMAIL = "ada@example.com"
# Documentation's addresses, of people who have never logged in.
ATTACKER, TRAVELLER = "203.0.113.5", "198.51.100.7"
HOME = "127.0.0.1"


class LimitsTest(ServerTest):
    """A server behind a proxy, so that clients have addresses; a token comes every 20 minutes."""

    settings: ClassVar[dict[str, Any]] = {"trusted_proxies": HOME, "login_limit": "3/hour"}

    def try_password(
        self, password: str = "wrong", address: str = HOME, email: str = EMAIL
    ) -> HTTPResponse:
        body = {"email": email, "password": password}
        return self.post("/auth/login", body, X_Forwarded_For=address)

    def statuses(self, count: int, *args: str) -> list[int]:
        return [self.try_password(*args).code for _ in range(count)]

    def wait_for_room(self, answer: HTTPResponse) -> int:
        """Let the time pass after which a refused client may try again, and return it."""
        self.error(answer, 429, "rate_limited")
        seconds = int(answer.headers["Retry-After"])
        self.run_async(pass_time(seconds))
        return seconds


class LoginTest(LimitsTest):
    covers = False
    seconds = 11

    def setUp(self) -> None:
        super().setUp()
        self.token = self.register()["token"]

    def test_a_hundred_wrong_passwords_in_a_row(self) -> None:
        statuses = self.statuses(100, "wrong", ATTACKER)
        self.assertEqual(statuses, [401] * 3 + [429] * 97)
        # The attacker does not get in, with the right password neither.
        self.error(self.try_password(PASSWORD, ATTACKER), 429, "rate_limited")
        # The person does, from where they have logged in before,
        self.data(self.try_password(PASSWORD, HOME))
        # and from elsewhere after a while.
        self.assertLessEqual(self.wait_for_room(self.try_password(PASSWORD, TRAVELLER)), 1200)
        self.data(self.try_password(PASSWORD, TRAVELLER))
        self.assertEqual(self.statuses(1, "wrong", ATTACKER), [401])
        self.data(self.try_password(PASSWORD, TRAVELLER))

    def test_delays_grow_up_to_a_share_of_the_longest_time(self) -> None:
        delays = []
        for _ in range(90):
            if (answer := self.try_password(address=ATTACKER)).code == 429:
                delays.append(self.wait_for_room(answer))
        whole = [math.ceil(seconds / 1200) for seconds in delays]
        self.assertEqual(whole, sorted(whole))
        # Every 20 minutes; then every 400, of which some are over; at last every two days.
        self.assertEqual([whole[0], whole[-2], whole[-1]], [1, 144, 144])
        self.assertIn(20, whole)

    def test_at_the_same_time(self) -> None:
        async def all_at_once() -> list[str]:
            caller = Caller(ATTACKER, self.config.login_limit)
            tries = (accounts.login(EMAIL, "wrong", 60, caller) for _ in range(20))
            results = await asyncio.gather(*tries, return_exceptions=True)
            return sorted(type(result).__name__ for result in results)

        expected = [AuthError.__name__] * 3 + [RateLimited.__name__] * 17
        self.assertEqual(self.run_async(all_at_once()), expected)

    def test_right_passwords_are_free(self) -> None:
        for address in (HOME, TRAVELLER):
            self.assertEqual(self.statuses(5, PASSWORD, address), [200] * 5)

    def test_wrong_ones_at_home(self) -> None:
        """A colleague behind the same address: the person waits, as the colleague does."""
        self.assertEqual(self.statuses(4), [401] * 3 + [429])
        self.wait_for_room(self.try_password(PASSWORD))
        self.data(self.try_password(PASSWORD))
        self.data(self.try_password(PASSWORD, TRAVELLER))

    def test_an_email_without_an_account(self) -> None:
        self.assertEqual(self.statuses(4, "wrong", HOME, "no@example.com"), [401] * 3 + [429])

    def test_spellings_of_an_email_are_one_account(self) -> None:
        emails = (EMAIL, EMAIL.upper(), "Ada@example.com", "\uff41da@example.com")
        statuses = [self.try_password("wrong", ATTACKER, email).code for email in emails]
        self.assertEqual(statuses, [401] * 3 + [429])

    def test_an_address_has_ten_times_the_room(self) -> None:
        statuses = [self.try_password("x", ATTACKER, f"{n}@example.com").code for n in range(32)]
        self.assertEqual(statuses, [401] * 30 + [429] * 2)
        self.data(self.try_password(PASSWORD, TRAVELLER))

    def test_addresses_of_one_network(self) -> None:
        """An attacker with an IPv6 address has the other ones of its /64 too."""
        for n in range(30):
            self.try_password("x", f"2001:db8::{n:x}", f"{n}@example.com")
        self.error(self.try_password(PASSWORD, "2001:db8::ffff"), 429, "rate_limited")

    def test_known_networks(self) -> None:
        for address in ("2001:db8::1", *(f"192.0.2.{n}" for n in range(9)), "2001:db8::2"):
            self.data(self.try_password(PASSWORD, address))
        (user,) = self.stored("users")
        networks = [f"192.0.2.{n}" for n in reversed(range(9))]
        self.assertEqual(user["networks"], ["2001:db8::/64", *networks])

    def test_passwords_that_confirm_a_change(self) -> None:
        """A stolen token does not help to guess the password."""
        calls = [
            ("change_password", {"current_password": "wrong", "new_password": "correct staple"}),
            ("update", {"update_user": {"email": "eve@example.com"}, "password": "wrong"}),
            ("delete", {"password": "wrong"}),
            ("delete", {"password": PASSWORD}),
        ]
        answers = [self.post(f"/user/{name}", body, self.token) for name, body in calls]
        self.assertEqual([answer.code for answer in answers], [403] * 3 + [429])
        self.error(self.try_password(PASSWORD), 429, "rate_limited")

    def test_no_answer_of_the_database(self) -> None:
        """Logins are shut, whatever `limits_without_database` says."""
        self.assertEqual(self.config.limits_without_database, "open")
        fail = {"failCommands": ["update", "findAndModify"], "errorCode": 50}
        fail["namespace"] = f"{self.database}.rate_limits"
        command = {"configureFailPoint": "failCommand", "mode": "alwaysOn", "data": fail}
        self.run_async(db.mongodb.client.admin.command(command))
        try:
            self.error(self.try_password(PASSWORD), 503, "unavailable")
        finally:
            off = {"configureFailPoint": "failCommand", "mode": "off"}
            self.run_async(db.mongodb.client.admin.command(off))
        self.data(self.try_password(PASSWORD))


class OffTest(LimitsTest):
    settings: ClassVar[dict[str, Any]] = {"login_limit": "off", "registration_limit": "off"}

    def test_off(self) -> None:
        self.register()
        self.assertEqual(self.statuses(15), [401] * 15)
        self.assertEqual(self.stored("rate_limits"), [])


class RegistrationTest(LimitsTest):
    settings: ClassVar[dict[str, Any]] = {"trusted_proxies": HOME, "registration_limit": "2/hour"}

    def enter(self, name: str, address: str) -> HTTPResponse:
        body = {"email": f"{name}@example.com", "password": PASSWORD}
        return self.post("/auth/register", body, X_Forwarded_For=address)

    def test_by_address(self) -> None:
        self.data(self.enter("ada", "2001:db8::1"), 201)
        self.error(self.enter("ada", "2001:db8::2"), 409, "conflict", "email")
        refused = self.enter("eve", "2001:db8::3")
        self.data(self.enter("bob", TRAVELLER), 201)
        self.assertLessEqual(self.wait_for_room(refused), 1800)
        self.data(self.enter("eve", "2001:db8::3"), 201)

    @gen_test
    async def test_without_an_address(self) -> None:
        """A script of the project makes accounts without a limit."""
        for name in "abc":
            await accounts.register(f"{name}@example.com", None, PASSWORD, 60)


class PagesTest(PageTest):
    settings: ClassVar[dict[str, Any]] = {"login_limit": "1/hour", "registration_limit": "2/hour"}

    def test_login_has_the_limits_of_the_action(self) -> None:
        self.register()
        self.post("/auth/login", {"email": EMAIL, "password": "wrong"})
        answer = self.log_in()
        self.assertIn("These were too many tries.", self.page(answer, 429))
        self.assertIn("Retry-After", answer.headers)
        self.run_async(pass_time(3600))
        self.leads_to(self.log_in(), "/dashboard")

    def test_registration(self) -> None:
        self.enter()
        self.register("bob@example.com")
        answer = self.send("/register", email="eve@example.com", password=PASSWORD)
        self.assertIn("These were too many tries.", self.page(answer, 429))

    def test_change_of_the_password(self) -> None:
        self.enter()
        wrong = {"current_password": "wrong", "new_password": "correct staple"}
        for status in (403, 429):
            self.page(self.send("/dashboard/password", **wrong), status)


class AllPagesTest(PageTest):
    settings: ClassVar[dict[str, Any]] = {"rate_limit": "3/hour"}

    def test_pages_count_as_calls_with_a_token(self) -> None:
        self.enter()
        for _ in range(3):
            self.page(self.visit("/dashboard"))
        self.assertIn("Too often", self.page(self.visit("/dashboard"), 429))
        self.page(self.visit("/login"), 429)
        self.cookies.clear()
        self.page(self.visit("/login"))
