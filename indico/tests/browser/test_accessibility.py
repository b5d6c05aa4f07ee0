"""Every page with axe: light on a desk, and dark on a narrow phone."""

from __future__ import annotations

from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from indico.tests.browser.browser_test import DESK, NARROW, BrowserTest

PUBLIC = ("/", "/login", "/register", "/nosuch")
OWN = ("/dashboard", "/dashboard/account", "/dashboard/password", "/dashboard/address", "/logout")
WAYS: tuple[tuple[Any, Any], ...] = (("light", DESK), ("dark", NARROW))
MORE_PIXELS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


class AccessibilityTest(BrowserTest):
    def check(self, page: Page, where: str) -> None:
        """Fail for what axe finds, and for a page that is wider than its window."""
        for scheme, size in WAYS:
            page.emulate_media(color_scheme=scheme)
            page.set_viewport_size(size)
            found = Axe().run(page)
            report = f"{where}, {scheme}\n{found.generate_report()}"
            self.assertEqual(found.violations_count, 0, report)
            self.assertEqual(page.evaluate(MORE_PIXELS), 0, report)

    def test_all_pages(self) -> None:
        """Their German texts, because these are longer."""
        page = self.open(locale="de")
        for path in PUBLIC:
            page.goto(path)
            self.check(page, path)
        page.goto("/register")
        page.locator("form").evaluate("form => { form.noValidate = true }")
        self.send(page, email="x")
        self.check(page, "/register with errors")
        self.register(page, "ada@example.com")
        page.goto("/dashboard/address")
        self.send(page, name="Grace Brewster Murray Hopper" * 5, email="g@example.com")
        self.log_in(self.open(), "ada@example.com")
        for path in OWN:
            page.goto(path)
            self.check(page, path)
        page.goto("/dashboard?done=session")
        self.follow(page.locator("#book li a"))
        self.check(page, "an entry")
