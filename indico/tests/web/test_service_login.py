"""`/login/with/<service>`, `/login/link` and the services on the dashboard."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import quote, urlencode

from tornado.httpclient import HTTPResponse

from indico import db
from indico.engine.tests.oidc.provider_server import OTHER_KEY, unsigned
from indico.tests.provider_test import ProviderTest
from indico.tests.server_test import PASSWORD
from indico.tests.web.page_test import EMAIL, PageTest
from indico.web.routes import SERVICE_PAGES

SESSION, FLOW = "indico_session", "indico_oidc_flow"
START, CALLBACK = "/login/with/test", "/login/with/test/callback"


class ServiceTest(ProviderTest, PageTest):
    """Base of tests with a browser that logs in with a service."""

    def go(self, path: str = START) -> dict[str, str]:
        """Follow a link to the service, and return what it adds to the way back."""
        answer = self.visit(path)
        self.assertEqual(answer.code, 303, answer.body)
        url = answer.headers["Location"]
        here = f"http://127.0.0.1:{self.get_http_port()}{CALLBACK}"
        self.assertEqual(self.query(url)["redirect_uri"], here)
        return self.provider.log_in(url)

    def come_back(self, returned: dict[str, str]) -> HTTPResponse:
        return self.visit(f"{CALLBACK}?{urlencode(returned)}")

    def log_in_there(self, path: str = START) -> HTTPResponse:
        return self.come_back(self.go(path))

    def fails(self, answer: HTTPResponse, sentence: str, status: int = 401) -> None:
        """Assert that a page says what went wrong, and that the browser has no session."""
        text = self.page(answer, status)
        self.assertIn("This did not work", text)
        self.assertIn(sentence, text)
        self.assertNotIn(SESSION, self.cookies)
        self.assertEqual(self.stored("sessions"), [])


class LoginTest(ServiceTest):
    def test_the_way_there_is_a_link(self) -> None:
        """A policy that allows own forms only would stop a form's redirect to another site."""
        page = self.visit("/login?next=/dashboard/account%3Fa%26b").body.decode()
        self.assertIn(f'href="{START}?next=%2Fdashboard%2Faccount%3Fa%26b"', page)
        self.assertIn("Log in with Test Service", self.page(self.visit("/login")))

    def test_new_person(self) -> None:
        self.leads_to(self.log_in_there(), "/dashboard")
        text = self.page(self.visit("/dashboard"))
        self.assertIn(f"Ada {EMAIL}", text)
        self.assertIn(f"Test Service {EMAIL} · linked", text)
        self.assertEqual(list(self.cookies), [SESSION])

    def test_known_person(self) -> None:
        self.log_in_there()
        first = self.cookies[SESSION]
        self.leads_to(self.log_in_there(), "/dashboard")
        self.assertNotEqual(self.cookies[SESSION], first)
        self.assertEqual([len(self.stored(n)) for n in ("users", "sessions")], [1, 1])

    def test_next(self) -> None:
        for path, leads_to in (
            ("/dashboard/account?x=1", "/dashboard/account?x=1"),
            ("//evil.example", "/"),
            ("https://evil.example", "/"),
            ("/" + "a" * 600, "/dashboard"),
        ):
            answer = self.log_in_there(f"{START}?next={quote(path)}")
            self.leads_to(answer, leads_to)

    def test_cookie(self) -> None:
        answer = self.visit(START)
        _, *attributes = answer.headers["Set-Cookie"].split("; ")
        self.assertEqual(sorted(attributes), ["HttpOnly", "Max-Age=600", "Path=/", "SameSite=Lax"])

    def test_unknown_service(self) -> None:
        for path in ("/login/with/other", "/dashboard/services/other"):
            self.cookies = {}
            self.enter(email=f"{len(path)}@example.com")
            self.assertIn("no such service", self.page(self.visit(path), 400))

    def test_german(self) -> None:
        self.language = "de"
        self.assertIn("Mit Test Service anmelden", self.page(self.visit("/login")))
        self.assertIn("Beginne neu", self.page(self.visit(CALLBACK), 401))


