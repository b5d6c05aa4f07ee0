"""`/login`, `/register` and `/logout`."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import quote

from indico.tests.server_test import PASSWORD
from indico.tests.web.page_test import EMAIL, PageTest

COOKIE = "indico_session"


class LoginTest(PageTest):
    def setUp(self) -> None:
        super().setUp()
        self.register(EMAIL)

    def test_valid(self) -> None:
        self.page(self.visit("/login"))
        answer = self.log_in()
        self.leads_to(answer, "/dashboard")
        _, *attributes = answer.headers["Set-Cookie"].split("; ")
        expires = next(each for each in attributes if each.startswith("expires="))
        self.assertEqual(sorted({*attributes} - {expires}), ["HttpOnly", "Path=/", "SameSite=Lax"])
        lasts = parsedate_to_datetime(expires.removeprefix("expires=")) - datetime.now(UTC)
        self.assertEqual(round(lasts.total_seconds(), -4), 1_210_000)  # 14 days
        self.page(self.visit("/dashboard"))

    def test_email_with_spaces_around(self) -> None:
        self.leads_to(self.log_in(email=f" {EMAIL} "), "/dashboard")

    def test_wrong(self) -> None:
        for fields in ({"password": "wrong horse"}, {"email": "nobody@example.com"}):
            answer = self.log_in(**fields)
            self.assertIn("The email or the password is wrong.", self.page(answer, 401))
            self.assertNotIn(b"horse", answer.body)
            self.assertEqual(answer.headers["WWW-Authenticate"], "Bearer")
        self.assertEqual(self.cookies, {})

    def test_missing_field(self) -> None:
        answer = self.send("/login", email="a@b", next="/logout")
        self.assertEqual(self.page(answer, 400).count("Fill in this field."), 1)
        self.assertIn(b'value="a@b"', answer.body)
        self.assertIn(b'name="next" value="/logout"', answer.body)
        self.assertIn(b'aria-describedby="password-problem "', answer.body)

    def test_new_at_each_login(self) -> None:
        self.log_in()
        first = self.cookies[COOKIE]
        self.log_in()
        self.assertNotEqual(self.cookies[COOKIE], first)
        self.assertEqual(len(self.stored("sessions")), 2)  # that of setUp, and the last
        self.cookies[COOKIE] = first
        self.leads_to(self.visit("/dashboard"), "/login?next=%2Fdashboard")

    def test_next(self) -> None:
        for path in ("/dashboard/account?y=1&z", "/", "/logout"):
            self.leads_to(self.log_in(next=path), path)

    def test_next_never_leaves_the_site(self) -> None:
        for path in (
            "//evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "javascript:alert(1)",
            "https://evil.example/",
            "/\t/evil.example",
            "/\n/evil.example",
            "/\u2028",
            "dashboard",
            " //evil.example",
            "/a\r\nSet-Cookie: x=y",
        ):
            with self.subTest(path):
                self.leads_to(self.log_in(next=path), "/")
                page = self.visit(f"/login?next={quote(path)}").body
                self.assertNotIn(b"evil", page)

    def test_comes_back_to_the_page(self) -> None:
        answer = self.visit("/dashboard/account?x=1")
        self.leads_to(answer, "/login?next=%2Fdashboard%2Faccount%3Fx%3D1")
        page = self.visit(answer.headers["Location"]).body
        self.assertIn(b'name="next" value="/dashboard/account?x=1"', page)

    def test_foreign_origin(self) -> None:
        self.assertIn("Not allowed", self.page(self.log_in(origin="https://evil.example"), 403))
        self.assertEqual(self.cookies, {})

    def test_the_cookie_is_the_token_of_the_api(self) -> None:
        self.log_in()
        headers = {"Cookie": f"{COOKIE}={self.cookies[COOKIE]}"}
        got = self.data(self.post("/user/get", Content_Type="application/json", **headers))
        self.assertEqual(got["email"], EMAIL)
        self.error(
            self.post("/user/get", Content_Type="text/plain", **headers),
            415,
            "unsupported_media_type",
        )
        foreign = self.post(
            "/user/get", Content_Type="application/json", Origin="https://evil.example", **headers
        )
        self.error(foreign, 403, "permission_denied")


class RegisterTest(PageTest):
    def test_valid(self) -> None:
        self.enter(name="Ada Lovelace")
        text = self.page(self.visit("/dashboard?done=registered"))
        self.assertIn("Welcome. Your account is ready.", text)
        self.assertIn(f"Ada Lovelace {EMAIL}", text)

    def test_without_name(self) -> None:
        self.enter(name="")
        self.assertIn("No name", self.page(self.visit("/dashboard")))

    def test_wrong(self) -> None:
        self.page(self.visit("/register"))
        for field, value, problem in (
            ("email", "ada", "This is no valid email address."),
            ("email", "", "Fill in this field."),
            ("password", "password", "Choose another password"),
            ("password", "short", "This is too short."),
            ("password", "p" * 129, "This is too long."),
            ("name", "n" * 201, "This is too long."),
            ("name", "\n", "A name is not blank"),
        ):
            with self.subTest(field=field, value=value):
                fields = {"email": EMAIL, "password": PASSWORD, field: value}
                self.assertIn(problem, self.page(self.send("/register", **fields), 400))
        self.assertEqual(self.stored("users"), [])

    def test_taken(self) -> None:
        self.register(EMAIL)
        answer = self.send("/register", email=EMAIL, password=PASSWORD, name="<script>")
        self.assertIn("Another account has this email.", self.page(answer, 409))
        self.assertIn(b'value="&lt;script&gt;"', answer.body)


class LogoutTest(PageTest):
    def setUp(self) -> None:
        super().setUp()
        self.enter()
        self.token = self.login()["token"]

    def is_out(self, cookie: str) -> None:
        self.assertEqual(self.cookies, {})
        self.cookies[COOKIE] = cookie  # as an attacker would who kept it
        self.leads_to(self.visit("/dashboard"), "/login?next=%2Fdashboard")

    def test_here(self) -> None:
        cookie = self.cookies[COOKIE]
        self.page(self.visit("/logout"))
        self.leads_to(self.send("/logout"), "/")
        self.is_out(cookie)
        self.data(self.post("/user/get", token=self.token))

    def test_everywhere(self) -> None:
        cookie = self.cookies[COOKIE]
        self.leads_to(self.send("/logout", everywhere="yes"), "/")
        self.is_out(cookie)
        self.error(self.post("/user/get", token=self.token), 401, "unauthenticated")

    def test_by_the_api(self) -> None:
        self.data(self.post("/auth/logout_all", token=self.token))
        self.leads_to(self.visit("/logout"), "/login?next=%2Flogout")
        self.leads_to(self.send("/logout"), "/")

    def test_foreign_origin(self) -> None:
        self.assertEqual(self.send("/logout", "https://evil.example").code, 403)
        self.page(self.visit("/dashboard"))


class ProductionTest(PageTest):
    settings = {  # noqa: RUF012
        "environment": "production",
        "secret_key": "a key for this test only",
        "mongodb_uri": "mongodb://never.used",
    }

    def test_cookie(self) -> None:
        self.enter()
        self.assertEqual(list(self.cookies), [f"__Host-{COOKIE}"])
        self.page(self.visit("/dashboard"))
        self.leads_to(self.send("/logout"), "/")
        self.assertEqual(self.cookies, {})
