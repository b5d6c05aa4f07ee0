"""`python -m indico.tests.browser.screenshots`: makes the pictures of the pages in docs/ anew."""

from __future__ import annotations

from pathlib import Path
from unittest import TextTestRunner, defaultTestLoader

from indico.tests.browser.browser_test import NARROW, BrowserTest
from indico.tests.server_process import ROOT

EMAIL = "ada@example.com"
PEOPLE = (
    ("Grace Hopper", "grace@example.com", "555 0100"),
    ("Katherine Johnson", "katherine@example.com", "555 0199"),
    ("Mary Jackson", "mary@example.com", ""),
)


class ScreenshotTest(BrowserTest):
    """The dashboard on a desk, and at night on a phone."""

    folder: Path = ROOT / "docs"

    def test_dashboard(self) -> None:
        page = self.open(viewport={"width": 820, "height": 600})
        self.register(page, EMAIL)
        for name, email, phone in PEOPLE:
            page.goto("/dashboard/address")
            self.send(page, name=name, email=email, phone=phone)
        page.goto("/dashboard")
        page.screenshot(path=self.folder / "dashboard.png", full_page=True)
        phone_page = self.open(viewport={**NARROW, "width": 390}, color_scheme="dark")
        self.log_in(phone_page, EMAIL)
        phone_page.goto("/dashboard")
        phone_page.screenshot(path=self.folder / "dashboard-dark.png", full_page=True)


if __name__ == "__main__":
    TextTestRunner().run(defaultTestLoader.loadTestsFromTestCase(ScreenshotTest))
