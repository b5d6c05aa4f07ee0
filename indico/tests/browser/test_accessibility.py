"""Every page with axe: light on a desk, and dark on a narrow phone."""

from __future__ import annotations

from indico.tests.browser.browser_test import PASSWORD, BrowserTest

EMAIL = "accessible@example.com"
PUBLIC = ("/", "/login", "/nosuch", "/register")
OWN = ("/dashboard?done=session", "/dashboard/account", "/dashboard/password", "/logout")


class AccessibilityTest(BrowserTest):
    def test_all_pages(self) -> None:
        """Look at the German texts, because these are longer."""
        page = self.open(locale="de")
        for path in PUBLIC:
            page.goto(path)
            self.check(page, path)
        page.locator("form").evaluate("form => { form.noValidate = true }")
        self.send(page, email="x")
        self.check(page, "/register with errors")
        self.send(page, name="Ada Lovelace", email=EMAIL, password=PASSWORD)
        self.log_in(self.open(), EMAIL)
        for path in OWN:
            page.goto(path)
            self.check(page, path)
