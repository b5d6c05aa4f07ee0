"""`python -m indico.tests.browser.screenshots`: makes the pictures of the pages in docs/ anew."""

from __future__ import annotations

import sys
from unittest import TextTestRunner, defaultTestLoader

from playwright.sync_api import Page

from indico.tests.browser.browser_test import NARROW, BrowserTest
from indico.tests.server_process import ROOT

EMAIL = "ada@example.com"


class ScreenshotTest(BrowserTest):
    """The dashboard on a desk, and dark on a phone."""

    def test_dashboard(self) -> None:
        page: Page = self.open(viewport={"width": 820, "height": 600})
        self.register(page, EMAIL)
        self.add_entries(page)
        page.goto("/dashboard")
        page.screenshot(path=ROOT / "docs/dashboard.png", full_page=True)
        phone = self.open(viewport={**NARROW, "width": 390}, color_scheme="dark")
        self.log_in(phone, EMAIL)
        phone.goto("/dashboard")
        phone.screenshot(path=ROOT / "docs/dashboard-dark.png", full_page=True)

    def add_entries(self, page: Page) -> None:
        for name, email, phone in (
            ("Grace Hopper", "grace@example.com", "555 0100"),
            ("Katherine Johnson", "katherine@example.com", "555 0199"),
            ("Mary Jackson", "mary@example.com", ""),
        ):
            page.goto("/dashboard/address")
            self.send(page, name=name, email=email, phone=phone)


if __name__ == "__main__":
    loaded = defaultTestLoader.loadTestsFromTestCase(ScreenshotTest)
    sys.exit(not TextTestRunner().run(loaded).wasSuccessful())
