"""The way of a new user through the pages, by mouse and by keyboard, without JavaScript."""

from __future__ import annotations

from indico.tests.browser.browser_test import PASSWORD, BrowserTest

EMAIL = "journey@example.com"


class JourneyTest(BrowserTest):
    def test_from_registration_to_logout_everywhere(self) -> None:
        page = self.open("/", java_script_enabled=False)
        self.follow(page.get_by_role("main").get_by_role("link", name="Create an account"))
        self.send(page, name="Ada", email=EMAIL, password=PASSWORD)
        self.assertEqual(page.get_by_role("status").inner_text(), "Welcome. Your account is ready.")

        other = self.open("/dashboard/account", java_script_enabled=False)
        self.send(other, email=EMAIL, password=PASSWORD)
        self.assertEqual(self.path(other), "/dashboard/account")  # back to where it was

        self.follow(page.get_by_role("link", name="Log out"))
        self.follow(page.get_by_role("button", name="Log out on all devices"))
        self.assertEqual(self.path(page), "/")
        other.reload()
        self.assertEqual(self.path(other), "/login?next=%2Fdashboard%2Faccount")

    def test_sessions(self) -> None:
        page, other = self.open(), self.open()
        self.register(page, "sessions@example.com")
        self.log_in(other, "sessions@example.com")
        other.goto("/dashboard")
        page.goto("/dashboard")
        self.follow(page.get_by_role("button", name="End the session from 127.0.0.1"))
        self.assertEqual(page.get_by_role("status").inner_text(), "The session has ended.")
        other.wait_for_url("**/login?next=%2Fdashboard")

    def test_by_keyboard(self) -> None:
        page = self.open("/login")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.wait_for_url("**/login#content")
        page.keyboard.press("Tab")
        page.keyboard.type("nobody@example.com")
        page.keyboard.press("Tab")
        page.keyboard.type("wrong horse")
        with page.expect_navigation():
            page.keyboard.press("Enter")
        alert = page.get_by_role("alert")
        self.assertEqual(alert.inner_text(), "The email or the password is wrong.")
        self.assertEqual(page.locator("#email").input_value(), "nobody@example.com")

    def test_language(self) -> None:
        page = self.open("/", locale="de-CH")
        self.assertIn("Der Server arbeitet", page.inner_text("main"))
        page.goto("/nosuch")
        self.assertIn("Nicht gefunden", page.inner_text("main"))
