"""Every page with axe, light and dark, wide and narrow."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from indico.tests.browser.browser_test import DESK, PHONE, BrowserTest

PUBLIC = ("/", "/login", "/register", "/nosuch")
OWN = ("/dashboard", "/dashboard/account", "/dashboard/password", "/dashboard/address", "/logout")
MORE_PIXELS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


class AccessibilityTest(BrowserTest):
    def check(self, page: Page, where: str) -> None:
        """Fail for what axe finds, and for a page that is wider than its window."""
        found = Axe().run(page)
        self.assertEqual(found.violations_count, 0, f"{where}\n{found.generate_report()}")
        self.assertEqual(page.evaluate(MORE_PIXELS), 0, where)

    def walk(self, page: Page, email: str) -> None:
        """Check each page, and each form with an error."""
        for path in PUBLIC:
            page.goto(path)
            self.check(page, path)
        page.goto("/register")
        page.locator("form").evaluate("form => { form.noValidate = true }")
        self.send(page, email="x")
        self.check(page, "/register with errors")
        self.register(page, email)
        page.goto("/dashboard/address")
        self.send(page, name="Grace Brewster Murray Hopper" * 5, email="g@example.com")
        self.log_in(self.open(), email)
        for path in OWN:
            page.goto(path)
            self.check(page, path)
        page.goto("/dashboard?done=session")
        self.check(page, "what was done")
        self.follow(page.locator("#book li a"))
        self.check(page, "an entry")

    def test_light(self) -> None:
        self.walk(self.open(viewport=DESK), "light@example.com")

    def test_dark_on_a_narrow_phone(self) -> None:
        narrow = {**PHONE, "width": 320}
        self.walk(self.open(viewport=narrow, color_scheme="dark", locale="de"), "dark@example.com")