class FailedTest(ServiceTest):
    def test_missing_state(self) -> None:
        returned = self.go()
        del returned["state"]
        self.fails(self.come_back(returned), "not begun in this browser")

    def test_wrong_state(self) -> None:
        self.fails(self.come_back({**self.go(), "state": "x"}), "not begun in this browser")

    def test_state_of_another_browser(self) -> None:
        """A link with an attacker's code must not log in the person who follows it."""
        attackers = self.go()
        self.cookies = {}
        self.fails(self.come_back(attackers), "not begun in this browser")
        self.go()
        self.fails(self.come_back(attackers), "not begun in this browser")

    def test_forged_cookie(self) -> None:
        returned = self.go()
        self.cookies[FLOW] = self.cookies[FLOW].replace("0", "1")
        self.fails(self.come_back(returned), "not begun in this browser")

    def test_of_another_service(self) -> None:
        answer = self.visit(f"/login/with/other/callback?{urlencode(self.go())}")
        self.fails(answer, "not begun in this browser")

    def test_a_failure_ends_the_login(self) -> None:
        returned = self.go()
        self.come_back({**returned, "state": "x"})
        self.assertEqual(self.cookies, {})
        self.fails(self.come_back(returned), "not begun in this browser")

    def test_replayed(self) -> None:
        """A new code for the same state is worth nothing, with the cookie or without."""
        url = self.visit(START).headers["Location"]
        flow = self.cookies[FLOW]
        self.leads_to(self.come_back(self.provider.log_in(url)), "/dashboard")
        self.send("/logout")
        self.fails(self.come_back(self.provider.log_in(url)), "not begun in this browser")
        self.cookies = {FLOW: flow}
        self.fails(self.come_back(self.provider.log_in(url)), "finished already")

    def test_refused_there(self) -> None:
        state = self.go()["state"]
        answer = self.come_back({"error": "access_denied", "state": state})
        self.fails(answer, "did not let you in")

    def test_bad_signature(self) -> None:
        self.provider.key = OTHER_KEY
        self.fails(self.log_in_there(), "can't be trusted")

    def test_no_signature(self) -> None:
        self.provider.sign = lambda _, claims: unsigned({"alg": "none"}, claims)
        self.fails(self.log_in_there(), "can't be trusted")

    def test_wrong_claims(self) -> None:
        for claims in (
            {"aud": "another client"},
            {"exp": 1_000_000_000},
            {"iss": "https://evil.example"},
            {"iat": 4_000_000_000},
            {"nonce": "another login"},
        ):
            self.provider.claims = claims
            with self.subTest(claims):
                self.fails(self.log_in_there(), "can't be trusted")

    def test_down(self) -> None:
        returned = self.go()
        self.provider.close()
        self.fails(self.come_back(returned), "does not answer", 503)

    def test_down_from_the_beginning(self) -> None:
        self.provider.close()
        answer = self.visit(START)
        self.fails(answer, "does not answer", 503)
        self.assertIn("Retry-After", answer.headers)

    def test_slow(self) -> None:
        returned = self.go()
        self.provider.silent = {"/token"}
        self._app.settings["oidc"]["test"].server.seconds = 0.05
        self.fails(self.come_back(returned), "does not answer", 503)

    def test_no_email(self) -> None:
        self.provider.claims = {"email": None}
        self.fails(self.log_in_there(), "told no valid email", 409)

    def test_other_errors_are_as_on_other_pages(self) -> None:
        self.assertIn("Not allowed", self.page(self.send("/dashboard/services", "evil"), 403))


class LimitTest(ServiceTest):
    settings = {"login_limit": "1/hour"}  # noqa: RUF012

    def test_begun(self) -> None:
        returned = [self.go() for _ in range(10)][-1]
        self.assertIn("Too often", self.page(self.visit(START), 429))
        self.leads_to(self.come_back(returned), "/dashboard")
        self.go("/dashboard/services/test")
        self.assertIn("Too often", self.page(self.visit("/dashboard/services/test"), 429))


class LinkTest(ServiceTest):
    """A person whose email an account has."""

    def setUp(self) -> None:
        super().setUp()
        self.register(EMAIL)
        self.run_async(db.mongodb.sessions.delete_many({}))

    def confirm(self, **form: str) -> HTTPResponse:
        self.leads_to(self.log_in_there(), "/login/link")
        self.assertNotIn(SESSION, self.cookies)
        text = self.page(self.visit("/login/link"))
        self.assertIn(f"Shall Test Service log you in to the account {EMAIL}", text)
        return self.send("/login/link", **form)

    def test_valid(self) -> None:
        self.leads_to(self.confirm(password=PASSWORD), "/dashboard?done=linked")
        self.assertEqual(list(self.cookies), [SESSION])
        self.assertIn("was linked", self.page(self.visit("/dashboard?done=linked")))
        self.send("/logout")
        self.leads_to(self.log_in_there(), "/dashboard")

    def test_wrong_password(self) -> None:
        answer = self.confirm(password="wrong horse")
        self.assertIn("password is wrong", self.page(answer, 401))
        self.assertEqual([*self.stored("sessions"), *self.stored("identities")], [])
        self.leads_to(self.send("/login/link", password=PASSWORD), "/dashboard?done=linked")

    def test_missing_field(self) -> None:
        self.assertIn("Fill in this field.", self.page(self.confirm(), 400))

    def test_not_verified(self) -> None:
        self.provider.claims = {"email_verified": False}
        self.fails(self.log_in_there(), "An account has this email", 409)

    def test_nothing_to_link(self) -> None:
        self.fails(self.visit("/login/link"), "not begun in this browser")
        self.fails(self.send("/login/link", password=PASSWORD), "not begun in this browser")

    def test_account_gone_meanwhile(self) -> None:
        self.log_in_there()
        self.run_async(db.mongodb.users.delete_many({}))
        self.fails(self.visit("/login/link"), "An account has this email", 409)


