"""The address book of the pages, in two windows, without JavaScript."""

from __future__ import annotations

from indico.tests.browser.browser_test import BrowserTest

EMAIL = "book@example.com"


class AddressBookTest(BrowserTest):
    def test_from_the_first_entry_to_the_last(self) -> None:
        page, other = self.open(java_script_enabled=False), self.open(java_script_enabled=False)
        self.register(page, EMAIL)
        self.log_in(other, EMAIL)
        self.post(page, "/dashboard/address", name="Mary Jackson")
        page.goto("/dashboard")
        self.follow(page.get_by_role("link", name="Add an entry"))
        self.send(page, name="Grace Hopper", email="x@example.com", phone="555 0100")
        self.assertEqual(page.locator("#book li").count(), 2)
        page.get_by_label("Name begins with").fill("gr")
        with page.expect_navigation():
            page.keyboard.press("Enter")
        rows = page.locator("#book li")
        self.assertEqual(rows.count(), 1)
        self.assertIn("x@example.com · 555 0100", rows.inner_text())

        self.follow(page.get_by_role("link", name="Change: Grace Hopper"))
        self.send(page, name="Grace Murray")
        other.goto("/dashboard")
        self.assertIn("Grace Murray", other.locator("#book").inner_text())
        self.follow(page.get_by_role("link", name="Change: Grace Murray"))
        self.follow(page.get_by_role("button", name="Delete"))
        self.assertNotIn("Grace", page.locator("#book").inner_text())

    def test_accessible(self) -> None:
        page = self.open()
        self.register(page, "axe@example.com")
        page.goto("/dashboard/address")
        self.check(page, "a new entry")
        self.send(page, name="Grace Brewster Murray Hopper" * 5, email="g@example.com")
        self.check(page, "the address book")
        self.follow(page.locator("#book li a"))
        self.check(page, "an entry")
