"""`/dashboard/account` and `/dashboard/password`."""

from __future__ import annotations

from indico.tests.server_test import PASSWORD
from indico.tests.web.page_test import EMAIL, PageTest


class AccountTest(PageTest):
    def setUp(self) -> None:
        super().setUp()
        self.enter()

    def change(self, **fields: str) -> str:
        """Return the text of the page that refuses the change."""
        answer = self.send("/dashboard/account", **{"email": EMAIL, "name": "Ada", **fields})
        return self.page(answer, answer.code)

    def test_name(self) -> None:
        self.assertIn(b'value="Ada"', self.visit("/dashboard/account").body)
        answer = self.send("/dashboard/account", email=EMAIL, name="Lady Ada")
        self.leads_to(answer, "/dashboard?done=account")
        self.assertIn(
            "Your account was changed.", self.page(self.visit(answer.headers["Location"]))
        )
        (user,) = self.stored("users")
        self.assertEqual((user["name"], user["email"]), ("Lady Ada", EMAIL))

    def test_no_name(self) -> None:
        self.send("/dashboard/account", email=EMAIL)
        self.assertIsNone(self.stored("users")[0]["name"])

    def test_email(self) -> None:
        fields = {"email": "new@example.com", "name": "Ada"}
        self.leads_to(
            self.send("/dashboard/account", password=PASSWORD, **fields), "/dashboard?done=account"
        )
        self.assertEqual(self.stored("users")[0]["email"], "new@example.com")

    def test_email_without_the_password(self) -> None:
        self.assertIn("Fill in this field.", self.change(email="new@example.com"))
        refused = self.change(email="new@example.com", password="wrong horse")
        self.assertIn("The password is wrong.", refused)
        self.assertEqual(self.stored("users")[0]["email"], EMAIL)

    def test_wrong(self) -> None:
        self.register("other@example.com")
        taken = self.change(email="other@example.com", password=PASSWORD)
        self.assertIn("Another account has this email.", taken)
        self.assertIn("This is too long.", self.change(name="n" * 201))

    def test_a_deleted_account(self) -> None:
        token = self.login()["token"]
        self.data(self.post("/user/delete", {"password": PASSWORD}, token))
        self.leads_to(self.visit("/dashboard/account"), "/login?next=%2Fdashboard%2Faccount")
        self.assertIn("log in again", self.page(self.send("/dashboard/account"), 403))


class PasswordTest(PageTest):
    def setUp(self) -> None:
        super().setUp()
        self.enter()

    def test_valid(self) -> None:
        token = self.login()["token"]
        self.page(self.visit("/dashboard/password"))
        answer = self.send(
            "/dashboard/password", current_password=PASSWORD, new_password="a new battery"
        )
        self.leads_to(answer, "/dashboard?done=password")
        self.assertIn(
            "All other sessions have ended.", self.page(self.visit("/dashboard?done=password"))
        )
        self.error(self.post("/user/get", token=token), 401, "unauthenticated")
        self.login(password="a new battery")

    def test_wrong(self) -> None:
        for current, new, status, problem in (
            ("wrong horse", "a new battery", 403, "The password is wrong."),
            (PASSWORD, "password", 400, "Choose another password"),
            (PASSWORD, "", 400, "Fill in this field."),
        ):
            fields = {"current_password": current, "new_password": new}
            text = self.page(self.send("/dashboard/password", **fields), status)
            self.assertIn(problem, text)
        self.login()