class AddTest(ServiceTest):
    """A person with a session, who adds a service to an account with another email."""

    def setUp(self) -> None:
        super().setUp()
        self.enter("grace@example.com", "Grace")

    def add(self) -> None:
        self.leads_to(self.log_in_there("/dashboard/services/test"), "/login/link")

    def test_valid(self) -> None:
        self.assertIn(b'href="/dashboard/services/test"', self.visit("/dashboard").body)
        self.add()
        self.assertIn("grace@example.com", self.page(self.visit("/login/link")))
        answer = self.send("/login/link", password=PASSWORD)
        self.leads_to(answer, "/dashboard?done=linked")
        self.assertIn(f"Test Service {EMAIL}", self.page(self.visit("/dashboard")))
        self.assertEqual(len(self.stored("users")), 1)

    def test_wrong_password(self) -> None:
        self.add()
        answer = self.send("/login/link", password="wrong horse")
        self.assertIn("The password is wrong.", self.page(answer, 403))

    def test_of_another_account(self) -> None:
        browser, self.cookies = self.cookies, {}
        self.log_in_there()
        self.cookies = browser
        self.add()
        answer = self.send("/login/link", password=PASSWORD)
        self.assertIn("belongs to another account", self.page(answer, 409))

    def test_session_ended_meanwhile(self) -> None:
        self.add()
        del self.cookies[SESSION]
        answer = self.visit("/login/link")
        self.assertIn("not begun in this browser", self.page(answer, 401))

    def test_other_user(self) -> None:
        self.add()
        self.enter("eve@example.com", "Eve")
        answer = self.send("/login/link", password=PASSWORD)
        self.assertIn("not begun in this browser", self.page(answer, 401))
        self.assertEqual(self.stored("identities"), [])

    def test_unlink(self) -> None:
        self.add()
        self.send("/login/link", password=PASSWORD)
        (identity,) = self.stored("identities")
        self.assertIn(b'aria-label="Unlink Test Service"', self.visit("/dashboard").body)
        answer = self.send("/dashboard/services", identity=str(identity["_id"]))
        self.leads_to(answer, "/dashboard?done=unlinked")
        self.assertEqual(self.stored("identities"), [])
        self.assertEqual(self.send("/dashboard/services", identity="x").code, 400)


class NoPasswordTest(ServiceTest):
    """An account that a service has made."""

    def setUp(self) -> None:
        super().setUp()
        self.log_in_there()

    def make_old(self) -> None:
        time = db.now() - timedelta(minutes=11)
        self.run_async(db.mongodb.sessions.update_many({}, {"$set": {"created_at": time}}))

    def test_first_password(self) -> None:
        text = self.page(self.visit("/dashboard/password"))
        self.assertIn("Set a password", text)
        self.assertNotIn("Current password", text)
        answer = self.send("/dashboard/password", new_password=PASSWORD)
        self.leads_to(answer, "/dashboard?done=password")
        self.login(EMAIL)
        self.assertIn("Current password", self.page(self.visit("/dashboard/password")))

    def test_login_too_old(self) -> None:
        self.make_old()
        answer = self.send("/dashboard/password", new_password=PASSWORD)
        self.assertIn("Log in again first", self.page(answer, 403))

    def test_email(self) -> None:
        self.assertNotIn("Current password", self.page(self.visit("/dashboard/account")))
        answer = self.send("/dashboard/account", name="Ada", email="new@example.com")
        self.leads_to(answer, "/dashboard?done=account")

    def test_last_way_to_log_in(self) -> None:
        (identity,) = self.stored("identities")
        answer = self.send("/dashboard/services", identity=str(identity["_id"]))
        self.assertIn("only way to log in", self.page(answer, 409))
        self.assertEqual(len(self.stored("identities")), 1)

    def test_second_service(self) -> None:
        self.provider.claims = {"sub": "ada again", "email": "ada@other.example"}
        self.leads_to(self.log_in_there("/dashboard/services/test"), "/login/link")
        self.assertNotIn('type="password"', self.visit("/login/link").body.decode())
        self.leads_to(self.send("/login/link"), "/dashboard?done=linked")
        self.assertEqual(len(self.stored("identities")), 2)


class MapTest(ServiceTest):
    def test_every_page_needs_a_session_or_is_public(self) -> None:
        paths = [pattern.replace("([^/]+)", "test") for pattern, _ in SERVICE_PAGES]
        public = {START: 303, CALLBACK: 401, "/login/link": 401}
        for path in paths:
            answer = self.visit(path)
            if path in public:
                self.assertEqual(answer.code, public[path], path)
            elif answer.code != 405:
                self.leads_to(answer, f"/login?next={quote(path, safe='')}")
            self.assertIn(self.send(path).code, (401, 403, 405), path)
            self.assertEqual(self.send(path, "https://evil.example").code // 100, 4, path)


class WithoutServicesTest(PageTest):
    def test_no_page(self) -> None:
        for path in (START, CALLBACK, "/login/link", "/dashboard/services"):
            self.assertEqual(self.visit(path).code, 404)
        self.assertNotIn("Log in with", self.page(self.visit("/login")))
        self.enter()
        self.assertNotIn("Other ways", self.page(self.visit("/dashboard")))
